"""The camera that takes every picture, real or fake: lens, exposure, sensor noise, JPEG."""

from dataclasses import dataclass

import cv2
import numpy as np

from data_prep.drawing.canvas import SIZE

SHARPEST = 0.3  # standard deviation in pixels: what the best lens still blurs
EXPOSURES = (0.75, 1.9)  # gains that automatic exposure can set


@dataclass(frozen=True)
class Camera:
    """A camera and its settings: one for a picture or a clip."""

    blur: float  # standard deviation of the blur that its pictures end up with, in pixels
    brightness: float  # mean that automatic exposure aims at, in [0, 1]
    balance: np.ndarray  # RGB gains of the white balance
    contrast: float
    vignette: float
    noise: float  # standard deviation of the noise at full light
    quality: int  # of the JPEG file


def draw_camera(rng):
    """A random Camera."""
    return Camera(
        blur=rng.uniform(0.6, 1.0),
        brightness=rng.uniform(0.36, 0.54),
        balance=1 + rng.normal(0, 0.025, 3),
        contrast=rng.uniform(0.85, 1.15),
        vignette=rng.uniform(0, 0.25),
        noise=rng.uniform(0.004, 0.014),
        quality=int(rng.integers(85, 98)),
    )


def photograph(picture, camera, rng, blurred=0.0):
    """Take a picture: float32 RGB in [0, 1] to the bytes of a JPEG file.

    blurred: how much the picture has lost already, in pixels; the lens adds only what is missing to the camera's blur,
    so that sharpness tells nothing about how a picture was made.
    """
    lens = max(np.sqrt(max(camera.blur**2 - blurred**2, 0)), SHARPEST)
    picture = cv2.GaussianBlur(picture, (0, 0), lens)
    edge = np.linspace(-1, 1, SIZE, dtype=np.float32) ** 2
    falloff = 1 - camera.vignette * 0.5 * (edge[:, None] + edge)
    exposure = np.clip(camera.brightness / picture.mean(), *EXPOSURES) * camera.balance
    picture = picture * falloff[..., None] * exposure.astype(np.float32)
    picture = 0.5 + camera.contrast * (picture - 0.5)
    grain = rng.standard_normal(picture.shape, dtype=np.float32)
    picture += camera.noise * grain * np.sqrt(0.25 + np.clip(picture, 0, 1))
    pixels = np.clip(picture * 255 + 0.5, 0, 255).astype(np.uint8)
    return cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, camera.quality])[1].tobytes()
