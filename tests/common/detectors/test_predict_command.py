"""The command as its users type it: rows and columns of the CSV, warnings, several faces, weights without a run."""

import csv
import sys
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace

import cv2
import keras
import numpy as np
import pytest
from PIL import Image

from common.data.pipeline import Preprocessing
from common.detectors import published, store
from common.detectors.novelty import Describer, TrainingSummary
from common.detectors.store import Description, Detector
from common.errors import UserError
from common.faces import cropping
from common.faces.detection import Face
from common.files import sha256
from common.networks import mesonet, weights
from common.predict import main

CROPS = {"faces": "none", "framing": {"height": 1.0, "x": 0.5, "y": 0.5}, "crop_size": [16, 16]}


def red_network():
    """P(fake) is the mean of the red channel."""
    image = keras.Input((8, 8, 3))
    red = keras.layers.Dense(1, use_bias=False)
    network = keras.Model(image, red(keras.layers.GlobalAveragePooling2D()(image)))
    red.set_weights([np.array([[1.0], [0.0], [0.0]], np.float32)])
    return network


def make_run(folder, summary=None, **changes):
    preprocessing = asdict(Preprocessing(8, resize="nearest"))
    description = Description("red", preprocessing, **changes).placed("", False, summary is not None)
    store.save(Detector(description, red_network(), summary=summary), folder / "models")
    return folder


def plain(path, red, shape=(16, 16)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((*shape, 3), (red, 10, 10), np.uint8)).save(path)
    return path


@pytest.fixture
def predict(capsys):
    """A function that runs the command and returns (rows of the CSV, what it wrote to stderr)."""

    def run(*words):
        main([str(word) for word in words])
        printed = capsys.readouterr()
        return list(csv.DictReader(printed.out.splitlines())), printed.err

    return run


@pytest.fixture
def faces(monkeypatch):
    """What every face detector finds in every picture."""
    found = []
    monkeypatch.setattr(cropping, "make_detector", lambda name: SimpleNamespace(detect=lambda image: list(found)))
    return found


def write_clip(path, reds, size=32):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, (size, size))
    for red in reds:
        writer.write(np.full((size, size, 3), (10, 10, red), np.uint8))
    writer.release()
    return path


def test_a_detector_of_drawn_faces_says_so_once_and_in_each_row(tmp_path, predict):
    run = make_run(tmp_path / "run", trained_on={"synthetic-swap": "0", "celebdf": "1"})
    rows, messages = predict(run, plain(tmp_path / "a.png", 200), plain(tmp_path / "b.png", 20))
    assert [row["warning"] for row in rows] == ["trained on drawn faces"] * 2
    assert messages.count("warning:") == 1 and "drawn faces (synthetic-swap)" in messages
    assert "--weights mesoinception4=published" in messages
    _, messages = predict(make_run(tmp_path / "other", trained_on={"celebdf": "1"}), tmp_path / "a.png")
    assert "warning:" not in messages


def test_a_video_has_the_mean_of_its_frames_their_spread_and_their_number(tmp_path, predict, monkeypatch):
    """Reds 50, 100, 150, 200; the third frame has no face."""
    run = make_run(tmp_path / "run", faces={"faces": "haar", "size": None, "margin": 0, "min_confidence": None})
    clip = write_clip(tmp_path / "clip.avi", (50, 100, 150, 200))
    frames = iter([[Face(0, 0, 32, 32, 1.0)], [Face(0, 0, 32, 32, 1.0)], [], [Face(4, 8, 16, 16, 1.0)]])
    monkeypatch.setattr(cropping, "make_detector", lambda name: SimpleNamespace(detect=lambda image: next(frames)))
    (row,), _ = predict(run, clip, "--frames", 4, "--per-frame", tmp_path / "frames.csv")
    expected = np.array([50, 100, 200]) / 255
    assert (row["faces"], row["frames"], row["box"]) == ("3", "4", "")
    assert float(row["score"]) == pytest.approx(expected.mean(), abs=0.02)
    assert float(row["spread"]) == pytest.approx(expected.std(ddof=1), abs=0.02)
    scored = list(csv.DictReader((tmp_path / "frames.csv").open()))
    assert [(each["frame"], each["verdict"], each["box"]) for each in scored] == [
        ("0", "real", "0 0 32 32"),
        ("1", "real", "0 0 32 32"),
        ("3", "fake", "4 8 16 16"),
    ]
    assert [float(each["score"]) for each in scored] == pytest.approx(expected, abs=0.02)


