"""A detector saved, loaded and used on files, with networks small enough to know their scores by hand."""

from types import SimpleNamespace

import cv2
import keras
import numpy as np
import pytest
from PIL import Image
from sklearn.base import BaseEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from common.data.media import find_media
from common.detectors import store
from common.detectors.exporting import describe_cropping
from common.detectors.scoring import Scorer
from common.detectors.store import Description, Detector
from common.errors import UserError
from common.faces import cropping
from common.faces.cropping import FaceCropper
from common.faces.detection import Face
from common.predict import main

PREPROCESSING = {"size": 8, "resize": "nearest", "scale": 1 / 255, "offset": 0.0}


def mean_network():
    """A network whose feature layer is the mean of each channel, and whose output is the mean of the red one."""
    image = keras.Input((8, 8, 3))
    features = keras.layers.GlobalAveragePooling2D(name="features")(image)
    red = keras.layers.Dense(1, use_bias=False, name="red")
    network = keras.Model(image, red(features))
    red.set_weights([np.array([[1.0], [0.0], [0.0]], np.float32)])
    return network


def a_run(folder, **changes):
    description = Description("mean", PREPROCESSING, name="mean", network="mean.keras", **changes)
    store.save(Detector(description, mean_network()), folder / "models")
    return folder


def plain(path, red, size=16):
    Image.fromarray(np.full((size, size, 3), (red, 10, 10), np.uint8)).save(path)
    return path


def only(crops):
    (crop,) = crops
    return crop.pixels


def scored(scorer, file, **options):
    return scorer.scores(scorer.faces(file, **options).pixels).mean


def test_a_score_is_the_networks_output_and_decided_at_one_half(tmp_path, capsys):
    run = a_run(tmp_path / "run")
    bright, dark = plain(tmp_path / "bright.png", 204), plain(tmp_path / "dark.png", 51)
    main([str(run), str(bright), str(dark)])
    printed = capsys.readouterr()
    assert printed.out.splitlines() == [
        "path,score,verdict,spread,faces,frames,box,warning",
        f"{bright},0.800000,fake,,1,1,,",
        f"{dark},0.200000,real,,1,1,,",
    ]
    assert "`unknown` cannot be a verdict" in printed.err and "warning" not in printed.err


def test_a_margin_becomes_a_score_that_is_half_at_zero(tmp_path):
    run = a_run(tmp_path / "run", head="margin")
    score = scored(Scorer(store.load(run)), plain(tmp_path / "i.png", 204))
    assert score == pytest.approx(1 / (1 + np.exp(-0.8)), abs=1e-6)


def test_a_classifier_on_features_survives_the_disk(tmp_path):
    run = a_run(tmp_path / "run")
    generator = np.random.default_rng(0)
    features = generator.uniform(size=(60, 3))
    labels = (features[:, 0] > 0.5).astype(int)
    svm = make_pipeline(StandardScaler(), SVC()).fit(features, labels)
    description = Description(
        "svm",
        PREPROCESSING,
        "margin",
        "features",
        proposed=True,
        name="svm",
        network="mean.keras",
        classifier="svm.skops",
    )  # fmt: skip
    store.save(Detector(description, None, svm), run / "models")
    scorer = Scorer(store.load(run))
    assert scorer.description.name == "svm", "the proposed model is the default"
    red = np.array([[204, 10, 10]]) / 255
    expected = 1 / (1 + np.exp(-svm.decision_function(red)[0]))
    assert scored(scorer, plain(tmp_path / "i.png", 204)) == pytest.approx(expected, abs=1e-5)
    assert scored(Scorer(store.load(run, "mean")), tmp_path / "i.png") == pytest.approx(0.8)


class Foreign(BaseEstimator):
    """A classifier that is none of scikit-learn's."""


