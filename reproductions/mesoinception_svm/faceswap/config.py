"""The flags of the face swap, and the folder that it writes."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from common.data.manifest import NAME
from common.errors import UserError
from common.files import read_json
from common.runs.options import as_flag
from common.runs.rules import Above, AtLeast, AtMost
from data_prep.drawing.portraits import cached_portraits

DRAWN = "person:"  # how a word begins that names a drawn person
PICTURES = 200  # of a drawn person
STATE, SETTINGS = ".faceswap", "settings.json"  # folder of DST that only the command uses; the flags, in it


@dataclass(frozen=True, kw_only=True)
class FaceSwapOptions:
    """`python -m reproductions.mesoinception_svm.faceswap`. The paper describes the method and gives no numbers."""

    a: tyro.conf.Positional[str]
    """Pictures of one person: a folder, or person:SEED[:COUNT] for a drawn one, e.g. person:3:200."""
    b: tyro.conf.Positional[str]
    """Pictures of another person, likewise."""
    dst: tyro.conf.Positional[Path]
    """New folder for the data set: the pictures of both as real, each with the face of the other as fake."""
    faces: Literal["none", "haar", "mtcnn"] = "haar"
    """How faces are found; none: every picture is a face."""
    crop: Annotated[int | None, AtLeast(1)] = None
    """Write the faces at this size in pixels, as data_prep crops them; none: whole pictures."""
    jpeg: Annotated[int | None, AtLeast(1), AtMost(100)] = 95
    """Quality of all pictures, real and fake."""
    size: Annotated[int, AtLeast(16)] = 64
    """Height and width of the faces that the autoencoders see, a multiple of 16. We chose."""
    epochs: Annotated[int, AtLeast(1)] = 24
    """Epochs of --steps batches; the one with the smallest error on held-out faces is kept. We chose."""
    steps: Annotated[int, AtLeast(1)] = 100
    """Batches in an epoch. We chose."""
    batch_size: Annotated[int, AtLeast(1)] = 8
    """Faces of each person in a batch. We chose."""
    learning_rate: Annotated[float, Above(0)] = 1e-3
    """Of Adam with beta_1 = 0.5. We chose."""
    seed: Annotated[int, AtLeast(0)] = 0
    """Of initial weights, distortions and held-out faces."""
    debug: bool = False
    """Show the traceback of an error."""

    def settings(self) -> dict[str, Any]:
        """Return what decides the content of the data set, in JSON's types."""
        values = asdict(self)
        return {name: value for name, value in values.items() if name not in ("dst", "debug")}


def resolve_source(word: str) -> tuple[Path, str]:
    """Return the folder of a person's pictures, drawn if it has to be, and the person's name.

    Raises:
        UserError: if there is no such folder, or a drawn person is not named as expected.
    """
    if not word.startswith(DRAWN):
        folder = Path(word).expanduser()
        if not folder.is_dir():
            raise UserError(f"expected a folder of pictures or {DRAWN}SEED[:COUNT], got {word!r}: no such folder")
        return folder.resolve(), folder.resolve().name
    seed, _, count = word.removeprefix(DRAWN).partition(":")
    if not seed.isdecimal() or not (count or str(PICTURES)).isdecimal():
        raise UserError(f"expected {DRAWN}SEED[:COUNT], e.g. {DRAWN}3:{PICTURES}, got {word!r}")
    return cached_portraits(int(seed), int(count or PICTURES)), f"person-{seed}"


def is_complete(options: FaceSwapOptions, sources: tuple[Path, ...]) -> bool:
    """Return whether DST was written by the same command before.

    Args:
        options: the flags.
        sources: the folders of both persons.

    Raises:
        UserError: if DST holds other files, is inside of a person's folder or around it, or was started with other
            flags.
    """
    dst, settings = options.dst.resolve(), options.dst / STATE / SETTINGS
    for source in sources:
        if dst.is_relative_to(source) or source.is_relative_to(dst):
            raise UserError(f"expected DST outside of {source}, got {dst}")
    if settings.is_file():
        before = read_json(settings)
        changed = [name for name, value in options.settings().items() if before.get(name) != value]
        if changed:
            names = ", ".join(as_flag(name, before.get(name)) for name in changed)
            raise UserError(f"{options.dst} was started with {names}: give the same, or another DST")
        return (dst / NAME).is_file()
    if dst.exists() and (not dst.is_dir() or {path.name for path in dst.iterdir()} - {STATE}):
        raise UserError(f"expected a new or empty folder as DST, got {options.dst}")
    return False
