"""The face swap of Figure 1: its pieces, its training on drawn persons, and its data set."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from common.data.manifest import read_manifest
from common.errors import UserError
from common.faces.detection import Face
from data_prep.drawing.portraits import cached_portraits
from data_prep.verify import verify
from reproductions.mesoinception_svm.faceswap.__main__ import main
from reproductions.mesoinception_svm.faceswap.config import FaceSwapOptions
from reproductions.mesoinception_svm.faceswap.faces import (
    FaceFinder,
    Square,
    cut_face,
    face_mask,
    match_colours,
    paste_face,
    restore_colours,
    square_around,
    standardize,
)
from reproductions.mesoinception_svm.faceswap.network import build_autoencoders, decode_as, masked_error
from reproductions.mesoinception_svm.faceswap.persons import read_person
from reproductions.mesoinception_svm.faceswap.train import train_autoencoders
from reproductions.mesoinception_svm.faceswap.warping import distort, training_batches


def noise(shape, seed=0, blur=2.0):
    pixels = np.random.default_rng(seed).uniform(0, 255, shape).astype(np.float32)
    return cv2.GaussianBlur(pixels, (0, 0), blur)


def test_a_square_over_the_edge_of_a_picture_is_filled_with_its_edge():
    picture = np.arange(100, dtype=np.uint8).reshape(10, 10)[..., None].repeat(3, axis=2)
    face = cut_face(picture, Square(-2, 3, 5), 5)
    columns = np.clip(np.arange(-2, 3), 0, 9)
    np.testing.assert_array_equal(face, picture[3:8][:, columns])


def test_the_square_is_around_the_middle_of_the_face():
    assert square_around(Face(10, 20, 30, 40, 1.0), 1.5) == Square(25 - 30, 40 - 30, 60)


def test_pasting_changes_the_face_and_nothing_else():
    picture = noise((80, 90, 3)).astype(np.uint8)
    square = Square(20, 10, 50)
    result = paste_face(picture, square, noise((32, 32, 3), seed=1))
    changed = np.abs(result.astype(int) - picture).max(axis=2) > 0
    mask = np.zeros((80, 90), np.float32)
    mask[10:60, 20:70] = face_mask(50)
    assert not changed[mask < 1e-3].any() and changed[mask > 0.9].mean() > 0.9


def test_a_face_pasted_over_the_edge_stays_in_the_picture():
    picture = noise((40, 40, 3)).astype(np.uint8)
    for square in (Square(-10, -5, 30), Square(25, 28, 30)):
        assert paste_face(picture, square, noise((16, 16, 3), seed=1)).shape == picture.shape


def test_matched_colours_have_the_mean_of_the_reference_under_the_mask():
    face, reference, mask = noise((40, 40, 3)), noise((40, 40, 3), seed=1) * 0.6 + 40, face_mask(40)
    matched = match_colours(face, reference, mask)
    to_lab = [cv2.cvtColor(image / 255, cv2.COLOR_RGB2LAB)[mask > 0.5] for image in (matched, reference)]
    np.testing.assert_allclose(to_lab[0].mean(axis=0), to_lab[1].mean(axis=0), atol=0.5)
    np.testing.assert_allclose(to_lab[0].std(axis=0), to_lab[1].std(axis=0), atol=0.5)


def test_distortion_pulls_the_input_and_not_the_target():
    """Without distortion of its own, the target of an even picture with one bright column keeps the column straight."""
    face = np.zeros((64, 64, 3), np.float32)
    face[:, 30:34] = 1
    straightness = []
    for seed in range(20):
        pulled, target = distort(np.random.default_rng(seed), face)
        for image in (pulled, target):
            brightest = (image[8:56, :, 1] * np.arange(64)).sum(axis=1) / image[8:56, :, 1].sum(axis=1)
            line = np.polyval(np.polyfit(np.arange(48), brightest, 1), np.arange(48))
            straightness.append(np.abs(brightest - line).max())
    pulled, target = np.array(straightness).reshape(-1, 2).T
    assert target.max() < 0.4 < np.median(pulled)


def test_batches_are_a_function_of_seed_and_epoch():
    faces = {key: np.stack([noise((32, 32, 3), ord(key) + n) for n in range(12)]) / 255 for key in "ab"}

    def first(seed, epoch):
        (distorted_a, _), (_, b) = next(iter(training_batches(faces, 4, 2, seed, epoch)))
        return distorted_a.numpy(), b.numpy()

    for one, same, other in zip(first(0, 1), first(0, 1), first(0, 2), strict=True):
        np.testing.assert_array_equal(one, same)
        assert np.abs(one - other).max() > 0.1


def test_one_encoder_and_a_decoder_for_each_person():
    network = build_autoencoders(32)
    names = ("encoder", "decoder_a", "decoder_b")
    parts = {name: network.get_layer(name).count_params() for name in names}
    assert network.count_params() == sum(parts.values()) and parts["decoder_a"] == parts["decoder_b"]
    faces = np.stack([noise((32, 32, 3), seed) for seed in range(2)]).astype(np.uint8)
    standard, mean, deviation = standardize(faces)
    for person, output in zip("ab", network.predict([standard] * 2, verbose=0), strict=True):
        expected = np.clip((output - 0.5) / 0.18 * deviation + mean, 0, 255)
        np.testing.assert_allclose(decode_as(network, person, faces), expected, atol=1e-2)


def test_standardised_faces_have_one_mean_and_deviation_and_can_be_restored():
    faces = (np.stack([noise((32, 32, 3), seed) for seed in range(3)]) * [[[[0.5]]], [[[0.8]]], [[[1]]]]).astype(
        np.uint8
    )
    standard, mean, deviation = standardize(faces)
    inside = standard[:, face_mask(32) > 0.5]
    np.testing.assert_allclose(inside.mean(axis=1), 0.5, atol=0.02)
    np.testing.assert_allclose(inside.std(axis=1), 0.18, atol=0.02)
    unclipped = (standard > 0) & (standard < 1)
    restored = restore_colours(standard, mean, deviation)
    np.testing.assert_allclose(restored[unclipped], faces[unclipped], atol=0.01)


def test_the_loss_weighs_the_face_more_than_what_is_around_it():
    truth = np.zeros((1, 32, 32, 3), np.float32)
    corner, middle = truth.copy(), truth.copy()
    corner[:, :4, :4], middle[:, 16:20, 14:18] = 1, 1
    error = masked_error(32)
    assert error(truth, middle).shape == (1,)
    np.testing.assert_allclose(float(error(truth, middle)[0] / error(truth, corner)[0]), 5, rtol=0.05)


@pytest.fixture(scope="module")
def portraits(tmp_path_factory):
    """The folders of two drawn persons, 36 pictures each."""
    patch = pytest.MonkeyPatch()
    patch.setenv("DEEPFAKE_REPRODUCTIONS_CACHE", str(tmp_path_factory.mktemp("cache")))
    yield {key: cached_portraits(seed, 36) for key, seed in (("a", 3), ("b", 15))}
    patch.undo()


@pytest.fixture(scope="module")
def persons(portraits):
    finder = FaceFinder("haar")
    return [read_person(key, f"person {key}", folder, finder, 32) for key, folder in portraits.items()]


def options(tmp_path, **values):
    defaults = {"a": "A", "b": "B", "dst": tmp_path / "dst", "size": 32, "steps": 25, "epochs": 6, "batch_size": 8}
    return FaceSwapOptions(**defaults | values)


@pytest.mark.slow
def test_training_learns_to_swap(persons, tmp_path):
    """Held-out faces are reconstructed better. In standard colours, a swapped face is nearer to the mean face
    of its decoder's person than to that of the person who was swapped."""
    network, history = train_autoencoders(persons, options(tmp_path), tmp_path / "state")
    assert len(history) == 6
    for key in "ab":
        errors = history[f"val_error_{key}"]
        assert errors.iloc[-1] < 0.75 * errors.iloc[0]
    middle = face_mask(32)[..., None] > 0.5
    mean = {person.key: (standardize(person.faces)[0] * middle).mean(axis=0) for person in persons}
    for person, other in (persons, persons[::-1]):
        swapped = standardize(decode_as(network, other.key, person.faces).astype(np.uint8))[0] * middle
        distance = {key: np.abs(swapped - face).mean(axis=(1, 2, 3)) for key, face in mean.items()}
        assert (distance[other.key] < distance[person.key]).mean() > 0.8