def test_a_classifier_of_a_foreign_type_is_not_loaded(tmp_path):
    run = a_run(tmp_path / "run")
    description = Description(
        "foreign", PREPROCESSING, features="features", name="foreign", network="mean.keras", classifier="foreign.skops"
    )
    store.save(Detector(description, None, Foreign()), run / "models")
    with pytest.raises(UserError, match="foreign code"):
        store.load(run, "foreign")


@pytest.mark.parametrize("file", ["mean.json", "mean.keras"])
def test_a_damaged_file_is_named(tmp_path, file):
    run = a_run(tmp_path / "run")
    (run / "models" / file).write_bytes(b"{half")
    with pytest.raises(UserError, match=f"{file}.* damaged"):
        store.load(run)


def test_the_first_of_several_seeds_is_the_default(tmp_path):
    run = a_run(tmp_path / "run")
    other = Description("mean", PREPROCESSING, name="mean-frame-seed1", network="mean-frame-seed1.keras")
    store.save(Detector(other, mean_network()), run / "models")
    assert store.load(run).description.name == "mean"


def test_an_unknown_model_or_folder_is_named(tmp_path):
    run = a_run(tmp_path / "run")
    with pytest.raises(UserError, match="no model 'x'; it has mean"):
        store.load(run, "x")
    with pytest.raises(UserError, match="expected a run folder"):
        store.load(tmp_path)


