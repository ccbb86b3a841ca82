"""What tests of several rooms share: two logical CPUs for tf.distribute, and tiny prepared folders."""

import gc
import multiprocessing
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from joblib.externals.loky.backend.context import set_start_method
from PIL import Image, ImageFilter

from common.data.manifest import COLUMNS, write_manifest
from common.files import sha256, write_json

PAPERS = [path.parent.name for path in Path(__file__).parents[1].glob("reproductions/*/run.py")]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """With --dist loadfile, a file's tests share a process and their fixtures; in the contract, a paper's tests do."""
    from xdist.scheduler import LoadFileScheduling

    class ByFileAndPaper(LoadFileScheduling):
        def _split_scope(self, nodeid):
            paper = [name for name in PAPERS if f"[{name}" in nodeid]
            return " ".join((super()._split_scope(nodeid), *paper))

    return ByFileAndPaper(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.fixture(scope="session", autouse=True)
def spawned_processes():
    """Start processes as Windows and macOS do, without a copy of this one's memory. Commands start them in joblib's way
    of the platform."""
    multiprocessing.set_start_method("spawn", force=True)
    set_start_method("spawn", force=True)  # joblib's


@pytest.fixture(scope="session", autouse=True)
def two_cpus():
    """Split the CPU in two before TensorFlow starts, so that MirroredStrategy has two replicas."""
    import tensorflow as tf

    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)


@pytest.fixture(scope="module", autouse=True)
def collect_garbage():
    """Free a module's graphs, and leave what stays out of later collections: of a long session each takes seconds."""
    yield
    gc.collect()
    gc.freeze()


def _make_prepared(folder, per_class=40, size=64, clips=False, synthetic=None, seed=0):
    """Write a prepared folder of textured pictures; a fake's middle is blurred. With clips, four frames make a video
    and every fake video has a real original."""
    generator = np.random.default_rng(seed)
    rows = []
    for label in ("real", "fake"):
        for number in range(per_class):
            image = Image.fromarray(generator.integers(0, 256, (size, size, 3), dtype=np.uint8))
            image = image.filter(ImageFilter.GaussianBlur(0.6))
            if label == "fake":
                box = (size // 4, size // 4, 3 * size // 4, 3 * size // 4)
                image.paste(image.crop(box).filter(ImageFilter.GaussianBlur(2)), box)
            path = f"{label}/{number:04d}.png"
            (folder / label).mkdir(parents=True, exist_ok=True)
            image.save(folder / path)
            row = dict.fromkeys(COLUMNS, "") | {"path": path, "label": label, "source": f"test-{label}"}
            if clips:
                clip = f"real/{number // 4:04d}"
                row |= {"video": clip.replace("real", label), "frame": str(number % 4)}
                row["original"] = clip if label == "fake" else ""
            rows.append(row | {"sha256": sha256(folder / path)})
    write_manifest(pd.DataFrame(rows), folder)
    preparation = {"layout": "folders", "flags": {"faces": "none"}}
    if synthetic:
        preparation["synthetic"] = {"family": synthetic}
    write_json(preparation, folder / "prep.json")
    return folder


@pytest.fixture(scope="session")
def make_prepared():
    """The function that writes a tiny prepared folder."""
    return _make_prepared


@pytest.fixture
def prepared(tmp_path):
    """A prepared folder of 40 + 40 pictures, 64 px."""
    return _make_prepared(tmp_path / "prepared")
