"""MTCNN (Zhang et al. 2016, 10.1109/LSP.2016.2603342): weights and arithmetic of the package mtcnn, compiled.

P-Net proposes boxes on every level of an image pyramid; R-Net and O-Net refine crops of the full frame. The package
does it op by op, on 64-bit copies of the frame, and treats any failure of TensorFlow as `no faces`.
"""

from typing import Literal

import numpy as np
import tensorflow as tf
from mtcnn import MTCNN

SMALLEST_FACE = 20  # pixels of the full frame; this and the next three are the package's defaults
PYRAMID_STEP = 0.709
WINDOW, STRIDE = 12, 2  # P-Net looks at 12x12 pixels, every second one
LARGEST_LEVEL = 4_000_000  # pixels: P-Net needs about 150 bytes for each


class Cascade:
    """The three networks on the CPU. Rows of boxes are x1, y1, x2, y2 in pixels of the full frame, and confidence.

    Attributes:
        proposal_network: P-Net, compiled.
        refinement_network: R-Net, compiled.
        output_network: O-Net, compiled.
    """

    def __init__(self) -> None:
        proposal, refinement, output = (stage.model for stage in MTCNN(device="CPU:0").stages)
        self.proposal_network = _compiled_proposals(proposal, threshold=0.6)
        self.refinement_network = _compiled_crops(lambda crops: refinement(crops), size=24)
        self.output_network = _compiled_crops(lambda crops: output(crops)[::2], size=48)  # without landmarks

    def boxes(self, frames: np.ndarray) -> list[np.ndarray]:
        """Find the faces of frames.

        Faces under 20 pixels are not found. In frames above 11 megapixels the finest levels of the pyramid, which would
        need gigabytes, are left out: the smallest face is then 20 * sqrt(megapixels / 11) pixels, or one step larger.

        Args:
            frames: uint8 RGB (B, height, width, 3).

        Returns:
            float64 (faces, 5) for each frame, the most confident face first.
        """
        with tf.device("CPU:0"):
            frames = tf.constant(frames)
            proposals = self._proposals(frames)
            refined = self._refine(self.refinement_network, frames, proposals, threshold=0.7)
            refined = [square_boxes(non_max_suppression(boxes, 0.7)) for boxes in refined]
            final = self._refine(self.output_network, frames, refined, threshold=0.8)
        return [non_max_suppression(boxes, 0.7, relative_to="smaller") for boxes in final]

    def _proposals(self, frames):
        count, height, width, _ = frames.shape
        scales = pyramid_scales(height, width)
        if not scales:
            return [np.empty((0, 5))] * count
        sizes = np.int32([(height * scale, width * scale) for scale in scales])
        found = self.proposal_network(frames, np.repeat(np.arange(count), len(sizes)), np.tile(sizes, (count, 1)))
        levels = iter(np.split(found.values.numpy().astype(np.float64), found.row_splits.numpy()[1:-1]))
        proposals = []
        for _ in range(count):
            boxes = [non_max_suppression(boxes_from_windows(next(levels), scale), 0.5) for scale in scales]
            proposals.append(square_boxes(non_max_suppression(np.concatenate(boxes), 0.7)))
        return proposals

    def _refine(self, network, frames, proposals, threshold):
        """Let a network move and score the boxes of all frames; return those above the threshold, frame by frame."""
        counts = [len(boxes) for boxes in proposals]
        boxes = np.concatenate(proposals)
        if len(boxes) == 0:
            return proposals
        _, height, width, _ = frames.shape
        relative = boxes[:, [1, 0, 3, 2]] / [height, width, height, width]
        offsets, scores = network(frames, np.float32(relative), np.repeat(np.arange(len(counts)), counts))
        size = boxes[:, 2:4] - boxes[:, :2] + 1
        corners = boxes[:, :4] + offsets.numpy() * np.hstack([size, size])
        rows = np.column_stack([corners, scores.numpy()[:, 1]])
        return [boxes[boxes[:, 4] > threshold] for boxes in np.split(rows, np.cumsum(counts)[:-1])]


def pyramid_scales(height: int, width: int) -> list[float]:
    """Return the scales of the pyramid's levels, from the finest.

    A face of 20 pixels fills P-Net's window on the first level, the frame fills it on the last. The package counts its
    levels without regard to the smallest face: at 20 pixels it may leave out the last; at other sizes its last is
    smaller than the window, a failure that it treats as `no faces`.

    Args:
        height: of the frame, in pixels.
        width: likewise.

    Returns:
        Scales below 1; empty if the frame is smaller than 20 pixels.
    """
    scales, scale = [], WINDOW / SMALLEST_FACE
    while int(min(height, width) * scale) >= WINDOW:
        if height * width * scale**2 <= LARGEST_LEVEL:
            scales.append(scale)
        scale *= PYRAMID_STEP
    return scales


