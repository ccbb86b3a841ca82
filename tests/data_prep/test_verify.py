import numpy as np
import pytest
from PIL import Image

from common.data.manifest import NAME, read_manifest, write_manifest
from common.errors import UserError
from common.files import sha256
from data_prep.__main__ import main
from data_prep.options import PrepareOptions
from data_prep.prepare import prepare
from data_prep.verify import verify

ALTERED = "manifest.csv: not as data_prep wrote it: its sha256 is not the one in prep.json"


@pytest.fixture
def prepared(tmp_path):
    for label, low in (("real", 0), ("fake", 10)):
        (tmp_path / "raw" / label).mkdir(parents=True)
        for number in range(low, low + 4):
            noise = np.random.default_rng(number).integers(0, 256, (16, 16, 3), dtype=np.uint8)
            Image.fromarray(noise).save(tmp_path / "raw" / label / f"{number}.png")
    prepare("folders", tmp_path / "raw", tmp_path / "out", PrepareOptions(workers=1))
    return tmp_path / "out"


def test_a_fresh_folder_is_sound(prepared, capsys):
    assert verify(prepared) == []
    main(["verify", str(prepared)])
    assert "sound: 8 images" in capsys.readouterr().out


def test_each_kind_of_damage_is_named_and_the_exit_code_is_1(prepared, capsys):
    (prepared / "real" / "0.png").unlink()
    (prepared / "real" / "1.png").write_bytes((prepared / "real" / "2.png").read_bytes())
    (prepared / "fake" / "10.png").write_bytes((prepared / "fake" / "10.png").read_bytes()[:200])
    Image.new("RGB", (4, 4)).save(prepared / "fake" / "stray.jpg")
    assert main(["verify", str(prepared)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("fake/10.png: truncated or corrupt")
    assert lines[1:4] == [
        "fake/stray.jpg: not in the manifest",
        "real/0.png: no such file",
        "real/1.png: sha256 differs from the manifest",
    ]
    assert lines[4].startswith(f"4 problems in {prepared}")


def test_a_repaired_folder_is_sound_again(prepared):
    (prepared / "real" / "0.png").write_bytes(b"damaged")
    assert len(verify(prepared)) == 1
    (prepared / "real" / "0.png").unlink()
    prepare("folders", prepared.parent / "raw", prepared, PrepareOptions(workers=1))
    assert verify(prepared) == []


def test_labels_that_contradict_each_other_are_named(prepared):
    images = read_manifest(prepared)
    images["video"] = ["clip" if path in ("fake/10.png", "real/3.png") else "" for path in images["path"]]
    (prepared / "real" / "0.png").write_bytes((prepared / "fake" / "11.png").read_bytes())
    images.loc[images["path"] == "real/0.png", "sha256"] = sha256(prepared / "fake" / "11.png")
    write_manifest(images, prepared)
    assert verify(prepared) == [
        "fake/11.png: the same image is labelled both real and fake, here fake",
        "real/0.png: the same image is labelled both real and fake, here real",
        "fake/10.png: frames of the video clip are labelled both real and fake, here fake",
        "real/3.png: frames of the video clip are labelled both real and fake, here real",
        ALTERED,
    ]


def test_counts_are_compared_with_prep_json(prepared):
    images = read_manifest(prepared)
    write_manifest(images[images["path"] != "real/0.png"], prepared)
    (prepared / "real" / "0.png").unlink()
    (prepared / "skipped.csv").write_text("path,reason\nreal/0.png,empty file\n")
    assert verify(prepared) == [
        ALTERED,
        "prep.json: counts are {'fake': 4, 'real': 4}, but {'fake': 4, 'real': 3} in manifest.csv",
        "prep.json: skipped are {}, but {'empty file': 1} in skipped.csv",
    ]
    for text in ("{", "[1]", "3"):
        (prepared / "prep.json").write_text(text)
        assert len(verify(prepared)) == 1 and "damaged" in verify(prepared)[0]
    (prepared / "prep.json").unlink()
    assert verify(prepared) == ["prep.json: no such file"]


def test_an_unknown_label_is_a_problem_and_not_a_mistake_of_the_user(prepared, capsys):
    manifest = prepared / NAME
    manifest.write_text(manifest.read_text().replace("real/0.png,real", "real/0.png,genuine"))
    assert main(["verify", str(prepared)]) == 1
    printed = capsys.readouterr().out
    assert "label is not" in printed and "run the same data_prep command again" in printed


def test_exchanged_labels_are_found_and_the_same_command_repairs_them(prepared):
    images = read_manifest(prepared)
    images["label"] = images["label"].map({"real": "fake", "fake": "real"})
    write_manifest(images, prepared)
    assert verify(prepared) == [ALTERED]
    prepare("folders", prepared.parent / "raw", prepared, PrepareOptions(workers=1))
    assert verify(prepared) == []


def test_a_text_file_with_the_right_sha256_is_not_an_image(prepared):
    (prepared / "real" / "3.png").write_text("hello")
    images = read_manifest(prepared)
    images.loc[images["path"] == "real/3.png", "sha256"] = sha256(prepared / "real" / "3.png")
    write_manifest(images, prepared)
    assert verify(prepared) == ["real/3.png: not an image: its content is none of jpeg, png, bmp, webp", ALTERED]


def test_a_folder_without_a_manifest_is_refused(prepared):
    (prepared / NAME).unlink()
    with pytest.raises(UserError, match="unfinished.*progress.jsonl"):
        verify(prepared)
    (prepared / ".progress.jsonl").unlink()
    with pytest.raises(UserError, match="has no manifest.csv: prepare the raw data first"):
        verify(prepared)
