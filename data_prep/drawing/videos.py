"""The embedded videos: drawn persons and face swaps between them, as files in the tree of Celeb-DF.

They exercise what the layouts of single images leave out: a codec, OpenCV's VideoCapture, a face detector, and names
that tell target and source of a swap.
"""

from pathlib import Path

import cv2
import numpy as np
from joblib import Parallel, cpu_count, delayed

from common.errors import UserError
from common.files import write_json
from common.progress import announce, show_progress
from data_prep.drawing.canvas import SIZE
from data_prep.drawing.clip import draw_clip
from data_prep.drawing.trees import VERSION, cached_folder

FAMILY, FRAME_RATE, CODEC = "swap", 25, "mp4v"  # frames a second; MPEG-4, which all builds of OpenCV can write


def cached_videos(count: int, frames: int, seed: int = 0) -> Path:
    """Return the folder of `draw_videos` in the user's cache; it is drawn on the first call."""
    name = f"{FAMILY}-videos-{count}-seed{seed}-frames{frames}-v{VERSION}"
    return cached_folder(name, lambda folder: draw_videos(folder, count, frames, seed))


def draw_videos(folder: Path, count: int, frames: int, seed: int = 0, workers: int | None = None) -> None:
    """Draw real and fake videos of 256 x 256 pixels.

    Celeb-real/idA_0000.mp4 shows person A; Celeb-synthesis/idA_idB_0000.mp4 is the same video with the face of B.
    Persons swap in pairs (a last odd one takes the face before it), so that the protocols `identity` and `video`
    differ. Also writes SYNTHETIC.json.

    Args:
        folder: created if needed.
        count: number of persons, which is that of the real videos and of the fake ones.
        frames: length of each video.
        seed: other seeds draw other persons.
        workers: number of processes; None: one for each CPU.

    Raises:
        UserError: for less than two persons or one frame, or if OpenCV cannot write videos.
    """
    if count < 2 or frames < 1:
        raise UserError(f"expected at least 2 persons and 1 frame, got {count} and {frames}")
    for name in ("Celeb-real", "Celeb-synthesis"):
        (folder / name).mkdir(parents=True)
    tasks = [(index, fake) for index in range(count) for fake in (False, True)]
    parallel = Parallel(n_jobs=workers or cpu_count(), return_as="generator")
    written = parallel(delayed(_write_video)(folder, count, frames, seed, *task) for task in tasks)
    announce(f"drawing {len(tasks):,} videos of faces, real ones and fakes, once for all runs")
    for _ in show_progress(written, "drawing", len(tasks), "video"):
        pass
    facts = {"family": FAMILY, "count": count, "seed": seed, "frames": frames, "size": SIZE, "version": VERSION}
    write_json(facts, folder / "SYNTHETIC.json")


def _write_video(folder, count, frames, seed, index, fake):
    other = index ^ 1 if index ^ 1 < count else index - 1
    own_seed, other_seed = (np.random.SeedSequence([seed, number, 0]) for number in (index, other))
    # The first random draw of a swap is the person whose face it takes; with this seed that is the other person.
    process_seed = other_seed if fake else np.random.SeedSequence([seed, index, 1])
    files = draw_clip(FAMILY if fake else None, frames, own_seed, process_seed)
    pictures = [cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_COLOR) for file in files]
    name = f"Celeb-synthesis/id{index}_id{other}_0000.mp4" if fake else f"Celeb-real/id{index}_0000.mp4"
    height, width = pictures[0].shape[:2]
    writer = cv2.VideoWriter(str(folder / name), cv2.VideoWriter_fourcc(*CODEC), FRAME_RATE, (width, height))
    try:
        for picture in pictures:
            writer.write(picture)
    finally:
        writer.release()
    if not (folder / name).is_file():
        raise UserError(f"OpenCV cannot write videos ({CODEC}, .mp4): install its own build, opencv-python-headless")
