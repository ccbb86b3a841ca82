import numpy as np
import pytest
from PIL import Image

from common.errors import UserError
from common.files import sha256
from common.manifest import NAME, read_manifest, write_manifest
from data_prep.__main__ import main
from data_prep.prepare import PrepareOptions, prepare
from data_prep.verify import verify


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


def test_every_kind_of_damage_is_named(prepared, capsys):
    (prepared / "real" / "0.png").unlink()
    (prepared / "real" / "1.png").write_bytes((prepared / "real" / "2.png").read_bytes())
    (prepared / "fake" / "10.png").write_bytes((prepared / "fake" / "10.png").read_bytes()[:200])
    Image.new("RGB", (4, 4)).save(prepared / "fake" / "stray.jpg")
    with pytest.raises(UserError, match="4 problems"):
        main(["verify", str(prepared)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("fake/10.png: truncated or corrupt")
    assert lines[1:] == [
        "fake/stray.jpg: not in the manifest",
        "real/0.png: no such file",
        "real/1.png: sha256 differs from the manifest",
    ]


def test_a_text_file_with_the_right_sha256_is_still_no_image(prepared):
    (prepared / "real" / "3.png").write_text("hello")
    images = read_manifest(prepared)
    images.loc[images["path"] == "real/3.png", "sha256"] = sha256(prepared / "real" / "3.png")
    write_manifest(images, prepared)
    assert verify(prepared) == ["real/3.png: not an image: its content is none of jpeg, png, bmp, webp"]


def test_a_folder_without_a_manifest_is_refused(prepared):
    (prepared / NAME).unlink()
    with pytest.raises(UserError, match="has no manifest.csv"):
        verify(prepared)
