"""Generated images on disk: a prepared folder with a manifest, written while they are generated."""

import hashlib
import io
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from PIL import Image, JpegImagePlugin

from common.data.manifest import COLUMNS, NAME, PREPARATION, write_manifest
from common.errors import UserError
from common.files import flush_all, read_json, sha256, write_bytes, write_json
from common.progress import ProgressBar
from common.training import distribution
from reproductions.dcgan_inception_resnet.config import Config
from reproductions.dcgan_inception_resnet.gan import generate
from reproductions.dcgan_inception_resnet.gan_training import load_generator

SOURCE = "dcgan"
BATCH = 64
SUBSAMPLING_420 = 2  # as Pillow counts

Compression = tuple[tuple[tuple[int, ...], ...], int] | None  # (quantisation tables, subsampling) of a JPEG; None: PNG


def fake_compression(reals: pd.DataFrame, match_jpeg: bool) -> tuple[Compression, ...]:
    """Return how generated images are compressed, in turn.

    Args:
        reals: the real images, with the column file.
        match_jpeg: whether as the real files are; otherwise as PNG.

    Raises:
        UserError: as `jpeg_settings`.
    """
    return tuple(jpeg_settings(reals["file"])) if match_jpeg else (None,)


def jpeg_settings(files: Iterable[str | Path]) -> list[Compression]:
    """Return how each of the files is compressed.

    Raises:
        UserError: if there is no JPEG among them, so that generated images cannot be matched to any.
    """
    compressions: list[Compression] = []
    known: dict[Compression, Compression] = {}
    for file in files:
        with Image.open(file) as image:
            setting = _setting(image) if image.format == "JPEG" else None
        compressions.append(known.setdefault(setting, setting))  # equal ones are kept once
    if not any(compressions):
        raise UserError(
            f"--match-jpeg: expected JPEG files among the real images, got {len(compressions)} others; "
            "prepare them with `python -m data_prep ... --jpeg 90`"
        )
    return compressions


def write_fakes(
    generator: keras.Model,
    folder: str | Path,
    count: int,
    seed: int,
    description: Mapping[str, str],
    settings: Sequence[Compression] = (None,),
) -> None:
    """Write images of a trained generator into a folder, with manifest.csv and prep.json; memory is constant.

    A folder that an earlier call has started is completed.

    Args:
        generator: z (B, 100) -> images (B, S, S, 3) in [-1, 1].
        folder: new, empty, or started with the same arguments.
        count: number of images.
        seed: of the noise.
        description: what the generator is, for prep.json.
        settings: the i-th image has settings[i % len(settings)].

    Raises:
        UserError: if the folder has images of another generator, seed, number or compression, or anything else.
    """
    folder = Path(folder)
    compression = hashlib.sha256(repr(list(settings)).encode()).hexdigest()[:12]
    flags = {"count": count, "seed": seed, "compression": compression}
    recipe = {"layout": "generated", "flags": flags, SOURCE: dict(description)}
    _check_or_start_folder(folder, recipe)
    if (folder / NAME).is_file():
        return
    names = [f"fake/{number:06d}.{'jpg' if settings[number % len(settings)] else 'png'}" for number in range(count)]
    missing = next((number for number, name in enumerate(names) if not (folder / name).is_file()), count)
    start = missing // BATCH * BATCH
    hashes = [sha256(folder / name) for name in names[:start]]

    def save(number: int, image: np.ndarray) -> str:
        data = _encoded(image, settings[number % len(settings)])
        write_bytes(data, folder / names[number], one_of_many=True)
        return hashlib.sha256(data).hexdigest()

    with ThreadPoolExecutor() as pool, ProgressBar("generating", count - start, "image") as bar:
        for images in generate(generator, count, seed, BATCH, start):
            hashes += pool.map(save, range(len(hashes), len(hashes) + len(images)), images)
            bar.update(len(images))
    table = pd.DataFrame({"path": names, "sha256": hashes, "label": "fake", "source": SOURCE})
    flush_all()  # the images, before the manifest says that they are there
    write_manifest(table.reindex(columns=list(COLUMNS), fill_value=""), folder)


def generate_images(config: Config, file: Path) -> None:
    """Write images of a trained generator with a manifest, and nothing else: --generate.

    Args:
        config: with generate, generate_to, seeds and the devices.
        file: the generator.
    """
    distribution.set_up(config.strategy, config.precision, config.deterministic)
    generator, description = load_generator(file), {"generator": sha256(file)}
    write_fakes(generator, config.generate_to, config.generate or 0, config.seeds[0], description)
    print(f"{config.generate} images of {file} and their manifest: {config.generate_to}")


def _check_or_start_folder(folder, recipe):
    """Write prep.json first, or check that the one in the folder is this recipe."""
    if (folder / PREPARATION).is_file():
        if read_json(folder / PREPARATION) != recipe:
            raise UserError(
                f"{folder} has images of another generator, seed, number or compression: name a new or empty folder"
            )
    elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"expected a new or empty folder for the generated images, got {folder}")
    write_json(recipe, folder / PREPARATION)


def _setting(image):
    tables = tuple(tuple(table) for _, table in sorted(image.quantization.items()))
    sampling = JpegImagePlugin.get_sampling(image)
    return tables, sampling if sampling >= 0 else SUBSAMPLING_420


def _encoded(image, setting):
    buffer = io.BytesIO()
    if setting is None:
        Image.fromarray(image).save(buffer, format="PNG")
    else:
        tables, sampling = setting
        Image.fromarray(image).save(
            buffer, format="JPEG", qtables=[list(table) for table in tables], subsampling=sampling
        )
    return buffer.getvalue()
