import json
import os
import struct
import zlib

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from PIL import Image

import data_prep.prepare as module
from common.data.decoding import read_image
from common.data.image_reader import ImageReader
from common.data.manifest import NAME, read_manifest
from common.errors import UserError
from common.files import sha256
from data_prep.drawing.trees import draw_tree
from data_prep.options import PrepareOptions
from data_prep.preparation.process import process_files
from data_prep.prepare import prepare
from data_prep.verify import verify


@pytest.fixture(scope="module")
def portraits(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawn") / "tree"
    draw_tree(folder, "swap", 3, workers=1)
    return folder


@pytest.fixture
def processed(monkeypatch):
    """The raw paths that were processed, in order, in this process."""
    paths = []

    def spy(folders, recipe, tasks):
        paths.extend(task.path for task in tasks)
        return process_files(folders, recipe, tasks)

    monkeypatch.setattr(module, "process_files", spy)
    return paths


def options(**values):
    return PrepareOptions(workers=1, **values)


def skipped(dst):
    return pd.read_csv(dst / "skipped.csv", dtype=str).set_index("path")["reason"].to_dict()


def test_without_flags_all_bytes_are_copied(raw, tmp_path):
    images = prepare("folders", raw, tmp_path / "out", options(source="stylegan"))
    assert list(images["path"]) == sorted(str(path.relative_to(raw)) for path in raw.rglob("*.*g"))
    for row in images.itertuples():
        assert (tmp_path / "out" / row.path).read_bytes() == (raw / row.path).read_bytes()
        assert row.sha256 == sha256(raw / row.path)
        assert not os.path.samefile(tmp_path / "out" / row.path, raw / row.path)
    assert images.groupby("label")["source"].unique().map(list).to_dict() == {"fake": ["stylegan"], "real": ["raw"]}
    assert set(images["video"]) == {"", "fake/clip"}
    assert read_manifest(tmp_path / "out").equals(images)
    assert skipped(tmp_path / "out") == {}


def test_unusual_files_are_copied_and_training_reads_them_as_predict_does(tmp_path):
    """EXIF orientation, palettes, 1 bit, 16 bits, CMYK, transparency; TensorFlow's decoder misreads some of them."""
    (tmp_path / "raw" / "real").mkdir(parents=True)
    noise = np.random.default_rng(0).integers(0, 256, (24, 40, 3), dtype=np.uint8)
    image, orientation = Image.fromarray(noise), Image.Exif()
    orientation[0x0112] = 6
    image.save(tmp_path / "raw" / "real" / "exif.jpg", exif=orientation)
    image.convert("CMYK").save(tmp_path / "raw" / "real" / "cmyk.jpg")
    Image.fromarray(noise[..., 0].astype(np.uint16) * 251).save(tmp_path / "raw" / "real" / "16bit.png")
    for mode in ("P", "1", "L", "RGBA"):
        image.convert(mode).save(tmp_path / "raw" / "real" / f"{mode}.png")
    for mode in ("P", "1", "L"):
        image.convert(mode).save(tmp_path / "raw" / "real" / f"{mode}.bmp")
    dst = tmp_path / "out"
    images = prepare("folders", tmp_path / "raw", dst, options())
    assert len(images) == 10 and verify(dst) == []
    assert all((dst / path).read_bytes() == (tmp_path / "raw" / path).read_bytes() for path in images["path"])
    read = ImageReader([str(dst / path) for path in images["path"]]).read_function()
    for index, path in enumerate(images["path"]):
        np.testing.assert_array_equal(read(tf.constant(index)).numpy(), read_image(dst / path))


def test_prep_json_tells_the_flags_and_no_path_of_this_machine(raw, tmp_path):
    prepare("folders", raw, tmp_path / "out", options(size=8))
    text = (tmp_path / "out" / "prep.json").read_text()
    found = json.loads(text)
    assert found.pop("package_version")
    assert found.pop("manifest_sha256") == sha256(tmp_path / "out" / NAME)
    assert found.pop("raw_bytes") == sum(path.stat().st_size for path in raw.rglob("*.*"))
    flags = {
        "faces": "none",
        "rescale": None,
        "size": 8,
        "margin": 0,
        "min_confidence": None,
        "pick": "best",
        "jpeg": None,
        "videos_per_class": None,
        "fakes_per_real": None,
        "source": None,
    }
    assert found == {
        "layout": "folders",
        "source_folder": "raw",
        "flags": flags,
        "detector": None,
        "counts": {"fake": 10, "real": 10},
        "source_size": dict.fromkeys(("fake", "real"), {"height": 20, "width": 30}),
        "skipped": {},
        "found": [],
    }
    assert str(tmp_path) not in text


def test_size_gives_png_of_that_size(raw, tmp_path):
    images = prepare("folders", raw, tmp_path / "out", options(size=12))
    assert set(images["path"].str[-4:]) == {".png"}
    expected = Image.fromarray(read_image(raw / "real" / "3.jpg")).resize((12, 12), Image.BILINEAR)
    np.testing.assert_array_equal(read_image(tmp_path / "out" / "real" / "3.png"), np.asarray(expected))
    assert images.set_index("path")["sha256"]["real/3.png"] == sha256(tmp_path / "out" / "real" / "3.png")


def test_with_rescale_a_picture_and_its_thumbnail_give_the_same_crops(portraits, tmp_path):
    """Without it the sizes of the raw images decide how sharp a crop is, and a detector learns that."""
    for source in sorted(portraits.rglob("*.jpg")):
        for folder, size in (("large", None), ("small", (128, 128))):
            target = tmp_path / folder / source.relative_to(portraits).with_suffix(".png")
            target.parent.mkdir(parents=True, exist_ok=True)
            image = Image.open(source)
            (image.resize(size, Image.Resampling.BILINEAR) if size else image).save(target)
    hashes = {}
    for folder in ("large", "small"):
        for rescale in (128, None):
            flags = options(faces="haar", size=64, rescale=rescale)
            images = prepare("folders", tmp_path / folder, tmp_path / f"{folder}-{rescale}", flags)
            hashes[folder, rescale] = list(images["sha256"])
    assert hashes["large", 128] == hashes["small", 128] and hashes["large", None] != hashes["small", None]
    prepared = json.loads((tmp_path / "large-128" / "prep.json").read_text())
    assert prepared["flags"]["rescale"] == 128 and prepared["source_size"]["real"]["width"] > 128


def test_a_folder_of_an_earlier_version_without_rescale_is_completed(raw, tmp_path):
    prepare("folders", raw, tmp_path / "out", options(size=8))
    journal = tmp_path / "out" / ".progress.jsonl"
    first, *rest = [json.loads(line) for line in journal.read_text().splitlines()]
    del first["flags"]["rescale"], rest[0]["size"]
    journal.write_text("".join(json.dumps(line) + "\n" for line in (first, *rest)))
    assert len(prepare("folders", raw, tmp_path / "out", options(size=8))) == 20
    with pytest.raises(UserError, match="started without --rescale, not with --rescale 12"):
        prepare("folders", raw, tmp_path / "out", options(size=8, rescale=12))


def test_jpeg_encodes_all_images_alike(raw, tmp_path):
    images = prepare("folders", raw, tmp_path / "out", options(jpeg=80))
    tables = set()
    for path in images["path"]:
        picture = Image.open(tmp_path / "out" / path)
        assert (picture.format, picture.size) == ("JPEG", (30, 20))
        tables.add(str(picture.quantization))
    assert len(tables) == 1


def test_images_with_one_name_and_two_suffixes_do_not_collide(raw, tmp_path, save_noise):
    save_noise(raw / "real" / "3.png", 77)
    images = prepare("folders", raw, tmp_path / "out", options(size=8))
    assert len(images) == 21
    assert {"real/3.jpg.png", "real/3.png.png", "real/4.png"} <= set(images["path"])


def test_faces_are_cropped_and_images_without_one_are_skipped_without_an_error(portraits, tmp_path):
    for number in range(6):
        Image.new("RGB", (200, 200), (90, 90, number)).save(portraits / "train_test" / "real" / f"blank{number}.png")
    dst = tmp_path / "out"
    images = prepare("mesonet", portraits, dst, options(faces="haar", size=64))
    assert len(images) >= 5 and set(images["split"]) == {"train", "test"}
    assert {read_image(dst / path).shape for path in images["path"]} == {(64, 64, 3)}
    reasons = skipped(dst)
    assert sum(reason == "no face" for reason in reasons.values()) == len(reasons) == 12 - len(images)
    found = json.loads((dst / "prep.json").read_text())
    assert found["detector"]["name"] == "haar" and found["detector"]["version"].startswith("opencv")
    assert found["synthetic"]["family"] == "swap"


def test_all_faces_of_an_image_get_a_row_each(portraits, tmp_path):
    """Two drawn persons side by side are two faces."""
    drawn = sorted((portraits / "train_test").rglob("*0.jpg"))[:2]
    pair = np.concatenate([read_image(path) for path in drawn], axis=1)
    (tmp_path / "raw" / "real").mkdir(parents=True)
    Image.fromarray(pair).save(tmp_path / "raw" / "real" / "pair.png")
    images = prepare("folders", tmp_path / "raw", tmp_path / "out", options(faces="haar", pick="all"))
    assert [path for path in images["path"]][:2] == ["real/pair-face0.png", "real/pair-face1.png"]


def test_bad_files_are_skipped_counted_and_named(raw, tmp_path):
    (raw / "real" / "text.png").write_text("hello")
    (raw / "real" / "cut.jpg").write_bytes((raw / "real" / "1.jpg").read_bytes()[:400])
    (raw / "real" / "bomb.png").write_bytes(bomb())
    images = prepare("folders", raw, tmp_path / "out", options(max_unreadable=0.2))
    assert len(images) == 20
    reasons = skipped(tmp_path / "out")
    assert reasons["real/bomb.png"].startswith("too large: 20000x20000 pixels")
    assert set(reasons) == {"real/text.png", "real/cut.jpg", "real/bomb.png"} and reasons["real/text.png"].startswith(
        "not an image"
    )
    assert json.loads((tmp_path / "out" / "prep.json").read_text())["skipped"] == {
        "truncated or corrupt": 1,
        "not an image": 1,
        "too large": 1,
    }


def bomb():
    """Return a PNG whose header promises 20000 x 20000 pixels; the data, which must not be decoded, are missing."""
    header = struct.pack(">IIBBBBB", 20000, 20000, 8, 0, 0, 0, 0)
    chunks = {b"IHDR": header, b"IDAT": zlib.compress(b""), b"IEND": b""}
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks.items()
    )


