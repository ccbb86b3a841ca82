"""Painting soft-edged shapes on a picture; each shape changes only a small window of it."""

import cv2
import numpy as np

SUBPIXEL_BITS = 4  # fractional bits of the coordinates given to OpenCV's polygon filler
SIZE = 256  # side of every drawn picture, in pixels


class Canvas:
    """A picture that shapes are painted on.

    Args:
        pixels: float32 (SIZE, SIZE, 3), RGB in [0, 1]; it is changed.
        light: (SIZE, SIZE, 3), the light on each pixel; the colours of shapes are multiplied by it.
    """

    def __init__(self, pixels: np.ndarray, light: np.ndarray):
        self.pixels, self.light = pixels, light

    def fill(self, outline, colour, opacity=1.0, softness=0.0, limit=None):
        """Paint a closed polygon.

        Args:
            outline: (n, 2) pixel coordinates.
            colour: RGB, or a picture (SIZE, SIZE, 3) that is seen through the shape.
            opacity: 0 to 1.
            softness: standard deviation of the edge in pixels.
            limit: a mask (SIZE, SIZE) in [0, 1] that the coverage is multiplied by.
        """
        window, coverage = polygon_coverage(outline, softness)
        if window is not None:
            self.blend(window, coverage * opacity if limit is None else coverage * limit[window] * opacity, colour)

    def stroke(self, line, width, colour, opacity=1.0, softness=0.0, limit=None):
        """Paint a line (n, 2) of `width` pixels, a number or one for each point; other arguments as in `fill`."""
        self.fill(ribbon(line, width), colour, opacity, softness, limit)

    def blend(self, window, coverage, colour):
        """Blend `colour` (RGB or a picture) into a window (a pair of slices) with the opacities `coverage` (h, w)."""
        region = self.pixels[window]
        colour = np.asarray(colour, dtype=np.float32)
        seen = (colour[window] if colour.ndim == 3 else colour) * self.light[window]
        region += coverage[..., None] * (seen - region)


def polygon_coverage(outline, softness=0.0):
    """Compute which share of each pixel a polygon covers.

    Args:
        outline: (n, 2) pixel coordinates.
        softness: standard deviation of the edge in pixels.

    Returns:
        A pair: the window (a pair of slices), and the coverage in it, float32 (h, w) in [0, 1]. Both are None if the
        polygon is off the canvas.
    """
    outline = np.asarray(outline)
    margin = 3.0 * softness + 2.0
    low = np.maximum(np.floor(outline.min(axis=0) - margin), 0).astype(int)
    high = np.minimum(np.ceil(outline.max(axis=0) + margin), SIZE).astype(int)
    if (high <= low).any():
        return None, None
    coverage = np.zeros((high[1] - low[1], high[0] - low[0]), dtype=np.uint8)
    points = np.round((outline - low) * (1 << SUBPIXEL_BITS)).astype(np.int32)
    cv2.fillPoly(coverage, [points], 255, cv2.LINE_AA, SUBPIXEL_BITS)
    coverage = coverage.astype(np.float32) / 255
    if softness > 0:
        coverage = cv2.GaussianBlur(coverage, (0, 0), softness, borderType=cv2.BORDER_REPLICATE)
    return (slice(low[1], high[1]), slice(low[0], high[0])), coverage


def polygon_mask(outline, softness=0.0):
    """Return the coverage of a polygon as a mask of the whole canvas, float32 (SIZE, SIZE)."""
    mask = np.zeros((SIZE, SIZE), dtype=np.float32)
    window, coverage = polygon_coverage(outline, softness)
    if window is not None:
        mask[window] = coverage
    return mask


def curve(points, closed=False, steps=6):
    """Return a Catmull-Rom curve (m, d) through control points (n, d), with `steps` points for each segment."""
    points = np.asarray(points, dtype=np.float64)
    ends = (points[-1:], points[:2]) if closed else (points[:1], points[-1:])
    padded = np.concatenate([ends[0], points, ends[1]])
    p0, p1, p2, p3 = padded[:-3], padded[1:-2], padded[2:-1], padded[3:]
    t = (np.arange(steps) / steps)[None, :, None]
    p0, p1, p2, p3 = (p[:, None, :] for p in (p0, p1, p2, p3))  # (n, 1, d)
    segments = p1 + 0.5 * t * (p2 - p0 + t * (2 * p0 - 5 * p1 + 4 * p2 - p3 + t * (3 * (p1 - p2) + p3 - p0)))
    segments = segments.reshape(-1, points.shape[1])
    return segments if closed else np.concatenate([segments, points[-1:]])


def ribbon(line, width):
    """Return the outline (2n, 2) of a line (n, 2) that is drawn with the given width or widths."""
    line = np.asarray(line, dtype=np.float64)
    along = np.gradient(line, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True) + 1e-9
    across = along[:, ::-1] * (-0.5, 0.5) * np.broadcast_to(width, len(line))[:, None]
    return np.concatenate([line + across, (line - across)[::-1]])


def ellipse(centre, radii, angle=0.0, points=24):
    """Return the outline (points, 2) of an ellipse; angle in radians."""
    phase = np.linspace(0, 2 * np.pi, points, endpoint=False)
    x, y = radii[0] * np.cos(phase), radii[1] * np.sin(phase)
    cos, sin = np.cos(angle), np.sin(angle)
    return np.stack([centre[0] + cos * x - sin * y, centre[1] + sin * x + cos * y], axis=1)


def noise(rng, cells, height=SIZE, width=SIZE):
    """Return smooth noise, float32 (height, width), about standard normal at a grid of `cells` (rows, columns)."""
    grid = rng.standard_normal(cells, dtype=np.float32)
    return cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
