"""Painting soft-edged shapes into small windows of a picture: the whole canvas is never touched for one shape."""

import cv2
import numpy as np

SUBPIXEL = 4  # bits of sub-pixel position that OpenCV's polygon filler takes
SIZE = 256  # side of every drawn picture, in pixels


class Canvas:
    """A picture that shapes are painted on.

    pixels: float32 (SIZE, SIZE, 3), RGB in [0, 1]; light: (SIZE, SIZE, 3), what falls on each place: the colours of
    shapes are multiplied by it.
    """

    def __init__(self, pixels, light):
        self.pixels, self.light = pixels, light

    def fill(self, outline, colour, opacity=1.0, softness=0.0, within=None):
        """Paint a closed polygon.

        outline: (n, 2) pixel coordinates; colour: RGB, or a picture (SIZE, SIZE, 3) seen through the shape;
        softness: standard deviation of the edge in pixels; within: a mask (SIZE, SIZE) in [0, 1] that limits it.
        """
        window, cover = cover_of(outline, softness)
        if window is not None:
            self.blend(window, cover * opacity if within is None else cover * within[window] * opacity, colour)

    def stroke(self, line, width, colour, opacity=1.0, softness=0.0, within=None):
        """Paint a line of `width` pixels (a number, or one for each point) along (n, 2) pixel coordinates."""
        self.fill(ribbon(line, width), colour, opacity, softness, within)

    def blend(self, window, cover, colour):
        """Lay `colour` (RGB or picture) over a window (pair of slices) with the opacities `cover` (h, w)."""
        region = self.pixels[window]
        colour = np.asarray(colour, dtype=np.float32)
        seen = (colour[window] if colour.ndim == 3 else colour) * self.light[window]
        region += cover[..., None] * (seen - region)


def cover_of(outline, softness=0.0):
    """How much of each pixel a polygon covers: (window, float32 (h, w) in [0, 1]); window is None off the canvas."""
    outline = np.asarray(outline)
    margin = 3.0 * softness + 2.0
    low = np.maximum(np.floor(outline.min(axis=0) - margin), 0).astype(int)
    high = np.minimum(np.ceil(outline.max(axis=0) + margin), SIZE).astype(int)
    if (high <= low).any():
        return None, None
    cover = np.zeros((high[1] - low[1], high[0] - low[0]), dtype=np.uint8)
    points = np.round((outline - low) * (1 << SUBPIXEL)).astype(np.int32)
    cv2.fillPoly(cover, [points], 255, cv2.LINE_AA, SUBPIXEL)
    cover = cover.astype(np.float32) / 255
    if softness > 0:
        cover = cv2.GaussianBlur(cover, (0, 0), softness, borderType=cv2.BORDER_REPLICATE)
    return (slice(low[1], high[1]), slice(low[0], high[0])), cover


def mask_of(outline, softness=0.0):
    """The cover of a polygon as a mask of the whole canvas, float32 (SIZE, SIZE)."""
    mask = np.zeros((SIZE, SIZE), dtype=np.float32)
    window, cover = cover_of(outline, softness)
    if window is not None:
        mask[window] = cover
    return mask


def curve(points, closed=False, steps=6):
    """A Catmull-Rom curve through control points (n, d): `steps` points for each piece, (m, d)."""
    points = np.asarray(points, dtype=np.float64)
    ends = (points[-1:], points[:2]) if closed else (points[:1], points[-1:])
    padded = np.concatenate([ends[0], points, ends[1]])
    p0, p1, p2, p3 = padded[:-3], padded[1:-2], padded[2:-1], padded[3:]
    t = (np.arange(steps) / steps)[None, :, None]
    p0, p1, p2, p3 = (p[:, None, :] for p in (p0, p1, p2, p3))
    pieces = p1 + 0.5 * t * (p2 - p0 + t * (2 * p0 - 5 * p1 + 4 * p2 - p3 + t * (3 * (p1 - p2) + p3 - p0)))
    pieces = pieces.reshape(-1, points.shape[1])
    return pieces if closed else np.concatenate([pieces, points[-1:]])


def ribbon(line, width):
    """The outline (2n, 2) of a line (n, 2) drawn with the given width or widths."""
    line = np.asarray(line, dtype=np.float64)
    along = np.gradient(line, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True) + 1e-9
    across = along[:, ::-1] * (-0.5, 0.5) * np.broadcast_to(width, len(line))[:, None]
    return np.concatenate([line + across, (line - across)[::-1]])


def ellipse(centre, radii, angle=0.0, points=24):
    """An ellipse's outline (points, 2); angle in radians."""
    turn = np.linspace(0, 2 * np.pi, points, endpoint=False)
    x, y = radii[0] * np.cos(turn), radii[1] * np.sin(turn)
    cos, sin = np.cos(angle), np.sin(angle)
    return np.stack([centre[0] + cos * x - sin * y, centre[1] + sin * x + cos * y], axis=1)


def noise(rng, cells, height=SIZE, width=SIZE):
    """Smooth noise, float32 (height, width), about standard normal at its `cells` (rows, columns) grid points."""
    grid = rng.standard_normal(cells, dtype=np.float32)
    return cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
