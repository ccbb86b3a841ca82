"""Many pictures of one drawn person: other poses, expressions, scenes and cameras, the same face."""

from pathlib import Path

import cv2
import numpy as np
from joblib import Parallel, cpu_count, delayed

from common.errors import UserError
from common.files import write_bytes, write_json
from common.progress import show_progress
from data_prep.drawing.camera import draw_camera, photograph
from data_prep.drawing.canvas import SIZE
from data_prep.drawing.person import Pose, draw_person, draw_pose
from data_prep.drawing.scene import draw_scene, render
from data_prep.drawing.trees import VERSION, cached_folder

SCENES = 6  # in which a person is photographed


def cached_portraits(person: int, count: int) -> Path:
    """Return the folder of `draw_portraits` in the user's cache; it is drawn on the first call."""
    name = f"portraits-{person}-{count}-v{VERSION}"
    return cached_folder(name, lambda folder: draw_portraits(folder, person, count))


def draw_portraits(folder: Path, person: int, count: int, workers: int | None = None) -> None:
    """Draw pictures 00000.jpg, 00001.jpg, ... of one person, and SYNTHETIC.json.

    Args:
        folder: an existing folder.
        person: seed of the person; another seed is another person.
        count: number of pictures.
        workers: number of processes; None: one for each CPU.

    Raises:
        UserError: for a number out of range.
    """
    if person < 0 or count < 1:
        raise UserError(f"expected a person of at least 0 and at least 1 picture, got {person} and {count}")
    pictures = Parallel(n_jobs=workers or cpu_count(), return_as="generator")(
        delayed(_portrait)(person, index) for index in range(count)
    )
    for index, picture in enumerate(show_progress(pictures, "drawing", count, "face")):
        write_bytes(picture, folder / f"{index:05d}.jpg", one_of_many=True)
    facts = {"family": "portraits", "count": count, "seed": person, "frames": 1, "size": SIZE, "version": VERSION}
    write_json(facts, folder / "SYNTHETIC.json")


def draw_expression(rng: np.random.Generator) -> Pose:
    """Draw a Pose whose mouth, eyes and turn of the head vary more than in `draw_pose`."""
    pose = draw_pose(rng)
    return Pose(
        centre=pose.centre,
        scale=pose.scale,
        yaw=rng.uniform(-0.32, 0.32),
        pitch=pose.pitch,
        roll=pose.roll,
        gaze=rng.uniform(-0.6, 0.6, 2) * (1, 0.4),
        lids=rng.uniform(0.35, 1.2),
        smile=rng.uniform(0, 1),
        mouth=max(0.0, rng.uniform(-0.5, 0.8)),
    )


def _portrait(person, index):
    """Return the bytes of picture `index` of a person."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)  # the cores are used by parallel processes
    try:
        rng = np.random.default_rng([person, 1, index])
        scene_rng = np.random.default_rng([person, 2, index % SCENES])
        scene, camera = draw_scene(scene_rng), draw_camera(scene_rng)
        picture = render(draw_person(np.random.default_rng(person)), draw_expression(rng), scene)
        return photograph(picture, camera, rng)
    finally:
        cv2.setNumThreads(threads)
