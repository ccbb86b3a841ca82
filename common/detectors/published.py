"""Detectors whose authors publish the weights: they score pictures without any run."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import keras

from common.data.pipeline import Preprocessing
from common.detectors.description import Description
from common.detectors.store import Detector
from common.errors import UserError
from common.faces.cropping import MESONET
from common.files import cache_folder
from common.networks import mesonet
from common.networks.weights import MESONET_FILES, download
from common.training.initial_weights import load_initial_weights

PUBLISHED = "published"
BUILDERS: dict[str, Callable[[], keras.Model]] = {"meso4": mesonet.meso4, "mesoinception4": mesonet.mesoinception4}
FACES = {"faces": "none", "framing": asdict(MESONET), "crop_size": [256, 256]}  # MesoNet's set: crops of many sizes


def read_weights(word: str) -> tuple[str, Path | None]:
    """Read `NAME=FILE` or `NAME=published`.

    Args:
        word: the value of --weights.

    Returns:
        (name, file); None as file stands for the published one.

    Raises:
        UserError: if the name is unknown or there is no such file.
    """
    name, _, file = word.partition("=")
    if name not in BUILDERS or not file:
        raise UserError(
            f"--weights: expected NAME=FILE or NAME={PUBLISHED} with NAME one of {', '.join(BUILDERS)}; got {word!r}"
        )
    if file == PUBLISHED:
        return name, None
    if not Path(file).expanduser().is_file():
        raise UserError(f"--weights {word}: no such file; {name}={PUBLISHED} downloads {MESONET_FILES[name].url}")
    return name, Path(file).expanduser()


def load_published(name: str, file: Path | None) -> Detector:
    """Build a detector from a weight file.

    Args:
        name: a key of BUILDERS.
        file: MesoNet's .h5, or a .keras or .weights.h5 file of this suite; None: the published file, which is
            downloaded once into the cache folder.

    Returns:
        The detector: MesoNet's code has pixels in [0, 1], resized to 256 x 256 by nearest neighbour.

    Raises:
        WeightsUnavailable: if the published file is not in the cache and cannot be downloaded.
        UserError: if the file is not of this network.
    """
    if file is None:
        published, folder = MESONET_FILES[name], cache_folder() / "weights"
        remedy = f"put it as {published.name} into {folder}, or name it with --weights {name}=FILE"
        file = download(published, f"weights of {name}", remedy, folder)
    network = BUILDERS[name]()
    network.name = name
    load_initial_weights(network, file, f"--weights {name}", mesonet.load_legacy_weights)
    preprocessing = Preprocessing(256, resize="nearest")
    return Detector(Description(name, asdict(preprocessing), faces=FACES, name=name), network)
