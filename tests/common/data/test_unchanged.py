"""Images that are not, or no longer, those of the manifest."""

import os

import pytest
from PIL import Image

from common.data.datasets import open_dataset
from common.data.manifest import read_manifest, write_manifest
from common.data.unchanged import WatchedImages
from common.errors import UserError


def replace(file):
    """Write another sound picture of the same size, under the same time."""
    before = file.stat()
    picture = Image.open(file)
    Image.new(picture.mode, picture.size).save(file)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_a_picture_that_was_replaced_before_the_start_is_named(make_prepared, tmp_path):
    folder = make_prepared(tmp_path / "p", per_class=3)
    replace(folder / "real" / "0001.png")
    with pytest.raises(UserError, match=r"1 of 6 images have other bytes .*real/0001.png.*verify"):
        WatchedImages([open_dataset("r", folder)])


@pytest.mark.parametrize("digests", [True, False])
def test_a_picture_that_is_replaced_or_removed_afterwards_is_named(digests, make_prepared, tmp_path):
    folder = make_prepared(tmp_path / "p", per_class=3)
    if not digests:
        write_manifest(read_manifest(folder).assign(sha256=""), folder)
    watched = WatchedImages([open_dataset("r", folder)])
    watched.check()
    replace(folder / "fake" / "0000.png")
    (folder / "real" / "0002.png").unlink()
    with pytest.raises(UserError, match=r"2 of 6 images have changed while the run was under way"):
        watched.check()


def test_the_same_bytes_written_again_are_no_change(make_prepared, tmp_path):
    folder = make_prepared(tmp_path / "p", per_class=3)
    watched = WatchedImages([open_dataset("r", folder)])
    for file in folder.glob("*/*.png"):
        data = file.read_bytes()
        file.unlink()
        file.write_bytes(data)
    watched.check()