@pytest.mark.slow
def test_a_stopped_training_resumes_as_if_nothing_had_happened(persons, tmp_path):
    short = options(tmp_path, steps=3, epochs=1)
    train_autoencoders(persons, short, tmp_path / "stopped")
    resumed, history = train_autoencoders(persons, replace(short, epochs=2), tmp_path / "stopped")
    whole, expected = train_autoencoders(persons, replace(short, epochs=2), tmp_path / "whole")
    np.testing.assert_allclose(history["val_loss"], expected["val_loss"], rtol=1e-4)
    faces = persons[0].faces[:2]
    np.testing.assert_allclose(decode_as(resumed, "b", faces), decode_as(whole, "b", faces), atol=0.5)


@pytest.fixture(scope="module")
def swapped(portraits, tmp_path_factory):
    """The data set of a short face swap, and the flags that made it."""
    dst = tmp_path_factory.mktemp("swap") / "dst"
    flags = [*map(str, portraits.values()), str(dst), "--size", "32", "--epochs", "2", "--steps", "5"]
    assert main(flags) == 0
    return dst, flags


@pytest.mark.slow
def test_the_data_set_is_sound_and_names_persons_and_originals(swapped, portraits):
    dst, flags = swapped
    assert verify(dst) == []
    images = read_manifest(dst).set_index("path")
    a, b = (folder.name for folder in portraits.values())
    real, fake = images.loc[f"real/{a}/00000.jpg"], images.loc[f"fake/{a}-as-{b}/00000.jpg"]
    assert (real["label"], real["identity"], real["original"]) == ("real", a, "")
    assert (fake["label"], fake["identity"], fake["source"]) == ("fake", f"{a};{b}", "autoencoder")
    assert fake["original"] == real["video"] and fake["video"] != real["video"]
    assert (images["label"] == "fake").mean() == 0.5
    assert (dst.parent / "dst-figure_01_faceswap.png").is_file() and (dst / "faceswap.keras").is_file()
    assert main(flags) == 0, "a finished data set is left alone"
    with pytest.raises(UserError, match="was started with --epochs 2: give the same, or another DST"):
        main([*flags[:3], "--size", "32", "--epochs", "3", "--steps", "5"])


