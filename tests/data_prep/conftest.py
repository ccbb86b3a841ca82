"""Small raw data sets."""

import numpy as np
import pytest
from PIL import Image


def _save_noise(path, seed, shape=(20, 30, 3)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)).save(path)


@pytest.fixture
def save_noise():
    """Return a function (path, seed) that writes an image of noise."""
    return _save_noise


@pytest.fixture
def raw(tmp_path):
    """A raw folder with ten images of noise per class; the fakes are frames of one clip."""
    for number in range(10):
        _save_noise(tmp_path / "raw" / "real" / f"{number}.jpg", number)
        _save_noise(tmp_path / "raw" / "fake" / "clip" / f"{number}.png", 100 + number)
    return tmp_path / "raw"


@pytest.fixture
def tree(tmp_path):
    """Return a function that writes empty files, since layouts use names only, and {name: text} files."""

    def make(*paths, texts=()):
        for path in paths:
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).touch()
        for name, text in dict(texts).items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        return tmp_path

    return make


@pytest.fixture
def kaggle_140k(tree):
    """Kaggle's 140k real and fake faces with one face in each folder."""
    splits = ("train", "valid", "test")
    return tree(*(f"real_vs_fake/real-vs-fake/{split}/{word}/1.jpg" for split in splits for word in ("real", "fake")))


@pytest.fixture
def celeba(tree):
    """CelebA in its authors' folders, with a face for each split."""
    return tree(
        *(f"Img/img_align_celeba/{number:06}.jpg" for number in (1, 2, 3)),
        texts={
            "Eval/list_eval_partition.txt": "000001.jpg 0\n000002.jpg 1\n000003.jpg 2\n000004.jpg 2\n",
            "Anno/identity_CelebA.txt": "000001.jpg 2880\n000002.jpg 2937\n000003.jpg 2880\n",
        },
    )


@pytest.fixture
def celebdf(tree):
    """Celeb-DF with two celebrities, swapped both ways, and another person; one video of each class is for testing."""
    return tree(
        *("Celeb-real/id0_0000.mp4", "Celeb-real/id1_0007.mp4", "YouTube-real/00000.mp4"),
        *("Celeb-synthesis/id0_id1_0000.mp4", "Celeb-synthesis/id1_id0_0007.mp4"),
        texts={
            "List_of_testing_videos.txt": "1 Celeb-real/id1_0007.mp4\n1 YouTube-real/00000.mp4\n"
            "0 Celeb-synthesis/id1_id0_0007.mp4\n"
        },
    )


@pytest.fixture
def dfdc(tree):
    """DFDC with two parts: a real video with two fakes, and a fake whose original was not downloaded."""
    first = (
        '{"a.mp4": {"label": "REAL", "split": "train"},'
        ' "b.mp4": {"label": "FAKE", "split": "train", "original": "a.mp4"},'
        ' "c.mp4": {"label": "FAKE", "split": "train", "original": "a.mp4"}}'
    )
    second = '{"y.mp4": {"label": "FAKE", "split": "train", "original": "z.mp4"}}'
    return tree(
        *(f"dfdc_train_part_0/{name}.mp4" for name in "abc"),
        "dfdc_train_part_1/y.mp4",
        texts={"dfdc_train_part_0/metadata.json": first, "dfdc_train_part_1/metadata.json": second},
    )


@pytest.fixture
def faceforensics(tree):
    """FaceForensics++: two pairs with two methods in c23, the first also in c40, and a scene of DeepFakeDetection."""
    originals = [f"original_sequences/youtube/c23/videos/{name}.mp4" for name in ("000", "003", "071", "054")]
    swaps = [
        f"manipulated_sequences/{method}/c23/videos/{name}.mp4"
        for method in ("Deepfakes", "Face2Face")
        for name in ("000_003", "003_000", "071_054", "054_071")
    ]
    return tree(
        *originals,
        *swaps,
        "original_sequences/youtube/c40/videos/000.mp4",
        "manipulated_sequences/Deepfakes/c40/videos/000_003.mp4",
        "manipulated_sequences/Deepfakes/masks/videos/000_003.mp4",
        "original_sequences/actors/c23/videos/01__kitchen_pan.mp4",
        "manipulated_sequences/DeepFakeDetection/c23/videos/01_02__kitchen_pan__YVGY8LOK.mp4",
        texts={
            "splits/train.json": '[["071", "054"]]',
            "splits/val.json": '[["720", "672"]]',
            "splits/test.json": '[["000", "003"]]',
        },
    )