def test_too_many_bad_files_are_an_error_and_the_folder_is_not_finished(raw, tmp_path, processed):
    for number in range(3):
        (raw / "real" / f"bad{number}.png").write_text("hello")
    dst = tmp_path / "out"
    with pytest.raises(UserError, match=r"3 of 23 files .* --max-unreadable 0.05 allows: real/bad0.png: not an image"):
        prepare("folders", raw, dst, options())
    assert not (dst / NAME).exists() and not (dst / "prep.json").exists() and len(skipped(dst)) == 3
    processed.clear()
    assert len(prepare("folders", raw, dst, options(max_unreadable=0.2))) == 20
    assert processed == []


def test_a_finished_folder_with_new_bad_files_is_no_longer_finished(raw, tmp_path):
    prepare("folders", raw, tmp_path / "out", options())
    for number in range(3):
        (raw / "real" / f"bad{number}.png").write_text("hello")
    with pytest.raises(UserError, match="3 of 23 files"):
        prepare("folders", raw, tmp_path / "out", options())
    assert not (tmp_path / "out" / NAME).exists()


def test_nothing_usable_is_an_error(raw, tmp_path):
    with pytest.raises(UserError, match="no image can be used: 20 in all, 20 no face"):
        prepare("folders", raw, tmp_path / "out", options(faces="haar"))
    assert not (tmp_path / "out" / NAME).exists()


