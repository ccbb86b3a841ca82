"""The embedded videos: drawn persons and face swaps between them, as files in Celeb-DF's layout.

What the layouts of single pictures leave out is passed through for real: a codec, OpenCV's VideoCapture, a face
detector, and names that tell target and source of a swap.
"""

import numpy as np

from common.errors import UserError
from common.files import write_json
from data_prep.drawing.trees import VERSION, cached
from data_prep.prepare import PrepareOptions, prepare

FAMILY, RATE, CODEC = "swap", 25, "mp4v"  # frames a second; MPEG-4, which every OpenCV writes


def embedded_videos(count, frames, size, margin, seed=0):
    """The prepared folder of `count` real and `count` fake videos, made on the first call: faces found by MTCNN.

    frames: of each video, all of which are used; size, margin: flags of data_prep. Returns a Path.
    """
    name = f"{FAMILY}-videos-{count}-seed{seed}-frames{frames}-v{VERSION}"
    tree = cached(name, lambda folder: draw_videos(folder, count, frames, seed))
    prepared = tree.with_name(f"{tree.name}-prepared-mtcnn-{size}-{margin}")
    prepare("celebdf", tree, prepared, PrepareOptions(faces="mtcnn", size=size, margin=margin, first=frames))
    return prepared


def draw_videos(folder, count, frames, seed=0, workers=None):
    """Write `count` real and `count` fake videos, 256 x 256, and SYNTHETIC.json.

    Celeb-real/idA_0000.mp4 shows person A; Celeb-synthesis/idA_idB_0000.mp4 is the same video with the face of B.
    Persons swap in pairs (a last odd one takes the face before it): the protocol `identity` differs from `video`.
    UserError for less than two persons or one frame.
    """
    from joblib import Parallel, cpu_count, delayed
    from tqdm import tqdm

    if count < 2 or frames < 1:
        raise UserError(f"expected at least 2 persons and 1 frame, got {count} and {frames}")
    for name in ("Celeb-real", "Celeb-synthesis"):
        (folder / name).mkdir(parents=True)
    tasks = [(index, fake) for index in range(count) for fake in (False, True)]
    parallel = Parallel(n_jobs=workers or cpu_count(), return_as="generator")
    done = parallel(delayed(_write_video)(folder, count, frames, seed, *task) for task in tasks)
    for _ in tqdm(done, total=len(tasks), desc="drawing videos", unit="video", disable=None):
        pass
    facts = {"family": FAMILY, "count": count, "seed": seed, "frames": frames, "size": 256, "version": VERSION}
    write_json(facts, folder / "SYNTHETIC.json")


def _write_video(folder, count, frames, seed, index, fake):
    import cv2

    from data_prep.drawing.clip import draw_clip

    other = index ^ 1 if index ^ 1 < count else index - 1
    own, of_other = (np.random.SeedSequence([seed, number, 0]) for number in (index, other))
    # The first thing that a swap draws is the person whose face it takes: by this seed, the other's.
    process = of_other if fake else np.random.SeedSequence([seed, index, 1])
    pictures = draw_clip(FAMILY if fake else None, frames, own, process)
    pictures = [cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR) for picture in pictures]
    name = f"Celeb-synthesis/id{index}_id{other}_0000.mp4" if fake else f"Celeb-real/id{index}_0000.mp4"
    height, width = pictures[0].shape[:2]
    writer = cv2.VideoWriter(str(folder / name), cv2.VideoWriter_fourcc(*CODEC), RATE, (width, height))
    try:
        for picture in pictures:
            writer.write(picture)
    finally:
        writer.release()
    if not (folder / name).is_file():
        raise UserError(f"OpenCV cannot write videos ({CODEC}, .mp4): install its own build, opencv-python-headless")