def test_two_people_in_a_picture_are_two_rows_on_request(tmp_path, predict, faces):
    picture = np.zeros((32, 64, 3), np.uint8)
    picture[:, :32, 0], picture[:, 32:, 0] = 51, 204
    Image.fromarray(picture).save(tmp_path / "two.png")
    faces += [Face(0, 0, 32, 32, 0.9), Face(32, 0, 32, 32, 0.8)]
    run = make_run(tmp_path / "run", faces=CROPS)
    rows, messages = predict(run, tmp_path / "two.png", "--pick", "all")
    assert [(row["score"], row["verdict"], row["box"]) for row in rows] == [
        ("0.200000", "real", "0 0 32 32"),
        ("0.800000", "fake", "32 0 32 32"),
    ]
    assert "MTCNN finds faces in pictures larger than 16x16" in messages
    (row,), _ = predict(run, tmp_path / "two.png")
    assert row["score"] == "0.200000", "the more confident one"
    (row,), _ = predict(run, tmp_path / "two.png", "--faces", "none")
    assert row["score"] == "0.500000"
    assert row["warning"] == "aspect ratio: width / height is 2.00, of the training images 1.00"


def test_a_picture_that_is_squeezed_says_so_and_one_like_the_training_images_does_not(tmp_path, predict):
    run = make_run(tmp_path / "run", faces={"faces": "none", "crop_size": [30, 40]})
    wide, square = plain(tmp_path / "wide.png", 90, (60, 80)), plain(tmp_path / "square.png", 90, (60, 60))
    rows, _ = predict(run, wide, square)
    assert [row["warning"] for row in rows] == ["", "aspect ratio: width / height is 1.00, of the training images 1.33"]


@pytest.fixture
def home_summary():
    """Of pictures that are noise around one half."""

    def noise(seed):
        return np.random.default_rng(seed).normal(0.5, 0.1, (200, 8, 8, 3)).astype("float32")

    describe = Describer(red_network(), has_classifier=False)
    return TrainingSummary.fit(*(describe([noise(seed)], 200) for seed in (0, 1)))


def test_far_from_the_training_images_the_verdict_is_unknown_with_the_score_beside_it(tmp_path, predict, home_summary):
    run = make_run(tmp_path / "run", home_summary)
    home = np.clip(np.random.default_rng(7).normal(0.5, 0.1, (8, 8, 3)) * 255, 0, 255).astype(np.uint8)
    Image.fromarray(home).save(tmp_path / "home.png")
    rows, messages = predict(run, tmp_path / "home.png", plain(tmp_path / "wall.png", 204))
    assert [row["verdict"] for row in rows][1:] == ["unknown"] and rows[0]["verdict"] in ("fake", "real")
    assert rows[1]["score"] == "0.800000" and rows[1]["warning"].startswith("far from the training images: ")
    assert rows[0]["warning"] == "" and "no summary" not in messages


