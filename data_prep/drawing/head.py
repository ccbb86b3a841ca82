"""A head in space: the projection of its points to pixels, and the light on its skin."""

import cv2
import numpy as np

from data_prep.drawing.canvas import SIZE

TEXTURE_SCALE = 54  # scale in pixels of the head that textures are drawn for
SHADING_STEP = 2  # shading is smooth, so it is computed on every second pixel
GRID = np.stack(
    np.meshgrid(*[np.arange(0, SIZE, SHADING_STEP, dtype=np.float32) + 0.5] * 2), axis=-1
)  # (128, 128, 2) x, y


class Head:
    """The head of a Person in a Pose."""

    def __init__(self, person, pose):
        self.person, self.pose = person, pose
        cos, sin = np.cos(pose.roll), np.sin(pose.roll)
        self.turn = np.array([[cos, sin], [-sin, cos]]) * pose.scale  # row vectors: half face widths to pixels

    def to_pixels(self, points, raised=0.0):
        """Project points of the head.

        Args:
            points: (n, 2) points x, y on the surface of the face, or (n, 3) points x, y, z, in half face widths.
            raised: height above the surface; for (n, 2) points only.

        Returns:
            Pixels (n, 2).
        """
        points = np.asarray(points, dtype=np.float64)
        x, y = points[:, 0], points[:, 1]
        z = points[:, 2] if points.shape[1] == 3 else surface(x, y) + raised
        sin, cos = np.sin(self.pose.yaw), np.cos(self.pose.yaw)
        across, deep = x * cos + z * sin, z * cos - x * sin
        sin, cos = np.sin(self.pose.pitch), np.cos(self.pose.pitch)
        return self.pose.centre + np.stack([across, y * cos + deep * sin], axis=1) @ self.turn

    def warp_texture(self, texture):
        """Rotate, scale and shift a texture (SIZE, SIZE) or (SIZE, SIZE, c) so that it moves with the head."""
        linear = self.turn.T / TEXTURE_SCALE
        matrix = np.column_stack([linear, self.pose.centre - linear @ (SIZE / 2, SIZE / 2)])
        return cv2.warpAffine(texture, matrix, (SIZE, SIZE), borderMode=cv2.BORDER_REFLECT)

    def coordinates(self, grid):
        """Convert pixels (..., 2) to half face widths along the axes of the head; yaw and pitch are not undone."""
        return ((grid - self.pose.centre) @ np.linalg.inv(self.turn)).astype(np.float32)

    def face_outline(self):
        """Return control points (n, 3) of the face: down one side to the chin, up the other, over the skull."""
        p = self.person
        side = np.array(
            [
                (0.55, -1.32, -0.1),
                (0.86, -0.92, -0.05),
                (0.96, -0.42, 0.0),
                (1.0 * p.cheeks, 0.12, 0.0),
                (0.95 * p.cheeks, 0.62, 0.05),
                (0.80 * p.jaw, 1.05, 0.18),
                (0.52 * p.jaw, p.chin - 0.22, 0.4),
                (0.22 * p.jaw, p.chin - 0.02, 0.55),
            ]
        )
        return np.concatenate([[(0, -1.45, -0.1)], side, [(0, p.chin + 0.02, 0.6)], side[::-1] * (-1, 1, 1)])

    def shade(self, light):
        """Compute the light on the skin.

        Args:
            light: unit vector to the lamp (x, y, z).

        Returns:
            A pair (diffuse, gloss), float32 (SIZE, SIZE) each.
        """
        points = self.coordinates(GRID)  # (128, 128, 2)
        axis = self.coordinates(self.to_pixels([(0.0, 0.1, 0.0)]))[0]
        x, y = (points[..., 0] - axis[0]) / 1.12, (points[..., 1] - axis[1]) / 1.75
        height = 0.95 * np.sqrt(np.clip(1 - x * x - y * y, 0.02, None))
        for cx, cy, width, tall, size in self._relief():
            pixel = self.to_pixels([(cx, cy)], raised=0.1)[0]
            _bump(height, points, pixel, self.coordinates(pixel), (width, tall), size)
        scale = self.pose.scale / SHADING_STEP
        slope_x = cv2.Sobel(height, cv2.CV_32F, 1, 0, scale=scale / 8)
        slope_y = cv2.Sobel(height, cv2.CV_32F, 0, 1, scale=scale / 8)
        length = np.sqrt(slope_x**2 + slope_y**2 + 1)
        facing = (-slope_x * light[0] - slope_y * light[1] + light[2]) / length
        halfway = np.asarray(light) + (0, 0, 1)
        halfway = halfway / np.linalg.norm(halfway)
        mirror = (-slope_x * halfway[0] - slope_y * halfway[1] + halfway[2]) / length
        diffuse = np.clip(0.25 + 0.75 * facing, 0, None)  # skin scatters light around edges
        gloss = np.clip(mirror, 0, None) ** 18
        return tuple(cv2.resize(m, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR) for m in (diffuse, gloss))

    def _relief(self):
        """Return the bumps of the face: x, y, half width, half height, height; a hollow has a negative height."""
        p = self.person
        nose, width, smile = p.nose_length, p.nose_width, self.pose.smile
        middle = [
            (0, nose * 0.45, 0.11, 0.30, 0.12 * p.nose_bridge),
            (0, nose - 0.06, 0.125, 0.12, 0.17),
            (0, nose + 0.2, 0.04, 0.08, -0.025),
            (0, 1.03, p.mouth_width * 0.75, 0.12, 0.05),
            (0, 1.30, 0.22, 0.06, -0.045),
            (0, p.chin - 0.16, 0.2, 0.13, 0.07),
            (0, -0.62, 0.5, 0.25, 0.05),
        ]
        pairs = [
            (width * 0.78, nose - 0.01, 0.065, 0.07, 0.075),
            (p.eye_gap, -p.brow_height + 0.03, 0.26, 0.09, 0.05),
            (p.eye_gap - 0.04, 0.0, 0.24, 0.14, -0.10),
            (p.eye_gap, 0.0, 0.15, 0.09, 0.055),
            (0.56, 0.46, 0.22, 0.19, 0.06 + 0.05 * smile),
            (0.72, 0.85, 0.16, 0.22, -0.03),
            (p.eye_gap - 0.07, 0.2, 0.16, 0.05, -0.018 - 0.02 * p.age),
        ]
        return middle + pairs + [(-x, *rest) for x, *rest in pairs]


def surface(x, y):
    """Return the height z of the face over (x, y): an ellipsoid; the nose is part of the relief."""
    return 0.95 * np.sqrt(np.clip(1 - (x / 1.12) ** 2 - ((y - 0.1) / 1.75) ** 2, 0, None))


def _bump(height, points, pixel, centre, radii, size):
    """Add a Gaussian hill to `height`, in the window of three radii around its top at `pixel`."""
    reach = int(3 * max(radii) / np.hypot(*(points[0, 1] - points[0, 0]))) + 1
    column, row = (pixel / SHADING_STEP).astype(int)
    window = (
        slice(max(row - reach, 0), max(row + reach + 1, 0)),
        slice(max(column - reach, 0), max(column + reach + 1, 0)),
    )
    x = (points[window][..., 0] - centre[0]) / radii[0]
    y = (points[window][..., 1] - centre[1]) / radii[1]
    height[window] += size * np.exp(-0.5 * (x * x + y * y))
