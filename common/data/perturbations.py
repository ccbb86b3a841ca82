"""What happens to a picture between the camera and a detector: pure functions of uint8 RGB (H, W, 3).

jpeg: quality of the encoder (chroma subsampled 4:2:0, libjpeg's tables), 100 to 1. blur: standard deviation of a
Gaussian in pixels. scaling: factor by which the picture is made smaller, and then as large as it was. noise: standard
deviation of Gaussian noise in grey levels, independent in each pixel and channel. social: longest side in pixels to
which a platform shrinks an upload, before it encodes it as JPEG of SOCIAL_QUALITY. Moltisanti et al. 2015 (DOI
10.1007/978-3-319-23234-8_47) found Facebook to do both; the strengths, and the quality, are our choice: the face in a
photograph of 960 pixels, which is all that we have, is much smaller.
"""

import hashlib

import cv2
import numpy as np

STRENGTHS = {  # from weak to strong
    "jpeg": (90, 80, 70, 60, 50, 40, 30),
    "blur": (0.5, 1.0, 2.0, 3.0),
    "scaling": (0.75, 0.5, 0.25),
    "noise": (2.0, 5.0, 10.0, 20.0),
    "social": (960, 240, 120),
}
SOCIAL_QUALITY = 75
BLUR_RADIUS = 4  # standard deviations at which the Gaussian is cut


def perturb(image, name, strength, key, seed=0):
    """The picture under one of STRENGTHS; a function of its arguments alone.

    key: what tells the picture from others (its sha256 or path), so that each has noise of its own, whatever the order
    in which they come. KeyError for an unknown name.
    """
    if name == "noise":
        return noise(image, strength, generator(key, seed))
    return {"jpeg": jpeg, "blur": blur, "scaling": scaling, "social": social}[name](image, strength)


def generator(key, seed=0):
    """Random numbers of one picture: a NumPy generator from its key (a string) and the seed."""
    return np.random.default_rng(list(hashlib.sha256(f"{seed}\n{key}".encode()).digest()))


def jpeg(image, quality):
    """Encoded and decoded again; ValueError unless 1 <= quality <= 100."""
    if not 1 <= quality <= 100:
        raise ValueError(f"expected a JPEG quality from 1 to 100, got {quality}")
    done, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, int(quality)])  # OpenCV is BGR
    if not done:
        raise ValueError(f"a picture of the shape {image.shape} cannot be encoded as JPEG")
    return np.ascontiguousarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1])


def blur(image, sigma):
    """Convolved with a Gaussian, mirrored at the edges; sigma 0 changes nothing."""
    if sigma == 0:
        return image
    side = 2 * int(BLUR_RADIUS * sigma + 0.5) + 1
    return cv2.GaussianBlur(image, (side, side), sigma, borderType=cv2.BORDER_REFLECT_101)


def scaling(image, factor):
    """Down to `factor` of its sides (area), and up again (bicubic): what is finer is lost. Factor 1 changes nothing."""
    if factor == 1:
        return image
    height, width = image.shape[:2]
    return cv2.resize(_shrunk(image, factor), (width, height), interpolation=cv2.INTER_CUBIC)


def noise(image, sigma, random):
    """With Gaussian noise added, rounded and clipped. One generator gives one pattern, which grows with sigma."""
    noisy = image + sigma * random.standard_normal(image.shape, np.float32)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def social(image, side):
    """Shrunk until its longest side is `side` (never enlarged), then a JPEG of SOCIAL_QUALITY: (h, w, 3), smaller."""
    longest = max(image.shape[:2])
    return jpeg(image if longest <= side else _shrunk(image, side / longest), SOCIAL_QUALITY)


def _shrunk(image, factor):
    height, width = (max(1, round(length * factor)) for length in image.shape[:2])
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