def test_a_folder_names_what_it_leaves_out(tmp_path, predict):
    folder = tmp_path / "in"
    plain(folder / "a.png", 90)
    plain(folder / "deep" / "name.jpg" / "b.png", 90)
    (folder / "lost.png").symlink_to(folder / "nowhere.png")
    for name in (
        "c.heic",
        "d.TIFF",
        "e.gif",
        "deep/f.avif",
        "._a.png",
        ".hidden/x.png",
        "__MACOSX/._a.png",
        "notes.txt",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    rows, messages = predict(make_run(tmp_path / "run"), folder)
    found = {str(Path(row["path"]).relative_to(folder)): (row["verdict"], row["warning"]) for row in rows}
    assert found == {
        "a.png": ("real", ""),
        "deep/name.jpg/b.png": ("real", ""),
        "lost.png": ("unreadable", found["lost.png"][1]),
        "c.heic": ("unreadable", "unsupported format: heic"),
        "d.TIFF": ("unreadable", "unsupported format: tiff"),
        "e.gif": ("unreadable", "unsupported format: gif"),
        "deep/f.avif": ("unreadable", "unsupported format: avif"),
    }
    assert "left out: 3 hidden images or videos" in messages
    assert "left out, no images or videos by their names: 1, e.g. " in messages
    assert "c.heic: unsupported format: heic" in messages


def test_a_file_name_that_is_not_utf8_does_not_end_the_csv(tmp_path, monkeypatch):
    """As in an archive from another system; the standard output is a real one, which encodes."""
    plain(tmp_path / "in" / "a.png", 90)
    try:
        plain(tmp_path / "in" / "b.png", 90).rename(tmp_path / "in" / "caf\udce9.png")
    except OSError:
        pytest.skip("this file system has no such names")
    with open(tmp_path / "out.csv", "w", encoding="utf-8") as output:
        monkeypatch.setattr(sys, "stdout", output)
        main([str(make_run(tmp_path / "run")), str(tmp_path / "in")])
    rows = list(csv.DictReader((tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()))
    assert [Path(row["path"]).name for row in rows] == ["a.png", "caf\\udce9.png"]
    assert all(row["score"] for row in rows)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "expected RUN PATH ... or --weights NAME=FILE PATH ...; got nothing"),
        (("run",), "expected RUN PATH .*; got run"),
        (("--weights", "meso4=published"), "expected PATH ...; got nothing"),
        (("--weights", "resnet=x.h5", "a.png"), "expected NAME=FILE or NAME=published with NAME one of meso4, meso"),
        (("--weights", "meso4=none.h5", "a.png"), "no such file; meso4=published downloads https://github.com/"),
        (("--weights", "meso4=published", "--model", "x", "a.png"), "use it or --weights, not both"),
    ],
)
def test_a_command_that_cannot_work_is_refused(tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    plain(tmp_path / "a.png", 90)
    with pytest.raises(UserError, match=message):
        main(list(words))


def test_published_weights_score_without_a_run(tmp_path, predict, monkeypatch):
    """Its file is in the cache folder, where no network is needed; preprocessing is that of MesoNet's code."""
    keras.utils.set_random_seed(0)
    network = mesonet.meso4()
    folder = tmp_path / "cache" / "weights"
    folder.mkdir(parents=True)
    network.save_weights(folder / "own.weights.h5")
    monkeypatch.setenv("DEEPFAKE_REPRODUCTIONS_CACHE", str(tmp_path / "cache"))
    file = weights.WeightFile("https://example.org/own.weights.h5", sha256(folder / "own.weights.h5"))
    monkeypatch.setattr(published, "MESONET_FILES", {"meso4": file})
    pixels = np.random.default_rng(0).integers(0, 256, (100, 100, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    (row,), messages = predict("--weights", "meso4=published", tmp_path / "a.png")
    nearest = pixels[np.arange(256) * 100 // 256][:, np.arange(256) * 100 // 256]
    expected = network.predict(nearest[None] / 255, verbose=0)[0, 0]
    assert float(row["score"]) == pytest.approx(expected, abs=1e-6)
    assert "model meso4 of MesoNet's published weights" in messages and "`unknown` cannot be a verdict" in messages
    (again,), _ = predict("--weights", f"meso4={folder / 'own.weights.h5'}", tmp_path / "a.png")
    assert again == row


def test_without_a_network_it_says_where_to_get_the_weights_and_where_to_put_them(tmp_path, monkeypatch):
    monkeypatch.setenv("DEEPFAKE_REPRODUCTIONS_CACHE", str(tmp_path / "cache"))

    def fail(*_, **__):
        raise Exception("URL fetch failure on https://x: None -- [Errno -2] Name or service not known")

    monkeypatch.setattr(keras.utils, "get_file", fail)
    with pytest.raises(weights.WeightsUnavailable) as error:
        published.load_published("mesoinception4", None)
    file = weights.MESONET_FILES["mesoinception4"]
    for words in (file.url, file.digest, "Name or service not known", f"{file.name} into {tmp_path / 'cache'}"):
        assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_the_files_of_mesonet_are_those_that_its_authors_publish():
    assert {name: (file.name, file.algorithm) for name, file in weights.MESONET_FILES.items()} == {
        "meso4": ("Meso4_DF.h5", "sha256"),
        "mesoinception4": ("MesoInception_DF.h5", "sha256"),
    }
    assert all("/DariusAf/MesoNet/" in file.url for file in weights.MESONET_FILES.values())
    assert replace(weights.MESONET_FILES["meso4"], digest="0" * 32).algorithm == "md5"


def test_that_no_file_can_be_read_is_said_before_a_detector_is_loaded(tmp_path, capsys):
    (tmp_path / "a.jpg").write_bytes(b"not a picture")
    (tmp_path / "b.mp4").write_bytes(b"")
    (tmp_path / "c.heic").write_bytes(b"x")
    with pytest.raises(UserError, match="none of 3 files could be read"):
        main([str(tmp_path / "no-run"), str(tmp_path)])
    lines = capsys.readouterr().out.splitlines()[1:]
    assert [line.split(",")[0] for line in lines] == [str(tmp_path / name) for name in ("a.jpg", "b.mp4", "c.heic")]
    assert all(",unreadable," in line for line in lines)


def test_a_folder_without_pictures_is_named_beside_others(tmp_path, predict):
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "notes.txt").write_text("no picture")
    rows, messages = predict(make_run(tmp_path / "run"), plain(tmp_path / "a.png", 90), empty)
    assert f"no image or video in {empty}" in messages and [row["verdict"] for row in rows] == ["real"]
