"""One clip or picture of a drawn person, real or fake, as the camera's files."""

import cv2
import numpy as np

from data_prep.drawing.camera import draw_camera, photograph
from data_prep.drawing.fakes import BLURRED, draw_fake
from data_prep.drawing.person import draw_person, draw_pose, moving
from data_prep.drawing.scene import draw_scene, render


def draw_clip(family, frames, scene_seed, process_seed):
    """Draw a clip of `frames` pictures; the bytes of each JPEG file.

    family: how the clip is faked, None for a real one. scene_seed fixes what the camera sees, and the camera;
    process_seed the fake's own choices and the sensor's noise: a fake clip shares the first with its original.
    """
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)  # the processes side by side use the cores
    try:
        rng, process = np.random.default_rng(scene_seed), np.random.default_rng(process_seed)
        person, pose, scene, camera = draw_person(rng), draw_pose(rng), draw_scene(rng), draw_camera(rng)
        poses = moving(rng, pose, frames) if frames > 1 else [pose]
        pictures = [render(person, pose, scene) for pose in poses]
        if family is not None:
            fake = draw_fake(family, process)
            pictures = [fake(picture, person, pose, scene) for picture, pose in zip(pictures, poses, strict=True)]
        return [photograph(picture, camera, process, BLURRED.get(family, 0.0)) for picture in pictures]
    finally:
        cv2.setNumThreads(threads)
