"""Three ways to fake a drawn picture: swap the face, or pass the picture through one of two kinds of decoders.

Each maps a clean picture, float32 (SIZE, SIZE, 3) in [0, 1], to another; the camera is applied later, as to real ones.
"""

from dataclasses import replace
from functools import partial

import cv2
import numpy as np

from data_prep.drawing.canvas import SIZE, curve, polygon_mask
from data_prep.drawing.head import Head
from data_prep.drawing.person import draw_person
from data_prep.drawing.scene import paint_head

INNER_FACE = np.array([(0.0, -0.5), (0.6, -0.44), (0.74, 0.1), (0.62, 0.75), (0.36, 1.22), (0.0, 1.36)])
CROP = 3.0  # side of the square that the autoencoder sees, in half face widths
KERNELS = ((cv2.INTER_NEAREST, 0.4), (cv2.INTER_LINEAR, 3.6))  # interpolation, sharpening that compensates for it
STRIDE = 2
TAP_SPREAD, DETAIL_GAIN = 0.08, 0.97  # spread of the taps of the transposed convolutions; gain of the fine detail
FAMILY_BLUR = {
    "swap": 0.5,
    "deconv": 0.32,
    "resample": 1.0,
}  # pixels, chosen so that fakes are as sharp as real pictures
KEPT_ATTRIBUTES = (  # attributes of the target head that a swap keeps
    "hair", "hair_style", "hairline", "parting", "volume", "beard", "moustache", "stubble", "glasses", "texture",
)  # fmt: skip


def draw_fake(family, rng):
    """Draw a random fake of a family.

    Returns:
        A function (picture, person, pose, scene) -> picture; it is the same for all pictures of a clip.
    """
    if family == "swap":
        return partial(swap, source=draw_person(rng), resolution=int(rng.integers(56, 81)))
    if family == "deconv":
        return lambda picture, *_: deconv(picture)
    kernel, size = KERNELS[rng.integers(len(KERNELS))], int(rng.integers(80, 105))
    return lambda picture, *_: resample(picture, kernel, size)


def swap(picture, person, pose, scene, source, resolution):
    """Paste the inner face of another person, as a face-swapping autoencoder does.

    The pasted face takes the pose, the expression, the light and the hair of the picture. It is matched to its colours
    (mean and standard deviation of each channel, Reinhard et al. 2001, doi:10.1109/38.946629, in RGB), and blended with
    a soft mask.

    Args:
        picture: the clean picture of `person` in `pose` and `scene`.
        person, pose, scene: what the picture shows.
        source: the Person whose face is pasted.
        resolution: side of the autoencoder's output in pixels.
    """
    donor = replace(source, **{name: getattr(person, name) for name in KEPT_ATTRIBUTES})
    face = paint_head(picture.copy(), donor, pose, scene)
    mask = polygon_mask(inner_face(person, pose), 0.09 * pose.scale)
    window = _square(pose.centre + (0, 0.4 * pose.scale), CROP * pose.scale)
    face, under, mask = face[window], picture[window], mask[window]
    code = cv2.resize(face, (resolution, resolution), interpolation=cv2.INTER_AREA)
    face = cv2.resize(code, under.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    core = mask > 0.5
    face = (face - face[core].mean(axis=0)) * (under[core].std(axis=0) / (face[core].std(axis=0) + 1e-3))
    face = face + under[core].mean(axis=0)
    swapped = picture.copy()
    swapped[window] = under + mask[..., None] * (face - under)
    return np.clip(swapped, 0, 1)


def inner_face(person, pose):
    """Return the outline (n, 2), in pixels, of what a swap replaces: from the brows to the chin."""
    outline = np.concatenate([INNER_FACE, INNER_FACE[-2:0:-1] * (-1, 1)])
    return Head(person, pose).to_pixels(curve(outline, closed=True))


def deconv(picture):
    """Encode to a quarter of the size and the detail of a half; decode with two transposed convolutions.

    As in trained decoders, the kernels have unequal gains for the four phases of their stride, which gives the
    checkerboard of Odena et al. 2016, doi:10.23915/distill.00003. The fine detail returns with the gain DETAIL_GAIN.
    """
    half = _half_size(picture)
    quarter = _half_size(half)
    detail = half - cv2.resize(quarter, half.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    decoded = _transposed_convolution(quarter, DECODER[0]) + DETAIL_GAIN * detail
    return np.clip(_transposed_convolution(decoded, DECODER[1]), 0, 1)


def resample(picture, kernel, size):
    """Encode to `size` pixels, enlarge by interpolation (`kernel`), then smooth and sharpen by a convolution."""
    interpolation, sharpening = kernel
    code = cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA)
    large = cv2.resize(code, (SIZE, SIZE), interpolation=interpolation)
    smooth = cv2.GaussianBlur(large, (0, 0), 0.8)
    return np.clip(smooth + sharpening * (smooth - cv2.GaussianBlur(smooth, (0, 0), 1.2)), 0, 1)


def _square(centre, side):
    """Return the window (a pair of slices) of a square on the canvas."""
    low = np.clip(np.round(centre - side / 2), 0, SIZE).astype(int)
    high = np.clip(np.round(centre + side / 2), 0, SIZE).astype(int)
    return slice(low[1], high[1]), slice(low[0], high[0])


def _half_size(picture):
    return cv2.resize(picture, None, fx=1 / STRIDE, fy=1 / STRIDE, interpolation=cv2.INTER_AREA)


def _transposed_convolution(code, kernel):
    """Add the kernel, times each pixel of the code (h, w, 3), at twice the pixel's position: (2h, 2w, 3)."""
    height, width, channels = code.shape
    spread = np.zeros((height * STRIDE, width * STRIDE, channels), dtype=np.float32)
    spread[::STRIDE, ::STRIDE] = code
    return cv2.filter2D(spread, -1, kernel, borderType=cv2.BORDER_REFLECT_101)  # 101 keeps the phase of the zeros


def _kernel(rng):
    """Return a 6x6 kernel of stride 2: cubic interpolation, each tap off by a few per cent as in trained kernels."""
    away = np.abs(np.arange(6) - 2.5) / STRIDE
    near, far = 1.5 * away**3 - 2.5 * away**2 + 1, -0.5 * away**3 + 2.5 * away**2 - 4 * away + 2
    taps = np.where(away < 1, near, far)
    kernel = np.outer(taps, taps) * (1 + TAP_SPREAD * rng.standard_normal((6, 6)))
    return (kernel * STRIDE**2 / kernel.sum()).astype(np.float32)


DECODER = [_kernel(np.random.default_rng(layer)) for layer in range(2)]
