"""The two persons of a face swap: their pictures, and the faces in them."""

import logging
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from common.data.decoding import Unreadable, read_image
from common.errors import UserError
from common.faces.detection import Face
from common.progress import show_progress
from data_prep.layouts.tree import image_paths
from data_prep.preparation.process import NO_FACES
from reproductions.mesoinception_svm.faceswap.faces import FaceFinder, cut_face, square_around

log = logging.getLogger("deepfake")

FEWEST = 10  # faces of a person
VALIDATION_SHARE = 0.1  # of a person's faces


@dataclass
class Person:
    """One person: the folder of the pictures, and of each picture with a face its path and the face.

    Args:
        key: `a` or `b`.
        name: the person's name in the data set.
        folder: of the pictures.
        paths: relative to it.
        boxes: the face in each.
        faces: uint8 (n, size, size, 3).
        skipped: pairs (path, reason) of the other pictures.
    """

    key: str
    name: str
    folder: Path
    paths: list[str] = field(default_factory=list)
    boxes: list[Face] = field(default_factory=list)
    faces: np.ndarray = field(default_factory=lambda: np.zeros((0, 1, 1, 3), np.uint8))
    skipped: list[tuple[str, str]] = field(default_factory=list)

    def split_faces(self, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the faces for training and, one in ten, for validation."""
        order = np.random.default_rng([seed, ord(self.key)]).permutation(len(self.faces))
        held_out = max(1, int(VALIDATION_SHARE * len(order)))
        return self.faces[order[held_out:]], self.faces[order[:held_out]]


def read_person(key: str, name: str, folder: Path, finder: FaceFinder, size: int) -> Person:
    """Find the faces in a person's pictures.

    Args:
        key: `a` or `b`.
        name: the person's name in the data set.
        folder: of the pictures, at any depth.
        finder: finds the face in a picture.
        size: of the faces, in pixels.

    Returns:
        The person; pictures that cannot be read or have no face are skipped, and named.

    Raises:
        UserError: if fewer than FEWEST faces are found.
    """
    person, faces, paths = Person(key, name, folder), [], image_paths(folder)
    for path in show_progress(paths, f"faces of {name}", len(paths), "picture"):
        try:
            picture = read_image(folder / path)
        except Unreadable as error:
            person.skipped.append((path, str(error)))
            continue
        box = finder.find(picture)
        if box is None:
            person.skipped.append((path, NO_FACES[0]))
            continue
        person.paths.append(path)
        person.boxes.append(box)
        faces.append(cut_face(picture, square_around(box, finder.enlargement), size))
    if len(faces) < FEWEST:
        raise UserError(
            f"{folder}: found {len(faces)} faces in {len(faces) + len(person.skipped)} pictures, expected at least "
            f"{FEWEST}: give more pictures, or another --faces"
        )
    person.faces = np.stack(faces)
    log.info("%s: %d faces, %d pictures skipped", name, len(faces), len(person.skipped))
    return person
