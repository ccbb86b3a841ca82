"""Random hostile files: each is read by its rules, or is a user's error of one line; nothing else.

    FUZZ_EXAMPLES=3800 pytest -m fuzz tests/hostile       # 20,520 cases

A number may only come out of a file that states it: what was read is checked against the rules of its reader.
"""

import io
import math
from contextlib import redirect_stdout

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.data.decoding import Unreadable, read_image
from common.data.manifest import COLUMNS, leaves_folder, read_manifest
from common.data.videos import Sampling, read_clip
from common.errors import UserError
from common.splits.leaks import check_splits
from common.splits.protocols import applicable_protocols, split_images
from results.audit.check import audit_table
from results.evaluate import main as evaluate
from results.tables import FLOAT_COLUMNS, INTEGER_COLUMNS, RESULT_COLUMNS, read_results
from tests.hostile import damage
from tests.hostile.damage import FUZZ, FUZZ_SLOW, NAMES, NUMBERS

pytestmark = pytest.mark.fuzz

LABELS = st.sampled_from(["fake", "real", "fake", "real", "Fake", "0", "1", ""])
PATHS = st.one_of(st.integers(0, 99).map("i/{}.png".format), NAMES)
MANIFEST = dict.fromkeys(COLUMNS, NAMES) | {"path": PATHS, "label": st.sampled_from(["fake", "real"])}
MANIFEST |= {"split": st.sampled_from(["", "train", "val", "test"]), "frame": NUMBERS}
RESULTS = {
    name: NUMBERS if name in (*FLOAT_COLUMNS, *INTEGER_COLUMNS) else NAMES for name in RESULT_COLUMNS
}  # fmt: skip
SCORES = st.one_of(st.floats(0, 1).map(str), NUMBERS)
PREDICTIONS = {"path": PATHS, "video": NAMES, "label": LABELS, "score": SCORES, "model": NAMES, "original": NAMES}
FLAGS = ((), ("--level", "frame"), ("--threshold", "0.3"))
SHARES = st.one_of(st.floats(0, 1).map("{:.3f}".format), st.integers(0, 100).map("{} %".format), NUMBERS)
AUDITED = {"model": NAMES, "accuracy": SHARES, "precision": SHARES, "recall": SHARES, "f1": SHARES}
AUDITED |= {"n": st.one_of(st.integers(1, 60).map(str), NUMBERS), "tp": st.one_of(st.integers(0, 30).map(str), NUMBERS)}
PICTURES = damage.pictures()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")


@pytest.fixture(scope="module")
def clips(folder):
    return damage.clips(folder)


def refused(error):
    """Whether an error is one line that says something."""
    return str(error).strip() != "" and "Traceback" not in str(error)


@FUZZ
@given(data=damage.tables(MANIFEST))
def test_manifests(folder, data):
    (folder / "manifest.csv").write_bytes(data)
    try:
        images = read_manifest(folder)
    except UserError as error:
        assert refused(error)
        return
    assert list(images) == list(COLUMNS) and len(images) and images["label"].isin(["fake", "real"]).all()
    assert not images["path"].map(leaves_folder).any() and images["path"].is_unique
    assert all(isinstance(cell, str) for cell in images.to_numpy().ravel())


@FUZZ
@given(data=damage.tables(RESULTS, RESULT_COLUMNS))
def test_results(folder, data):
    (folder / "paper.csv").write_bytes(data)
    try:
        table = read_results(folder / "paper.csv")
    except UserError as error:
        assert refused(error)
        return
    assert not np.isinf(table[list(FLOAT_COLUMNS)].to_numpy(dtype=float)).any()
    written = data.decode("utf-8-sig")
    assert all(f"{value:g}"[:3] in written or abs(value) < 1e-300 for value in table["value"].dropna())


@FUZZ
@given(
    data=damage.tables(PREDICTIONS, ("label", "score")),
    flags=st.sampled_from([(), ("--level", "frame"), ("--threshold", "0.3")]),
)
def test_predictions(folder, data, flags):
    (folder / "scores.csv").write_bytes(data)
    output = io.StringIO()
    try:
        with redirect_stdout(output):
            assert evaluate([str(folder / "scores.csv"), *flags]) == 0
    except UserError as error:
        assert refused(error)
        return
    for line in output.getvalue().splitlines():
        if line.startswith("accuracy"):
            value = float(line.split()[1])
            assert math.isnan(value) or 0 <= value <= 1


@FUZZ_SLOW
@given(data=damage.tables(AUDITED, ("accuracy", "precision", "n"), most_rows=3))
def test_published_tables(folder, data):
    (folder / "table.csv").write_bytes(data)
    try:
        findings, unchecked = audit_table(folder / "table.csv")
    except UserError as error:
        assert refused(error)
        return
    assert findings and all(finding.verdict and finding.detail for finding in findings)
    assert all(isinstance(line, str) for line in unchecked)


@FUZZ
@given(data=st.data(), suffix=st.sampled_from(sorted(PICTURES)))
def test_pictures(folder, data, suffix):
    file = folder / f"picture.{suffix}"
    file.write_bytes(data.draw(damage.damaged(PICTURES[suffix])))
    try:
        image = read_image(file, max_pixels=1 << 22)
    except Unreadable as error:
        assert refused(error)
        return
    assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3 and 0 < image.size <= 3 << 22


@FUZZ
@given(data=st.data(), suffix=st.sampled_from(["mp4", "avi", "mkv"]))
def test_videos(folder, clips, data, suffix):
    file = folder / f"video.{suffix}"
    file.write_bytes(data.draw(damage.damaged(clips[suffix])))
    sampling = data.draw(st.sampled_from([Sampling(count=3), Sampling(every=2), Sampling(first=2)]))
    try:
        frames = read_clip(
            file, sampling, lambda frames: [(index, frame.shape, frame.dtype) for index, frame in frames]
        )
    except Unreadable as error:
        assert refused(error)
        return
    assert [index for index, *_ in frames] == sorted({index for index, *_ in frames})
    assert all(shape[2] == 3 and dtype == np.uint8 for _, shape, dtype in frames)


@FUZZ_SLOW
@given(rows=st.lists(st.tuples(*(MANIFEST[name] for name in COLUMNS)), min_size=1, max_size=20), seed=st.integers(0, 9))
def test_splits(rows, seed):
    images = pd.DataFrame(rows, columns=list(COLUMNS), dtype=str).drop_duplicates("path", ignore_index=True)
    for protocol in applicable_protocols(images):
        try:
            splits = split_images(images, protocol, seed)
        except UserError as error:
            assert refused(error)
            continue
        kept = splits != ""
        if protocol != "official":  # what is published may leak, and is refused
            check_splits(images[kept], splits[kept], protocol)
        assert set(splits) <= {"train", "val", "test", ""}
