"""Figures 1, 2 and 4 of the paper: the data's split, frames with the faces found in them, and one face in its frame.

A prepared folder has the faces alone. Their frames are read from the raw folder, if that is beside the prepared one.
"""

import logging
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.patches import Rectangle

from common.data.datasets import DataSet
from common.data.decoding import IMAGE_SUFFIXES, VIDEO_SUFFIXES, Unreadable, read_image
from common.data.manifest import SPLITS
from common.data.videos import Sampling, read_clip
from common.evaluation.figures import CURVE_COLOURS, new_figure, save_figure
from common.faces.detection import Face, make_detector, pick
from common.labels import FAKE, REAL, WORDS
from common.runs.folder import Run
from reproductions.inputs import RunData
from reproductions.splitting import Split

log = logging.getLogger("deepfake")

EXAMPLES = 4  # videos of each class in Figure 2
CLASSES = (WORDS[REAL], WORDS[FAKE])
COLOURS = dict(zip(CLASSES, CURVE_COLOURS, strict=False))


def draw_data_figures(data: RunData, run: Run) -> None:
    """Write Figures 1, 2 and 4 into the run's figures/, as far as manifest and raw folder allow.

    Args:
        data: the data sets; Figures 2 and 4 show the first, Figure 1 all.
        run: the run's folder.
    """
    draw_counts(data.datasets, data.splits[0], run.path("figures", "figure_01_split.png"))
    dataset = data.datasets[0]
    examples = choose_examples(dataset.images)
    frames = [find_frame(dataset, row) for row in examples.itertuples()]
    if not any(frame is not None for frame in frames):
        log.info(
            "Figure 2 shows faces without their frames, and there is no Figure 4: %s has no raw frames beside it in %s",
            dataset.folder, raw_folder(dataset) or "a folder that prep.json names",
        )  # fmt: skip
    faces = [read_image(file) for file in examples["file"]]
    draw_faces(examples["label"].to_list(), frames, faces, run.path("figures", "figure_02_faces.png"))
    if (number := next((place for place, frame in enumerate(frames) if frame is not None), None)) is not None:
        path = run.path("figures", "figure_04_detection.png")
        draw_detection(frames[number], faces[number], detect(dataset, frames[number]), path)


def choose_examples(images: pd.DataFrame) -> pd.DataFrame:
    """Return the first frame of up to EXAMPLES videos of each class, real ones first, in the order of the manifest."""
    firsts = images[(images["video"] == "") | ~images.duplicated("video")]
    chosen = [firsts[firsts["label"] == label].head(EXAMPLES) for label in CLASSES]
    return pd.concat(chosen)


def raw_folder(dataset: DataSet) -> Path | None:
    """Return where the raw folder of a prepared one is expected: beside it, under the name in prep.json."""
    name = dataset.preparation.get("source_folder")
    return dataset.folder.resolve().parent / name if name else None


def find_frame(dataset: DataSet, row) -> np.ndarray | None:
    """Return the frame that a face was found in, uint8 RGB (height, width, 3).

    Args:
        dataset: its prepared folder.
        row: a row of its images, with path, video and frame.

    Returns:
        None if no faces were cropped, or the raw file is not there or not readable.
    """
    raw = raw_folder(dataset)
    if raw is None or dataset.preparation.get("flags", {}).get("faces", "none") == "none":
        return None
    try:
        for suffix in VIDEO_SUFFIXES:
            if row.video and (clip := raw / f"{row.video}{suffix}").is_file():
                return read_clip(clip, Sampling(first=int(row.frame) + 1), _last_frame)
        for suffix in IMAGE_SUFFIXES:
            if (picture := (raw / row.path).with_suffix(suffix)).is_file():
                return read_image(picture)
    except Unreadable as error:
        log.warning("a frame of %s cannot be read: %s", row.video or row.path, error)
    return None


def detect(dataset: DataSet, frame: np.ndarray) -> Face | None:
    """Find the face of a frame as data_prep did; None if there is none.

    Args:
        dataset: its prepared folder.
        frame: uint8 RGB (height, width, 3).
    """
    flags = dataset.preparation["flags"]
    found = pick(make_detector(flags["faces"]).detect(frame), flags.get("pick", "best"), flags.get("min_confidence"))
    return found[0] if found else None


