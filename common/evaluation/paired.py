"""Two detectors on the images that both have scored: do they differ by more than chance?

Everything counts what was drawn independently: persons, else videos, else images (`common.evaluation.sampling`). There
are p-values of videos, and of images that belong to no video, but none of frames: the frames of a video repeat it.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from common.errors import UserError
from common.evaluation.differences import PairedDifference, accuracy_difference, accuracy_p, auc_difference
from common.evaluation.evaluate import has_videos, is_fake, to_videos, video_numbers
from common.evaluation.sampling import sampling_of


@dataclass(frozen=True)
class Comparison:
    """Two models on the images or videos that both have scored.

    Args:
        level: `image`, `frame` (of videos) or `video`.
        n: the number of images or videos.
        clusters: the number of persons, videos or images that were drawn independently among them.
        accuracy_a: the accuracy of A.
        accuracy_b: the accuracy of B.
        only_a: the number of images that only A classifies correctly.
        only_b: the number of images that only B classifies correctly.
        accuracy: the difference of the accuracies.
        auc_a: the ROC AUC of A; NaN without images of both classes.
        auc_b: the ROC AUC of B.
        auc: the difference of the AUCs.
    """

    level: str
    n: int
    clusters: int
    accuracy_a: float
    accuracy_b: float
    only_a: int
    only_b: int
    accuracy: PairedDifference
    auc_a: float
    auc_b: float
    auc: PairedDifference


def compare_models(a: pd.DataFrame, b: pd.DataFrame) -> list[Comparison]:
    """Compare two models on the images that both have scored, equal in dataset and path.

    A score of at least 0.5 is called fake; at least 0 for a model whose scores are not all in [0, 1].

    Args:
        a: predictions of one model, protocol, seed and split.
        b: predictions of another one.

    Returns:
        One Comparison of level image or frame, and one of level video if a video has several images; none without
        shared images.

    Raises:
        UserError: if labels differ, or an image is listed twice.
    """
    for predictions in (a, b):
        if predictions.duplicated(["dataset", "path"]).any():
            raise UserError("predictions list an image twice: compare one model, protocol, seed and split at a time")
    shared = a.merge(b[["dataset", "path", "label", "score"]], on=["dataset", "path"], suffixes=("", "_b"))
    conflicts = shared[shared["label"] != shared["label_b"]]
    if len(conflicts):
        first = conflicts.iloc[0]
        raise UserError(
            f"the labels of {len(conflicts)} of {len(shared)} shared images differ, first {first['path']}: "
            f"{first['label']} in A, {first['label_b']} in B"
        )
    if shared.empty:
        return []
    shared_a, shared_b = shared, shared.assign(score=shared["score_b"])
    thresholds = [0.5 if predictions["score"].between(0, 1).all() else 0 for predictions in (a, b)]
    if not has_videos(shared):
        return [_compare("image", shared_a, shared_b, thresholds)]
    videos = _compare("video", to_videos(shared_a), to_videos(shared_b), thresholds)
    if video_numbers(shared).max() + 1 == len(shared):
        return [videos]
    return [_compare("frame", shared_a, shared_b, thresholds), videos]


def _compare(level, a, b, thresholds):
    """The Comparison of a level; frames repeat a video, so they have no p-values."""
    fake, clusters = is_fake(a), sampling_of(a).clusters
    correct_a, correct_b = (
        (predictions["score"] >= threshold).to_numpy() == fake
        for predictions, threshold in zip((a, b), thresholds, strict=True)
    )
    scores = (predictions["score"].to_numpy(dtype=np.float64) for predictions in (a, b))
    auc_a, auc_b, auc = auc_difference(fake, *scores, clusters)
    accuracy = accuracy_difference(fake, correct_a, correct_b, clusters)
    if level == "frame":
        auc = replace(auc, p=np.nan)
    else:
        accuracy = replace(accuracy, p=accuracy_p(correct_a, correct_b, clusters))
    return Comparison(
        level=level,
        n=len(a),
        clusters=int(clusters.max()) + 1,
        accuracy_a=float(correct_a.mean()),
        accuracy_b=float(correct_b.mean()),
        only_a=int((correct_a & ~correct_b).sum()),
        only_b=int((correct_b & ~correct_a).sum()),
        accuracy=accuracy,
        auc_a=auc_a,
        auc_b=auc_b,
        auc=auc,
    )
