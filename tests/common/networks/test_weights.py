"""Weight files: what is found, downloaded, refused. Nothing is downloaded."""

import hashlib
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import keras
import pytest
from keras.src.utils import file_utils

from common.errors import UserError
from common.networks.weights import (
    IMAGENET_FILES,
    TIMEOUT_SECONDS,
    WeightFile,
    WeightsUnavailable,
    download,
    find_weights,
    keras_folder,
)


def test_a_folder_without_the_file_or_with_another_one_is_refused(tmp_path):
    published = IMAGENET_FILES["vgg19"]
    with pytest.raises(UserError, match=f"{published.name}.*{published.url}.*{published.digest}") as error:
        find_weights("vgg19", str(tmp_path))
    assert not isinstance(error.value, WeightsUnavailable), "a folder that the user named must contain the file"
    (tmp_path / published.name).write_bytes(b"cut off")
    with pytest.raises(UserError, match=f"expected MD5 {published.digest}, got {hashlib.md5(b'cut off').hexdigest()}"):
        find_weights("vgg19", str(tmp_path))


def test_without_internet_the_error_says_what_to_fetch_and_where_to_put_it(monkeypatch, tmp_path):
    published = IMAGENET_FILES["xception"]
    timeouts = []

    def no_internet(*_, **__):
        timeouts.append(socket.getdefaulttimeout())
        raise Exception(f"URL fetch failure on {published.url}: None --\n [Errno -2] Name or service not known")

    monkeypatch.setattr(keras.utils, "get_file", no_internet)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    with pytest.raises(WeightsUnavailable) as error:
        find_weights("xception", "imagenet")
    for word in (published.url, published.digest, published.name, str(tmp_path / "models"), "none"):
        assert word in str(error.value)
    assert "\n" not in str(error.value) and isinstance(error.value, UserError)
    assert timeouts == [TIMEOUT_SECONDS] and socket.getdefaulttimeout() is None


def test_a_user_without_a_home_keeps_weights_among_the_temporary_files(monkeypatch, tmp_path):
    """No HOME and no line in the user database: `~` is not expanded. The folder is that of Keras, but for TMPDIR."""
    monkeypatch.delenv("KERAS_HOME", raising=False)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert keras_folder() == tmp_path / ".keras" / "models"


def test_a_file_in_a_folder_that_cannot_be_written_is_used(monkeypatch, tmp_path):
    """Keras would download it again, into a temporary folder. Nor is an impossible folder an error of its own."""
    published = WeightFile("https://example.org/a.h5", hashlib.sha256(b"weights").hexdigest())
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "a.h5").write_bytes(b"weights")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr("os.access", lambda *_, **__: False)
    assert download(published, "weights", "put it there") == tmp_path / "models" / "a.h5"
    monkeypatch.setattr(keras.utils, "get_file", lambda *_, **__: tmp_path / "elsewhere.h5")
    assert (
        download(published, "weights", "put it there", tmp_path / "models" / "a.h5" / "x") == tmp_path / "elsewhere.h5"
    )


def test_a_download_is_kept_and_checked_by_keras(monkeypatch, tmp_path):
    """A file of the right hash in Keras's own folder is used; a damaged one is downloaded again."""
    (tmp_path / "models").mkdir()
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(file_utils, "urlretrieve", lambda *_: pytest.fail("downloads a file that exists"))
    monkeypatch.setattr(file_utils.config, "keras_home", lambda: str(tmp_path))  # Keras reads KERAS_HOME at its import
    published = replace(IMAGENET_FILES["vgg16"], digest=hashlib.md5(b"weights").hexdigest())
    monkeypatch.setitem(IMAGENET_FILES, "vgg16", published)
    kept = tmp_path / "models" / published.name
    kept.write_bytes(b"weights")
    assert find_weights("vgg16", "imagenet") == kept
    kept.write_bytes(b"half")
    monkeypatch.setattr(file_utils, "urlretrieve", lambda url, path, _: Path(path).write_bytes(b"half again"))
    with pytest.raises(WeightsUnavailable, match="corrupted"):
        find_weights("vgg16", "imagenet")
    assert find_weights("vgg16", "none") is None


def test_weights_are_found_without_tensorflow():
    """So that a run can stop before it imports TensorFlow."""
    code = "import common.networks.weights, sys; sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
