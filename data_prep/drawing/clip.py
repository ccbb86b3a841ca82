"""One clip or picture of a drawn person, real or fake, as JPEG files."""

import cv2
import numpy as np

from data_prep.drawing.camera import draw_camera, photograph
from data_prep.drawing.fakes import FAMILY_BLUR, draw_fake
from data_prep.drawing.person import animate_pose, draw_person, draw_pose
from data_prep.drawing.scene import draw_scene, render


def draw_clip(
    family: str | None,
    frames: int,
    scene_seed: np.random.SeedSequence,
    process_seed: np.random.SeedSequence,
) -> list[bytes]:
    """Draw a clip.

    Args:
        family: how the clip is faked; None for a real one.
        frames: number of pictures.
        scene_seed: fixes what the camera sees, and the camera; a fake clip shares it with its original.
        process_seed: fixes the random choices of the fake, and the noise of the sensor.

    Returns:
        The bytes of a JPEG file for each picture.
    """
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)  # the cores are used by parallel processes
    try:
        rng, process = np.random.default_rng(scene_seed), np.random.default_rng(process_seed)
        person, pose, scene, camera = draw_person(rng), draw_pose(rng), draw_scene(rng), draw_camera(rng)
        poses = animate_pose(rng, pose, frames) if frames > 1 else [pose]
        pictures = [render(person, pose, scene) for pose in poses]
        if family is not None:
            fake = draw_fake(family, process)
            pictures = [fake(picture, person, pose, scene) for picture, pose in zip(pictures, poses, strict=True)]
        earlier_blur = FAMILY_BLUR[family] if family else 0.0
        return [photograph(picture, camera, process, earlier_blur) for picture in pictures]
    finally:
        cv2.setNumThreads(threads)