def draw_counts(datasets: list[DataSet], split: Split, path: Path) -> Path:
    """Draw Figure 1: videos of each data set, and images of each split, by class.

    Args:
        datasets: the prepared folders.
        split: the run's first; of folds the first is shown.
        path: the PNG to write.
    """
    has_videos = any((dataset.images["video"] != "").any() for dataset in datasets)
    unit = "videos" if has_videos else "images"
    counts = pd.DataFrame(
        {
            dataset.name: (dataset.images.drop_duplicates("video") if has_videos else dataset.images)["label"]
            .value_counts()
            .reindex(CLASSES, fill_value=0)
            for dataset in datasets
        }
    )
    images = next(iter(split.parts.values()))
    frames = pd.crosstab(images["label"], images["split"]).reindex(index=CLASSES, columns=SPLITS, fill_value=0)
    figure, axes = new_figure(1, 2, 3.8, 3.4, "Figure 1: the data and their split")
    titles = f"{unit} of each data set", f"images of each split, protocol {split.protocol}"
    for axis, table, title in zip(axes[0], (counts, frames), titles, strict=True):
        places = np.arange(len(table.columns))
        for offset, label in zip((-0.2, 0.2), CLASSES, strict=True):
            bars = axis.bar(places + offset, table.loc[label], 0.38, color=COLOURS[label], label=label)
            axis.bar_label(bars, fontsize=8)
        axis.set_xticks(places, table.columns, fontsize=8)
        axis.set_title(title, fontsize=9)
        axis.margins(y=0.15)
    axes[0, 1].legend(fontsize=8, frameon=False)
    return save_figure(figure, path)


def draw_faces(labels: list[str], frames: list[np.ndarray | None], faces: list[np.ndarray], path: Path) -> Path:
    """Draw Figure 2: for each class a row of frames, if there are any, and a row of the faces found in them.

    Args:
        labels: of n images.
        frames: uint8 RGB (height, width, 3) each, or None.
        faces: uint8 RGB (S, S, 3) each.
        path: the PNG to write.
    """
    with_frames = any(frame is not None for frame in frames)
    rows = [(label, pictures) for label in CLASSES for pictures in ((frames, faces) if with_frames else (faces,))]
    columns = max(labels.count(label) for label in CLASSES)
    what = "frames and the faces found in them" if with_frames else "faces (their frames are not at hand)"
    figure, axes = new_figure(len(rows), columns, 1.6, 1.5, f"Figure 2: {what}")
    for axis in axes.flat:
        axis.set_axis_off()
    for axes_of_row, (label, pictures) in zip(axes, rows, strict=True):
        shown = [picture for picture, own in zip(pictures, labels, strict=True) if own == label]
        for axis, picture in zip(axes_of_row, shown, strict=False):
            if picture is not None:
                axis.imshow(picture)
            axis.set_title(f"{label} {'frame' if pictures is frames else 'face'}", fontsize=8)
    return save_figure(figure, path)


def draw_detection(frame: np.ndarray, face: np.ndarray, found: Face | None, path: Path) -> Path:
    """Draw Figure 4: a frame with the box of its face, and the face as it is prepared.

    Args:
        frame: uint8 RGB (height, width, 3).
        face: uint8 RGB (S, S, 3).
        found: the box in the frame; None: nothing was found there.
        path: the PNG to write.
    """
    figure, axes = new_figure(1, 2, 3.4, 3.2, "Figure 4: face detection in a frame")
    axes[0, 0].imshow(frame)
    if found:
        box = Rectangle((found.x, found.y), found.width, found.height, fill=False, edgecolor="#f2c14e", linewidth=2)
        axes[0, 0].add_patch(box)
    axes[0, 0].set_title(f"confidence {found.confidence:.3f}" if found else "no face found", fontsize=9)
    axes[0, 1].imshow(face)
    axes[0, 1].set_title(f"{face.shape[1]} x {face.shape[0]} px, with margin", fontsize=9)
    for axis in axes.flat:
        axis.set_axis_off()
    return save_figure(figure, path)


def _last_frame(frames):
    return [frame for _, frame in frames][-1]