def boxes_from_windows(rows: np.ndarray, scale: float) -> np.ndarray:
    """Turn the windows that P-Net accepts on one level into boxes in the frame.

    Args:
        rows: (N, 7): row and column in P-Net's map, four offsets in windows, confidence.
        scale: of the level.

    Returns:
        (N, 5): x1, y1, x2, y2, confidence.
    """
    corner = STRIDE * rows[:, 1::-1] + 1  # (N, 2) x, y
    corners = np.hstack([corner, corner + WINDOW - 1]) + rows[:, 2:6] * (WINDOW - 1)
    return np.hstack([corners / scale, rows[:, 6:]])


def non_max_suppression(
    boxes: np.ndarray, threshold: float, relative_to: Literal["union", "smaller"] = "union"
) -> np.ndarray:
    """Leave out each box that overlaps a more confident one by more than the threshold.

    As in the package, a box suppresses others even if it is suppressed itself: stricter than greedy suppression.

    Args:
        boxes: (N, 5): x1, y1, x2, y2, confidence.
        threshold: the largest overlap that is kept, in [0, 1].
        relative_to: the overlap is a share of the union of both boxes, or of the smaller box.

    Returns:
        The remaining rows, the most confident first.
    """
    boxes = boxes[np.argsort(boxes[:, 4])[::-1]]  # equal confidences are common: keep the package's order
    suppressed = np.zeros(len(boxes), dtype=bool)
    for start in range(0, len(boxes), 512):  # blocks: all pairs of thousands of proposals would not fit in memory
        overlap = _overlap(boxes[start : start + 512], boxes, threshold, relative_to)
        suppressed |= np.triu(overlap, k=start + 1).any(axis=0)
    return boxes[~suppressed]


def square_boxes(boxes: np.ndarray) -> np.ndarray:
    """Grow each box (N, 5) to a square about its centre."""
    size = boxes[:, 2:4] - boxes[:, :2]
    side = size.max(axis=1, keepdims=True)
    corner = boxes[:, :2] + size / 2 - side / 2
    return np.hstack([corner, corner + side, boxes[:, 4:]])


def _overlap(first, second, threshold, relative_to):
    """(M, N): whether rows (M, 5) and (N, 5) share more than the threshold of their union, or of the smaller one."""
    x1, y1, x2, y2, _ = first.T[:, :, np.newaxis]  # (M, 1) each
    u1, v1, u2, v2, _ = second.T
    width = np.minimum(x2, u2) - np.maximum(x1, u1)
    height = np.minimum(y2, v2) - np.maximum(y1, v1)
    common = width.clip(0) * height.clip(0)
    area, other = (x2 - x1) * (y2 - y1), (u2 - u1) * (v2 - v1)
    return common > threshold * (np.minimum(area, other) if relative_to == "smaller" else area + other - common)


def _normalized(pixels):
    return (pixels - 127.5) / 128


def _compiled_proposals(network, threshold):
    """A function of frames and levels, by index and size -> ragged (levels, N, 7), rows for `boxes_from_windows`."""
    frames, sizes = tf.TensorSpec((None, None, None, 3), tf.uint8), tf.TensorSpec((None, 2), tf.int32)
    row_type = tf.RaggedTensorSpec((None, 7), tf.float32, ragged_rank=0)

    # without a signature every new size would be traced, which takes half a second
    @tf.function(input_signature=[frames, tf.TensorSpec((None,), tf.int32), sizes])
    def propose(frames, indices, sizes):
        def rows(level):
            index, size = level
            pixels = tf.image.resize(frames[index, tf.newaxis], size, method="area")
            offsets, scores = network(_normalized(pixels))
            cells = tf.where(scores[0, :, :, 1] > threshold)
            columns = tf.cast(cells, tf.float32), tf.gather_nd(offsets[0], cells), tf.gather_nd(scores[0], cells)[:, 1:]
            return tf.concat(columns, axis=1)

        return tf.map_fn(rows, (indices, sizes), fn_output_signature=row_type)  # levels in parallel

    return propose


def _compiled_crops(network, size):
    """A function of frames, relative boxes (N, 4: y1, x1, y2, x2) and their frames: the network on crops."""
    frames, boxes = tf.TensorSpec((None, None, None, 3), tf.uint8), tf.TensorSpec((None, 4), tf.float32)

    @tf.function(input_signature=[frames, boxes, tf.TensorSpec((None,), tf.int32)])
    def run_network(frames, boxes, indices):
        # 127.5 outside of the frame, which the networks see as 0
        return network(_normalized(tf.image.crop_and_resize(frames, boxes, indices, (size, size), "bilinear", 127.5)))

    return run_network
