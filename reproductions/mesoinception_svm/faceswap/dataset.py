"""The prepared data set of a face swap: the pictures of both persons as real, each with the other's face as fake."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd

from common.data.decoding import read_image
from common.data.manifest import COLUMNS, PREPARATION, manifest_bytes, write_manifest
from common.faces.detection import Face, crop
from common.files import flush_all, read_json, write_bytes, write_csv, write_json
from common.progress import show_progress
from data_prep.drawing.canvas import SIZE
from data_prep.drawing.trees import VERSION
from data_prep.preparation.crops import encode
from data_prep.preparation.output_files import SKIPPED, count_reasons
from data_prep.preparation.recipe import Recipe
from data_prep.prepare import SYNTHETIC
from reproductions.mesoinception_svm.faceswap.config import FaceSwapOptions
from reproductions.mesoinception_svm.faceswap.faces import paste_face, square_around
from reproductions.mesoinception_svm.faceswap.network import decode_as
from reproductions.mesoinception_svm.faceswap.persons import Person

FAMILY = "autoencoder"  # the source of the fakes
CHUNK = 64  # faces that are decoded together


def write_dataset(
    network: keras.Model, persons: Sequence[Person], options: FaceSwapOptions, enlargement: float
) -> pd.DataFrame:
    """Write DST as data_prep does: images, skipped.csv, prep.json and, last, manifest.csv.

    A fake has the identity `target;source`: the person of the picture, and the person whose face it shows. Its original
    is the video of the real picture, a clip of its own unless the picture is in a sub-folder, the frames of a clip.

    Args:
        network: of both autoencoders.
        persons: A and B.
        options: the flags.
        enlargement: side of a face's square, in sides of its box.

    Returns:
        The manifest.
    """
    rows = []
    for target, source in (persons, persons[::-1]):
        pictures = swapped_pictures(network, target, source.key, enlargement)
        shown = show_progress(pictures, f"swapping {target.name}", len(target.paths), "picture")
        for path, box, real, fake in shown:
            stem, video = path.rpartition(".")[0], _video(path)
            for label, picture, folder in (
                ("real", real, target.name),
                ("fake", fake, f"{target.name}-as-{source.name}"),
            ):
                original = f"{target.name}/{video}" if label == "fake" else ""
                name = f"{label}/{folder}/{stem}" + (".png" if options.jpeg is None else ".jpg")
                rows.append(
                    dict.fromkeys(COLUMNS, "")
                    | {
                        "path": name,
                        "label": label,
                        "source": FAMILY if label == "fake" else target.name,
                        "video": f"{folder}/{video}",
                        "identity": f"{target.name};{source.name}" if label == "fake" else target.name,
                        "original": original,
                        "sha256": _write(picture, box, options, name),
                    }
                )
    manifest = pd.DataFrame(rows, columns=list(COLUMNS))
    skipped = pd.DataFrame(
        [(f"{person.name}/{path}", reason) for person in persons for path, reason in person.skipped],
        columns=["path", "reason"],
        dtype=str,
    )
    write_csv(skipped, options.dst / SKIPPED)
    write_json(_description(persons, options, manifest, skipped), options.dst / PREPARATION)
    flush_all()  # the images, before the manifest says that they are there
    write_manifest(manifest, options.dst)
    return manifest


def swapped_pictures(
    network: keras.Model, target: Person, source: str, enlargement: float
) -> Iterator[tuple[str, Face, np.ndarray, np.ndarray]]:
    """Yield (path, face, picture, picture with the face of `source`) of each picture of a person."""
    for start in range(0, len(target.paths), CHUNK):
        part = slice(start, start + CHUNK)
        decoded = decode_as(network, source, target.faces[part])
        for path, box, face in zip(target.paths[part], target.boxes[part], decoded, strict=True):
            picture = read_image(target.folder / path)
            yield path, box, picture, paste_face(picture, square_around(box, enlargement), face)


def _write(picture: np.ndarray, box: Face, options: FaceSwapOptions, name: str) -> str:
    """Write a picture, or its face with --crop; return the file's SHA-256."""
    data = encode(picture if options.crop is None else crop(picture, box, options.crop), options.jpeg)
    write_bytes(data, options.dst / name, one_of_many=True)
    return hashlib.sha256(data).hexdigest()


def _video(path: str) -> str:
    """Return the clip of a picture: its sub-folder, or the picture itself."""
    return path.rpartition("/")[0] or path.rpartition(".")[0]


def _description(persons, options, manifest, skipped) -> dict[str, Any]:
    crops = options.crop is not None
    recipe = Recipe(faces=options.faces if crops else "none", size=options.crop, jpeg=options.jpeg)
    facts = {
        "layout": "faceswap",
        "source_folder": ", ".join(person.folder.name for person in persons),
        "flags": {**recipe.flags(videos=False), "source": None},
        "detector": None,
        "faceswap": options.settings(),
        "counts": manifest["label"].value_counts().to_dict(),
        "skipped": count_reasons(skipped),
        "found": [],
        "manifest_sha256": hashlib.sha256(manifest_bytes(manifest)).hexdigest(),
    }
    drawn = [person for person in persons if _is_drawn(person.folder)]
    if drawn:
        facts["synthetic"] = {
            "family": FAMILY, "count": len(manifest) // 2, "frames": 1, "seed": options.seed, "size": SIZE,
            "version": VERSION,
        }  # fmt: skip
    return facts


def _is_drawn(folder: Path) -> bool:
    prepared = folder / PREPARATION
    return (folder / SYNTHETIC).is_file() or (prepared.is_file() and "synthetic" in read_json(prepared))