def test_a_second_run_does_only_what_is_new_changed_or_lost(raw, tmp_path, processed, save_noise):
    dst = tmp_path / "out"
    first = prepare("folders", raw, dst, options(size=8))
    assert len(processed) == 20
    written = (dst / NAME).read_bytes()
    processed.clear()
    assert prepare("folders", raw, dst, options(size=8)).equals(first)
    assert processed == [] and (dst / NAME).read_bytes() == written
    save_noise(raw / "real" / "new.jpg", 500)
    save_noise(raw / "real" / "3.jpg", 501)
    os.utime(raw / "real" / "3.jpg", ns=(1, 1))
    (dst / "fake" / "clip" / "5.png").unlink()
    second = prepare("folders", raw, dst, options(size=8))
    assert sorted(processed) == ["fake/clip/5.png", "real/3.jpg", "real/new.jpg"]
    both = first.merge(second, on="path", how="outer")
    assert set(both["path"][both["sha256_x"] != both["sha256_y"]]) == {"real/3.png", "real/new.png"}


def test_a_repaired_file_is_used_by_the_next_run(raw, tmp_path, save_noise):
    (raw / "real" / "bad.jpg").write_bytes(b"")
    assert len(prepare("folders", raw, tmp_path / "out", options())) == 20
    save_noise(raw / "real" / "bad.jpg", 7)
    assert len(prepare("folders", raw, tmp_path / "out", options())) == 21
    assert skipped(tmp_path / "out") == {}


