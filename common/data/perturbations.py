"""What happens to a picture between the camera and a detector: pure functions of uint8 RGB (H, W, 3).

Moltisanti et al. 2015 (DOI 10.1007/978-3-319-23234-8_47) found that Facebook shrinks an upload and encodes it as JPEG,
which `social` does. All strengths are our choice: the photograph has up to 960 pixels there, but the face in it, which
is all that our data sets have, is much smaller.
"""

import hashlib

import cv2
import numpy as np

STRENGTHS = {  # from weak to strong, in the unit of each function's argument
    "jpeg": (90, 80, 70, 60, 50, 40, 30),
    "blur": (0.5, 1.0, 2.0, 3.0),
    "scaling": (0.75, 0.5, 0.25),
    "noise": (2.0, 5.0, 10.0, 20.0),
    "social": (960, 240, 120),
}
SOCIAL_QUALITY = 75
BLUR_RADIUS = 4  # standard deviations at which the Gaussian is cut


def perturb(image: np.ndarray, name: str, strength: float, key: str, seed: int = 0) -> np.ndarray:
    """Apply one perturbation of STRENGTHS; the result depends on the arguments alone.

    Args:
        image: uint8 RGB (H, W, 3).
        name: a key of STRENGTHS.
        strength: in the unit of that function's argument.
        key: identifies the picture (its sha256 or path), so that each has noise of its own in any order.
        seed: of the noise.

    Returns:
        uint8 RGB (H, W, 3); `social` may return a smaller picture.

    Raises:
        KeyError: if the name is unknown.
    """
    if name == "noise":
        return noise(image, strength, picture_generator(key, seed))
    return {"jpeg": jpeg, "blur": blur, "scaling": scaling, "social": social}[name](image, strength)


def picture_generator(key: str, seed: int = 0) -> np.random.Generator:
    """Return the random numbers of one picture, a function of its key and the seed."""
    return np.random.default_rng(list(hashlib.sha256(f"{seed}\n{key}".encode()).digest()))


def jpeg(image: np.ndarray, quality: float) -> np.ndarray:
    """Encode as JPEG (libjpeg's tables, chroma subsampled 4:2:0) and decode again.

    Args:
        image: uint8 RGB (H, W, 3).
        quality: of the encoder, 1 to 100.

    Returns:
        uint8 RGB (H, W, 3).

    Raises:
        ValueError: if the quality is not in 1 to 100, or the picture cannot be encoded.
    """
    if not 1 <= quality <= 100:
        raise ValueError(f"expected a JPEG quality from 1 to 100, got {quality}")
    encoded, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, int(quality)])  # OpenCV is BGR
    if not encoded:
        raise ValueError(f"a picture of the shape {image.shape} cannot be encoded as JPEG")
    decoded = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))
    return np.ascontiguousarray(decoded[..., ::-1])


def blur(image: np.ndarray, sigma: float) -> np.ndarray:
    """Convolve with a Gaussian, mirrored at the edges.

    Args:
        image: uint8 RGB (H, W, 3).
        sigma: standard deviation in pixels; 0 changes nothing.

    Returns:
        uint8 RGB (H, W, 3).
    """
    if sigma == 0:
        return image
    side = 2 * int(BLUR_RADIUS * sigma + 0.5) + 1
    return cv2.GaussianBlur(image, (side, side), sigma, borderType=cv2.BORDER_REFLECT_101)


def scaling(image: np.ndarray, factor: float) -> np.ndarray:
    """Shrink by area and enlarge again, bicubic: finer detail is lost.

    Args:
        image: uint8 RGB (H, W, 3).
        factor: of both sides when shrunk, in (0, 1]; 1 changes nothing.

    Returns:
        uint8 RGB (H, W, 3).
    """
    if factor == 1:
        return image
    height, width = image.shape[:2]
    return cv2.resize(_shrink(image, factor), (width, height), interpolation=cv2.INTER_CUBIC)


def noise(image: np.ndarray, sigma: float, generator: np.random.Generator) -> np.ndarray:
    """Add Gaussian noise, independent in each pixel and channel, then round and clip.

    Args:
        image: uint8 RGB (H, W, 3).
        sigma: standard deviation in grey levels.
        generator: gives one pattern, which grows with sigma.

    Returns:
        uint8 RGB (H, W, 3).
    """
    noisy = image + sigma * generator.standard_normal(image.shape, np.float32)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def social(image: np.ndarray, side: float) -> np.ndarray:
    """Do what a social network does to an upload: shrink it, then encode it as JPEG of SOCIAL_QUALITY.

    Args:
        image: uint8 RGB (H, W, 3).
        side: the longest side afterwards, in pixels; a smaller picture is not enlarged.

    Returns:
        uint8 RGB (h, w, 3).
    """
    longest = max(image.shape[:2])
    return jpeg(image if longest <= side else _shrink(image, side / longest), SOCIAL_QUALITY)


def _shrink(image, factor):
    height, width = (max(1, round(length * factor)) for length in image.shape[:2])
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
