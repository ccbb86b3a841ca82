"""The camera that takes all pictures, real or fake: lens, exposure, sensor noise, JPEG."""

from dataclasses import dataclass

import cv2
import numpy as np

from data_prep.drawing.canvas import SIZE

MIN_LENS_BLUR = 0.3  # standard deviation in pixels of the best lens
EXPOSURE_GAINS = (0.75, 1.9)  # range of the automatic exposure


@dataclass(frozen=True)
class Camera:
    """A camera and its settings, the same for all pictures of a clip."""

    blur: float  # standard deviation of the blur of its finished pictures, in pixels
    brightness: float  # mean that the automatic exposure aims at, in [0, 1]
    balance: np.ndarray  # RGB gains of the white balance
    contrast: float
    vignette: float
    noise: float  # standard deviation of the noise at full light
    quality: int  # of the JPEG file


def draw_camera(rng: np.random.Generator) -> Camera:
    """Draw a random Camera."""
    return Camera(
        blur=rng.uniform(0.6, 1.0),
        brightness=rng.uniform(0.36, 0.54),
        balance=1 + rng.normal(0, 0.025, 3),
        contrast=rng.uniform(0.85, 1.15),
        vignette=rng.uniform(0, 0.25),
        noise=rng.uniform(0.004, 0.014),
        quality=int(rng.integers(85, 98)),
    )


def photograph(picture: np.ndarray, camera: Camera, rng: np.random.Generator, earlier_blur: float = 0.0) -> bytes:
    """Take a picture of a scene.

    Args:
        picture: the clean picture, float32 (SIZE, SIZE, 3), RGB in [0, 1].
        camera: the Camera.
        rng: a NumPy generator, for the noise.
        earlier_blur: standard deviation in pixels of the blur that the picture has already. The lens adds only what is
            missing to the camera's blur, so that sharpness does not reveal how a picture was made.

    Returns:
        The bytes of a JPEG file.
    """
    lens = max(np.sqrt(max(camera.blur**2 - earlier_blur**2, 0)), MIN_LENS_BLUR)
    picture = cv2.GaussianBlur(picture, (0, 0), lens)
    edge = np.linspace(-1, 1, SIZE, dtype=np.float32) ** 2
    falloff = 1 - camera.vignette * 0.5 * (edge[:, None] + edge)
    exposure = np.clip(camera.brightness / picture.mean(), *EXPOSURE_GAINS) * camera.balance
    picture = picture * falloff[..., None] * exposure.astype(np.float32)
    picture = 0.5 + camera.contrast * (picture - 0.5)
    grain = rng.standard_normal(picture.shape, dtype=np.float32)
    picture += camera.noise * grain * np.sqrt(0.25 + np.clip(picture, 0, 1))
    pixels = np.clip(picture * 255 + 0.5, 0, 255).astype(np.uint8)
    return cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, camera.quality])[1].tobytes()