@pytest.mark.slow
def test_detectors_are_trained_and_tested_on_it(swapped, tmp_path, command, make_prepared):
    run = Path(__file__).parents[3] / "reproductions" / "mesoinception_svm" / "run.py"
    other = make_prepared(tmp_path / "swap", 40)
    data = [f"deepfake={other}", f"face2face={swapped[0]}"]
    models = ["--models", "mesoinception4"]
    command(tmp_path, run, "--preset", "smoke", *models, "--data", *data, "--train-on", "deepfake")
    (summary,) = tmp_path.glob("runs/*/*/summary.txt")
    assert "synthetic-autoencoder" in summary.read_text() and "unseen: trained on deepfake" in summary.read_text()
    done = command(
        tmp_path, run, "--preset", "smoke", *models, "--data", f"deepfake={swapped[0]}", "--protocol", "video"
    )
    assert "Traceback" not in done.stderr and "synthetic-autoencoder, video, 0" in done.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["/no/such/folder", "{a}", "{dst}"], "expected a folder of pictures or person:SEED.*no such folder"),
        (["{a}", "person:x", "{dst}"], "expected person:SEED.*got 'person:x'"),
        (["{a}", "{a}", "{dst}"], "expected the pictures of two persons"),
        (["{a}", "{b}", "{a}/dst"], "expected DST outside of"),
        (["{a}", "{b}", "{full}"], "expected a new or empty folder as DST"),
        (["{a}", "{b}", "{dst}", "--size", "40"], "--size: expected a multiple of 16, got 40"),
        (["{a}", "{b}", "{dst}", "--jpeg", "101"], "--jpeg: expected a number of at most 100"),
        (["{a}", "{b}", "{dst}", "--faces", "none"], "found 2 faces in 2 pictures, expected at least 10"),
    ],
)
def test_a_mistake_is_named(tmp_path, save_picture, words, message):
    for name in ("a", "b", "full"):
        for number in range(2):
            save_picture(tmp_path / name / f"{number}.png", number)
    places = {name: str(tmp_path / name) for name in ("a", "b", "full", "dst")}
    with pytest.raises(UserError, match=message):
        main([word.format(**places) for word in words])
    assert not (tmp_path / "a" / "dst").exists()


@pytest.fixture
def save_picture():
    def save(path, seed):
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), noise((40, 40, 3), seed).astype(np.uint8))

    return save


@pytest.mark.slow
def test_the_command_reports_a_mistake_in_one_line(tmp_path, command):
    done = command(tmp_path, "-m", "reproductions.mesoinception_svm.faceswap", "x", "y", tmp_path / "dst", expect=2)
    assert done.stderr.count("\n") == 1 and "no such folder" in done.stderr
