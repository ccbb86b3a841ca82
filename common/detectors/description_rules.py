"""The rules of models/<name>.json: a run folder may come from a stranger, and its names become names of files."""

from pathlib import Path
from typing import Any

from common.documents import (
    FINGERPRINTS,
    FLAG,
    NUMBER,
    OBJECT,
    TEXT,
    Rule,
    check_fields,
    is_file_name,
    is_number,
    is_text,
    is_whole,
    optional,
)
from common.errors import UserError

MAX_SIDE = 4096  # pixels of an input: 200 MB as float32
RESIZING = ("nearest", "bilinear", "bicubic", "area", "lanczos3", "lanczos5", "gaussian", "mitchellcubic")
FACE_DETECTORS = ("none", "haar", "mtcnn")


def check_description(document: Any, file: Path) -> dict[str, Any]:
    """Check the document in models/<name>.json.

    Args:
        document: what the file contains.
        file: its path, whose name without suffix must be the description's.

    Returns:
        The document.

    Raises:
        UserError: if a field is missing, unknown, of another type or out of range, or names a file outside models/.
    """
    check_fields(document, FIELDS, REQUIRED, file)
    check_fields(document["preprocessing"], PREPROCESSING, ("size",), file, "preprocessing.")
    faces = document.get("faces", {})
    check_fields(faces, FACES, (), file, "faces.")
    if faces.get("framing") is not None:
        check_fields(faces["framing"], FRAMING, tuple(FRAMING), file, "faces.framing.")
    if document["name"] != file.stem:
        raise UserError(f"{file}: name is {document['name']!r}, expected that of the file, {file.stem!r}")
    return document


def _file(suffix: str, empty: bool) -> Rule:
    words = f"the name of a {suffix} file in models/" if suffix else "the name of a file in models/"
    return lambda value: (empty and value == "") or is_file_name(value, suffix), words


def _is_crop_size(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(is_number(side, 1, MAX_SIDE * 16) for side in value)


NAMED: Rule = (lambda value: is_text(value) and bool(value.strip()), "a name")
SIDE: Rule = (lambda value: is_whole(value, 1, MAX_SIDE), f"whole pixels from 1 to {MAX_SIDE}")
FIELDS: dict[str, Rule] = {
    "model": NAMED, "preprocessing": OBJECT, "features": TEXT, "faces": OBJECT, "threshold": NUMBER, "proposed": FLAG,
    "head": (lambda value: value in ("probability", "margin") and is_text(value), "probability or margin"),
    "width": optional((lambda value: is_number(value, 1e-6), "a factor above 0")),
    "protocol": TEXT, "seed": optional((is_whole, "a whole number from 0")), "part": TEXT,
    "trained_on": FINGERPRINTS,
    "name": _file("", empty=False), "network": _file(".keras", empty=False), "classifier": _file(".skops", empty=True),
    "summary": _file(".npz", empty=True),
}  # fmt: skip
REQUIRED = ("model", "preprocessing", "name", "network")
PREPROCESSING: dict[str, Rule] = {
    "size": SIDE, "resize": (lambda value: is_text(value) and value in RESIZING, f"one of {', '.join(RESIZING)}"),
    "scale": NUMBER, "offset": NUMBER,
}  # fmt: skip
FACES: dict[str, Rule] = {
    "faces": optional((lambda value: is_text(value) and value in FACE_DETECTORS, ", ".join(FACE_DETECTORS))),
    "rescale": optional(SIDE), "size": optional(SIDE), "margin": optional((is_whole, "whole pixels")),
    "min_confidence": optional(NUMBER), "pick": optional(TEXT), "framing": optional(OBJECT),
    "crop_size": optional((_is_crop_size, "[height, width] in pixels")),
}  # fmt: skip
FRAMING: dict[str, Rule] = {
    "height": (lambda value: is_number(value, 1e-3, 1e3), "a share above 0"), "x": NUMBER, "y": NUMBER,
}  # fmt: skip