def test_a_videos_score_is_the_mean_of_its_frames(tmp_path):
    run = a_run(tmp_path / "run")
    writer = cv2.VideoWriter(str(tmp_path / "clip.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 10, (32, 32))
    for red in (50, 100, 150, 200):
        writer.write(np.full((32, 32, 3), (10, 10, red), np.uint8))  # OpenCV writes BGR
    writer.release()
    score = scored(Scorer(store.load(run)), tmp_path / "clip.avi", frames=4)
    assert score == pytest.approx(125 / 255, abs=0.02)


def test_data_that_do_not_say_how_faces_were_found_have_whole_pictures(tmp_path):
    """A manifest that data_prep did not write is trained on too: no flag is known then."""
    unknown = dict.fromkeys(("faces", "size", "margin", "min_confidence", "pick"))
    image = np.random.default_rng(0).integers(0, 256, (30, 40, 3)).astype(np.uint8)
    np.testing.assert_array_equal(only(FaceCropper(unknown)(image)), image)
    assert "whole picture" in describe_cropping(unknown)["words"]


def test_a_picture_is_rescaled_before_its_face_is_cropped_if_the_data_were(monkeypatch):
    image = np.random.default_rng(0).integers(0, 256, (30, 40, 3)).astype(np.uint8)
    small = np.asarray(Image.fromarray(image).resize((12, 12), Image.Resampling.BILINEAR))
    whole = {"faces": "none", "rescale": 12, "size": None, "margin": None, "min_confidence": None, "pick": None}
    np.testing.assert_array_equal(only(FaceCropper(whole)(image)), small)
    detector = SimpleNamespace(detect=lambda picture: [Face(0, 0, picture.shape[1] // 2, picture.shape[0], 1.0)])
    monkeypatch.setattr(cropping, "make_detector", lambda name: detector)
    haar = whole | {"faces": "haar", "margin": 0, "pick": "best"}
    np.testing.assert_array_equal(only(FaceCropper(haar)(image)), small[:, :6])
    assert "resized to 12 x 12 px, then" in describe_cropping(haar)["words"]


def test_where_the_run_cropped_faces_a_picture_without_one_has_no_score(tmp_path):
    run = a_run(
        tmp_path / "run",
        faces={"faces": "haar", "size": 64, "margin": 0, "min_confidence": None, "pick": "largest"},
    )
    assert len(Scorer(store.load(run)).faces(plain(tmp_path / "wall.png", 90, 256))) == 0


def test_files_are_found_in_folders_and_missing_ones_named(tmp_path):
    plain(tmp_path / "b.png", 1)
    (tmp_path / "sub").mkdir()
    plain(tmp_path / "sub" / "a.jpg", 1)
    (tmp_path / "notes.txt").write_text("")
    assert find_media([tmp_path]).files == [tmp_path / "b.png", tmp_path / "sub" / "a.jpg"]
    with pytest.raises(UserError, match="no such file or folder"):
        find_media([tmp_path / "none"])
    with pytest.raises(UserError, match="no image or video"):
        find_media([])


def conv_network():
    """The score is the mean red, through a layer with places."""
    image = keras.Input((8, 8, 3))
    copy = keras.layers.Conv2D(1, 1, use_bias=False, name="copy")
    network = keras.Model(image, keras.layers.GlobalAveragePooling2D()(copy(image)))
    copy.set_weights([np.array([1.0, 0.0, 0.0], np.float32).reshape(1, 1, 3, 1)])
    return network


def an_explainable_run(folder, **changes):
    store.save(
        Detector(Description("red", PREPROCESSING, name="red", network="red.keras", **changes), conv_network()),
        folder / "models",
    )
    return str(folder)


@pytest.mark.slow
def test_explanations_lie_as_their_files_do_and_the_csv_stays(tmp_path, capsys):
    run = an_explainable_run(tmp_path / "run")
    for name in ("a", "b"):
        (tmp_path / "in" / name).mkdir(parents=True)
        plain(tmp_path / "in" / name / "x.png", 204)
    main([run, str(tmp_path / "in")])
    without = capsys.readouterr().out
    main([run, str(tmp_path / "in"), "--explain", str(tmp_path / "out")])
    printed = capsys.readouterr()
    assert printed.out == without
    for name in ("a", "b"):
        picture = tmp_path / "out" / name / "x.png.png"
        assert f"{tmp_path / 'in' / name / 'x.png'}: explained in {picture}" in printed.err
        assert Image.open(picture).size[0] > 800
    assert len(list((tmp_path / "out").rglob("*.*"))) == 2


def test_of_a_video_the_most_suspicious_frame_is_explained(tmp_path, monkeypatch):
    from common.detectors import explanations

    writer = cv2.VideoWriter(str(tmp_path / "clip.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 10, (32, 32))
    for red in (50, 220, 150, 10):
        writer.write(np.full((32, 32, 3), (10, 10, red), np.uint8))
    writer.release()
    drawn = []
    monkeypatch.setattr(explanations, "draw", lambda *arguments: drawn.append(arguments))
    main([an_explainable_run(tmp_path / "run"), str(tmp_path / "clip.avi"), "--explain", str(tmp_path / "out")])
    ((path, pixels, explanation, title, said),) = drawn
    assert path == tmp_path / "out" / "clip.avi.png"
    assert "frame 1: fake" in title and "of 4 faces" in title and explanation.verdict == 1
    assert pixels[..., 0].mean() == pytest.approx(220, abs=6) and "copy, 8 x 8 places" in said


def test_where_no_face_is_found_nothing_is_explained(tmp_path, capsys):
    faces = {"faces": "haar", "size": 64, "margin": 0, "min_confidence": None, "pick": "largest"}
    run = an_explainable_run(tmp_path / "run", faces=faces)
    wall = plain(tmp_path / "wall.png", 90, 256)
    with pytest.raises(UserError, match="nothing to explain"):
        main([run, str(wall), "--explain", str(tmp_path / "out")])
    assert f"{wall},,no face,,0,1,," in capsys.readouterr().out and not (tmp_path / "out").exists()


def test_a_folder_for_explanations_that_cannot_be_one_is_named(tmp_path):
    run = an_explainable_run(tmp_path / "run")
    picture = plain(tmp_path / "x.png", 204)
    with pytest.raises(UserError, match="expected a folder, got the file"):
        main([run, str(picture), "--explain", str(picture)])
    with pytest.raises(UserError, match="is inside .*, which is scored"):
        main([run, str(tmp_path), "--explain", str(tmp_path / "out")])
