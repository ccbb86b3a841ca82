"""Figure 1 of the paper: faces of two persons, reconstructed by their own decoder and decoded by the other's."""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import keras
import numpy as np

from common.evaluation.figures import new_figure, save_figure
from reproductions.mesoinception_svm.faceswap.dataset import swapped_pictures
from reproductions.mesoinception_svm.faceswap.network import decode_as
from reproductions.mesoinception_svm.faceswap.persons import Person

COLUMNS = 8


def swap_figure(network: keras.Model, persons: Sequence[Person], enlargement: float, path: Path) -> Path:
    """Draw Figure 1: for each person a row of faces, of both decoders' faces, and of the pictures with the swap.

    Args:
        network: of both autoencoders.
        persons: A and B.
        enlargement: side of a face's square, in sides of its box.
        path: of the PNG.
    """
    rows = []
    for person, other in (persons, persons[::-1]):
        faces, a, b = person.faces[:COLUMNS], person.key.upper(), other.key.upper()
        rows.append((f"{a}: {person.name}", faces))
        rows.append((f"{a}, decoder {a}", decode_as(network, person.key, faces)))
        rows.append((f"{a}, decoder {b}", decode_as(network, other.key, faces)))
        swapped = islice(swapped_pictures(network, person, other.key, enlargement), len(faces))
        rows.append((f"{a}'s picture,\nface of {b}", [picture for *_, picture in swapped]))
    title = f"Figure 1: {persons[0].name} (A) and {persons[1].name} (B), one encoder, two decoders"
    figure, axes = new_figure(len(rows), COLUMNS, 1.1, 1.1, title)
    for (name, images), line in zip(rows, axes, strict=True):
        for axis in line:
            axis.set_axis_off()
        for axis, image in zip(line, images, strict=False):
            axis.imshow(np.clip(np.round(image), 0, 255).astype(np.uint8))
        line[0].text(-0.12, 0.5, name, transform=line[0].transAxes, ha="right", va="center", fontsize=8)
    return save_figure(figure, path)
