"""Networks from strangers: what a .keras file may ask for, and what it may cost."""

import io
import json
import zipfile

import h5py
import keras
import numpy as np
import pytest

from common.archives import MAX_UNPACKED
from common.errors import UserError
from common.layers import l2_normalize
from common.networks.stored import CONFIG, WEIGHTS, UnusableNetwork, load_network
from common.training.initial_weights import load_initial_weights

FUNCTION = {"module": "builtins", "class_name": "function", "registered_name": "function"}
COMMAND = {"args": "touch ran", "shell": True}
DENSE = "layers/dense/vars/0"


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """{name: bytes} of the members of a .keras file: the mean of the red channel of 8 x 8 pictures."""
    image = keras.Input((8, 8, 3))
    red = keras.layers.Dense(1, use_bias=False, name="red")
    network = keras.Model(image, red(keras.layers.GlobalAveragePooling2D()(image)))
    red.set_weights([np.array([[1.0], [0.0], [0.0]], np.float32)])
    file = tmp_path_factory.mktemp("sound") / "red.keras"
    network.save(file)
    with zipfile.ZipFile(file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture
def refused(tmp_path, sound, monkeypatch):
    """A function that expects a file with other members to be refused, without the name of the error's class."""
    monkeypatch.chdir(tmp_path)

    def check(match=".", **members):
        write(tmp_path / "x.keras", sound | members)
        with pytest.raises(UnusableNetwork, match=match) as caught:
            load_network(tmp_path / "x.keras")
        assert "\n" not in str(caught.value) and str(caught.value)
        assert [path.name for path in tmp_path.rglob("*")] == ["x.keras"], "nothing ran, nothing was unpacked"

    return check


def write(file, members, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file


def config_with(sound, **dense):
    """config.json whose dense layer is changed; names with `__` are of the layer itself."""
    document = json.loads(sound[CONFIG])
    layer = document["config"]["layers"][-1]
    for name, value in dense.items():
        (layer if name in layer else layer["config"])[name] = value
    return json.dumps(document).encode()


def weights_with(make):
    file = io.BytesIO()
    with h5py.File(file, "w") as opened:
        make(opened)
    return file.getvalue()


def test_a_sound_file_gives_the_network_of_keras(tmp_path, sound):
    file = write(tmp_path / "x.keras", sound)
    ours, theirs = load_network(file), keras.models.load_model(file, compile=False)
    pixels = np.random.default_rng(0).uniform(size=(4, 8, 8, 3)).astype(np.float32)
    assert np.array_equal(ours(pixels), theirs(pixels))
    assert np.allclose(np.asarray(ours(pixels))[:, 0], pixels[..., 0].mean(axis=(1, 2)), atol=1e-6)


def test_a_lambda_layer_with_a_function_of_this_suite_is_sound(tmp_path):
    image = keras.Input((5,))
    network = keras.Model(image, keras.layers.Lambda(l2_normalize)(keras.layers.Dense(3)(image)))
    network.save(tmp_path / "x.keras")
    features = np.random.default_rng(0).normal(size=(4, 5)).astype(np.float32)
    assert np.array_equal(load_network(tmp_path / "x.keras")(features), network(features))


@pytest.mark.parametrize(
    "changes",
    [
        {"module": "os", "class_name": "system", "registered_name": "system"},
        {"module": "subprocess", "class_name": "Popen", "config": COMMAND},
        {"module": "builtins", "class_name": "function", "config": "eval"},
        {"class_name": "Lambda", "config": {"function": FUNCTION | {"config": "eval"}}},
        {"class_name": "Lambda", "config": {"function": FUNCTION | {"module": "keras.utils", "config": "get_file"}}},
        {"class_name": "Lambda", "config": {"function": FUNCTION | {"config": "deepfake>nobody"}}},
        {"class_name": "Lambda", "config": {"name": "red", "function": {"class_name": "__lambda__", "config": {}}}},
        {"class_name": "TFSMLayer", "config": {"filepath": "/etc"}},
        {"kernel_initializer": {"module": "os", "class_name": "system", "config": {}}},
        {"activation": {"class_name": "__lambda__", "config": {"value": "4wEA"}}},
    ],
)
def test_foreign_code_is_named_and_not_run(refused, sound, changes):
    refused("foreign code", **{CONFIG: config_with(sound, **changes)})


@pytest.mark.parametrize("units", [2_000_000_000, 400_000_000])
def test_a_layer_larger_than_memory_is_counted_before_it_is_made(refused, sound, units):
    refused("numbers, at most", **{CONFIG: config_with(sound, units=units)})
    assert np.prod(keras.layers.Dense(3)(np.ones((2, 5), np.float32)).shape) == 6, "later networks can be made"


@pytest.mark.parametrize(
    "changes",
    [
        {"units": "many"}, {"units": -1}, {"units": [1]}, {"dtype": "float1024"}, {"activation": "os.system"},
        {"class_name": "NoSuchLayer"}, {"class_name": ["Dense"]}, {"kernel_initializer": [[[[]]]]}, {"config": 7},
    ],
)  # fmt: skip
def test_a_wrong_config_is_no_traceback(refused, sound, changes):
    refused(**{CONFIG: config_with(sound, **changes)})


@pytest.mark.parametrize("document", [b"", b"{", b"null", b"7", b"[]", b"[" * 100_000, b"\xff", b'{"class_name": []}'])
def test_a_config_of_another_kind_is_no_traceback(refused, document):
    refused(**{CONFIG: document})


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda file: file.create_dataset(DENSE, shape=(1 << 39,), dtype="f4", chunks=(1 << 20,)), "GB"),
        (lambda file: file.create_dataset(DENSE, shape=(3, 1), dtype="f4", external=[("/", 0, 12)]), "another"),
        (lambda file: file.create_dataset(DENSE, data=np.zeros((5, 7))), "."),
        (lambda file: file.create_dataset(DENSE, data=np.array([[b"a"]])), "."),
        (lambda file: file.create_group(DENSE), "."),
        (lambda file: None, "."),
    ],
)  # fmt: skip
def test_wrong_weights_are_refused_by_their_headers(refused, make, match):
    refused(match, **{WEIGHTS: weights_with(make)})


@pytest.mark.parametrize("member", ["../outside", "/tmp/outside", "assets/../../outside", "..\\outside", "C:outside"])
def test_a_member_that_leads_outside_is_named(refused, member):
    refused("leads out", **{member: b"x"})


def test_a_zip_bomb_is_refused_by_its_declared_size(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.keras", "w") as archive:
        archive.writestr(CONFIG, b"0" * 1000)
        archive.infolist()[0].file_size = MAX_UNPACKED + 1  # as the directory will declare it
    with pytest.raises(UnusableNetwork, match="unpacks to 1.1 GB"):
        load_network(tmp_path / "x.keras")


@pytest.mark.parametrize("data", [b"", b"text", b"\x80\x04K\x01.", b"PK\x03\x04" + bytes(99)])
def test_initial_weights_of_no_archive_are_a_users_error(tmp_path, data):
    (tmp_path / "x.keras").write_bytes(data)
    with pytest.raises(UserError, match="x.keras.* not a zip archive"):
        load_initial_weights(keras.Sequential([keras.Input((3,))]), tmp_path / "x.keras", "--weights x")