def test_a_stopped_run_resumes_and_ends_like_an_uninterrupted_one(raw, tmp_path, monkeypatch, processed):
    """Stopped in the third chunk, with half a line in the journal and half an image on disk."""
    calls = []

    def stop(*arguments):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return process_files(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(module, "process_files", stop)
        with pytest.raises(KeyboardInterrupt):
            prepare("folders", raw, tmp_path / "out", options(size=8))
    assert not (tmp_path / "out" / NAME).exists()
    with open(tmp_path / "out" / ".progress.jsonl", "ab") as journal:
        journal.write(b'{"path": "real/9.j')
    (tmp_path / "out" / ".partial").mkdir()
    (tmp_path / "out" / ".partial" / "abc.png").write_bytes(b"half")
    resumed = prepare("folders", raw, tmp_path / "out", options(size=8))
    assert len(processed) == 20 - 2 * module.CHUNK_SIZE
    assert not (tmp_path / "out" / ".partial").exists()
    processed.clear()
    assert prepare("folders", raw, tmp_path / "out", options(size=8)).equals(resumed) and processed == []
    assert resumed.equals(prepare("folders", raw, tmp_path / "uninterrupted", options(size=8)))


def test_workers_change_nothing(raw, tmp_path):
    alone = prepare("folders", raw, tmp_path / "one", options(size=8))
    assert prepare("folders", raw, tmp_path / "two", PrepareOptions(size=8, workers=2)).equals(alone)


def test_other_flags_another_layout_and_vanished_files_need_another_folder(raw, tmp_path):
    prepare("folders", raw, tmp_path / "out", options(size=8))
    with pytest.raises(UserError, match="started with --size 8, not with --size 16: use another DST"):
        prepare("folders", raw, tmp_path / "out", options(size=16))
    (raw / "fake").rename(raw / "df")
    with pytest.raises(UserError, match="started with the layout folders, not with the layout mesonet"):
        prepare("mesonet", raw, tmp_path / "out", options(size=8))
    with pytest.raises(UserError, match="the images of 10 files that .* no longer has, e.g. fake/clip/0.png"):
        prepare("folders", raw, tmp_path / "out", options(size=8))


def test_a_folder_with_other_files_is_refused_and_not_changed(raw, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match="holds other files"):
        prepare("folders", raw, tmp_path / "out", options())
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["thesis.txt"]
    with pytest.raises(UserError, match="which holds SRC"):
        prepare("folders", raw, tmp_path, options())
    assert {path.name for path in tmp_path.iterdir()} == {"raw", "out"}


def test_a_prepared_folder_is_refused_as_raw_data(raw, tmp_path):
    src, dst = tmp_path / "out", tmp_path / "again"
    prepare("folders", raw, src, options())
    for name in ("", NAME, ".progress.jsonl"):  # the files that are left are enough to recognise it
        (src / name).unlink() if name else None
        with pytest.raises(UserError, match="expected raw data as SRC, got .*out, which data_prep made"):
            prepare("folders", src, dst, options())
    (src / "prep.json").write_text('{"title": "somebody else\'s"}')
    (src / NAME).write_text("file,class\n")
    assert len(prepare("folders", src, dst, options())) == 20


def test_the_file_of_a_damaged_journal_line_is_processed_again(raw, tmp_path, processed):
    first = prepare("folders", raw, tmp_path / "out", options())
    journal = tmp_path / "out" / ".progress.jsonl"
    lines = journal.read_bytes().splitlines(True)
    bad = [b"\x00\xff\n", b"[1]\n", b'{"path": "real/1.jpg"}\n', b'{"images": [3]}\n', b"\n"]
    journal.write_bytes(b"".join(lines[:1] + bad + lines[len(bad) + 1 :]))
    processed.clear()
    assert prepare("folders", raw, tmp_path / "out", options()).equals(first)
    assert processed and sorted(processed) == sorted(json.loads(line)["path"] for line in lines[1 : len(bad) + 1])


@pytest.mark.parametrize("first", [b"", b"rubbish\n", b'{"layout": "folders"}\n', b"3\n"])
def test_a_journal_without_its_first_line_is_refused(raw, tmp_path, first):
    prepare("folders", raw, tmp_path / "out", options())
    (tmp_path / "out" / ".progress.jsonl").write_bytes(first)
    with pytest.raises(UserError, match="progress.jsonl is damaged: its first line does not say"):
        prepare("folders", raw, tmp_path / "out", options())
    assert (tmp_path / "out" / ".progress.jsonl").read_bytes() == first


def test_other_flags_are_named(raw, tmp_path):
    prepare("folders", raw, tmp_path / "out", options())
    with pytest.raises(UserError, match="was started with --faces none, not with --faces haar"):
        prepare("folders", raw, tmp_path / "out", options(faces="haar"))
    with pytest.raises(UserError, match="was started without --size, not with --size 8"):
        prepare("folders", raw, tmp_path / "out", options(size=8))


@pytest.mark.parametrize("inside", ["", "prepared", "real/x"])
def test_a_destination_inside_the_source_is_refused(raw, inside):
    with pytest.raises(UserError, match="outside of SRC"):
        prepare("folders", raw, raw / inside, options())
    assert not (raw / "prepared").exists()


@pytest.mark.parametrize(
    "flags",
    [
        {"size": 0},
        {"rescale": 0},
        {"margin": 5},
        {"faces": "haar", "size": 20, "margin": 20},
        {"jpeg": 0},
        {"jpeg": 101},
        {"pick": "all"},
        {"min_confidence": 0.5},
        {"min_confidence": 1.5, "faces": "mtcnn"},
        {"max_unreadable": 1.5},
    ],
)
def test_impossible_flags_are_refused_before_anything_is_written(raw, tmp_path, flags):
    with pytest.raises(UserError, match="expected"):
        prepare("folders", raw, tmp_path / "out", options(**flags))
    assert not (tmp_path / "out").exists()


def test_folders_that_cannot_be_used_are_a_mistake_of_the_user(raw, tmp_path):
    (tmp_path / "file").write_text("a file")
    with pytest.raises(UserError, match="got the file"):
        prepare("folders", raw, tmp_path / "file", options())
    with pytest.raises(UserError, match="as SRC; got the file"):
        prepare("folders", tmp_path / "file", tmp_path / "out", options())
    with pytest.raises(UserError, match="cannot write"):
        prepare("folders", raw, tmp_path / "file" / "below", options())


@pytest.mark.slow
def test_a_synthetic_source_is_drawn_once_into_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DEEPFAKE_REPRODUCTIONS_CACHE", str(tmp_path / "cache"))
    images = prepare("synthetic", "resample:1:5", tmp_path / "out", options())
    assert images["label"].value_counts().to_dict() == {"fake": 1, "real": 1}
    assert json.loads((tmp_path / "out" / "prep.json").read_text())["synthetic"]["family"] == "resample"
    drawn = [path.stat().st_mtime_ns for path in sorted((tmp_path / "cache").rglob("*.jpg"))]
    prepare("synthetic", "resample:1:5", tmp_path / "again", options())
    assert [path.stat().st_mtime_ns for path in sorted((tmp_path / "cache").rglob("*.jpg"))] == drawn
    with pytest.raises(UserError, match="'oil'"):
        prepare("synthetic", "oil:2", tmp_path / "oil", options())


def test_one_file_that_cannot_be_stored_does_not_stop_the_others(tmp_path, save_noise):
    """Names that are not UTF-8, or protocols to FFmpeg; two that are too long if both keep their suffix before .png."""
    raw, long = tmp_path / "raw" / "real", "x" * 250
    for number, name in enumerate(("a", "b", "12:30", "pipe:0", "caf\udce9", long)):
        save_noise(raw / "plain.png", number)
        (raw / "plain.png").rename(raw / f"{name}.png")
    save_noise(raw / "plain.bmp", 9)
    (raw / "plain.bmp").rename(raw / f"{long}.bmp")
    images = prepare("folders", raw.parent, tmp_path / "out", PrepareOptions(size=16, max_unreadable=0.5))
    assert set(images["path"]) == {f"real/{name}.png" for name in ("a", "b", "12:30", "pipe:0")}
    skipped = pd.read_csv(tmp_path / "out" / "skipped.csv", index_col="path")["reason"].to_dict()
    too_long = "unreadable name: too long with its new suffix, rename it"
    assert skipped == {
        "real/caf\\udce9.png": "unreadable name: expected UTF-8 without line ends, rename it",
        f"real/{long}.png": too_long,
        f"real/{long}.bmp": too_long,
    }
