"""Generated images on disk: a prepared folder with a manifest, written while they are generated."""

import hashlib
import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
from PIL import Image, JpegImagePlugin
from tqdm import tqdm

from common.data.manifest import COLUMNS, NAME, PREPARATION, write_manifest
from common.errors import UserError
from common.files import read_json, sha256, write_bytes, write_json
from reproductions.dcgan_inception_resnet.gan import generate

SOURCE = "dcgan"
BATCH = 64
SUBSAMPLING_420 = 2  # as Pillow counts


def jpeg_settings(files):
    """How each of the files is compressed: (quantisation tables, subsampling) of a JPEG, None of anything else.

    UserError where there is no JPEG among them, and so nothing that generated images could be matched to.
    """
    found, settings = [], {}
    for file in files:
        with Image.open(file) as image:
            setting = _setting(image) if image.format == "JPEG" else None
        found.append(settings.setdefault(setting, setting))  # equal ones are kept once
    if not any(found):
        raise UserError(
            f"--match-jpeg: expected JPEG files among the real images, got {len(found)} others; "
            "prepare them with `python -m data_prep ... --jpeg 90`"
        )
    return found


def write_fakes(generator, folder, count, seed, description, settings=(None,)):
    """Write `count` images of a trained generator into `folder`, with manifest.csv and prep.json; memory is flat.

    description: what the generator is, for prep.json. settings: of the i-th image settings[i % len(settings)]; None
    is PNG, else as jpeg_settings gives it. A folder that was begun is completed; UserError for one of another
    generator, seed, number or compression.
    """
    folder = Path(folder)
    compression = hashlib.sha256(repr(list(settings)).encode()).hexdigest()[:12]
    flags = {"count": count, "seed": seed, "compression": compression}
    recipe = {"layout": "generated", "flags": flags, SOURCE: description}
    _claim(folder, recipe)
    if (folder / NAME).is_file():
        return
    names = [f"fake/{number:06d}.{'jpg' if settings[number % len(settings)] else 'png'}" for number in range(count)]
    there = next((number for number, name in enumerate(names) if not (folder / name).is_file()), count)
    begin = there // BATCH * BATCH
    hashes = [sha256(folder / name) for name in names[:begin]]

    def save(number, image):
        data = _encoded(image, settings[number % len(settings)])
        write_bytes(data, folder / names[number])
        return hashlib.sha256(data).hexdigest()

    with ThreadPoolExecutor() as pool, tqdm(total=count, initial=begin, desc="generating", disable=None) as bar:
        for images in generate(generator, count, seed, BATCH, begin):
            hashes += pool.map(save, range(len(hashes), len(hashes) + len(images)), images)
            bar.update(len(images))
    table = pd.DataFrame({"path": names, "sha256": hashes, "label": "fake", "source": SOURCE})
    write_manifest(table.reindex(columns=COLUMNS, fill_value=""), folder)


def _claim(folder, recipe):
    """Make the folder ours; the recipe is the first thing in it."""
    if (folder / PREPARATION).is_file():
        if read_json(folder / PREPARATION) != recipe:
            raise UserError(f"{folder} holds images of another generator, seed or number: name a new or empty folder")
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
