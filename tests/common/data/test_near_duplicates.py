import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from common.data.near_duplicates import hash_images, near_duplicate_groups
from common.errors import UserError


def draw(seed, side=160):
    """A picture of soft shapes; its low frequencies differ from seed to seed."""
    generator = np.random.default_rng(seed)
    picture = np.full((side, side, 3), generator.integers(60, 200, 3), np.uint8)
    for _ in range(12):
        centre, radius = generator.integers(0, side, 2).tolist(), int(generator.integers(side // 10, side // 3))
        cv2.circle(picture, centre, radius, generator.integers(0, 256, 3).tolist(), -1)
    return cv2.GaussianBlur(picture, (9, 9), 0)


def copies(picture):
    """The picture as other files contain it: encoded, resized, grey."""
    image = Image.fromarray(picture)
    yield image, "png", {}
    yield image, "jpg", {"quality": 90}
    yield image, "jpg", {"quality": 30}
    yield image.resize((80, 80)), "jpg", {"quality": 75}
    yield image.resize((256, 256), Image.Resampling.BICUBIC), "png", {}
    yield image.convert("L"), "jpg", {"quality": 75}


def test_copies_share_a_group_and_different_pictures_do_not(tmp_path):
    files, pictures = [], 30
    for seed in range(pictures):
        for number, (image, suffix, options) in enumerate(copies(draw(seed))):
            files.append(tmp_path / f"{seed}-{number}.{suffix}")
            image.save(files[-1], **options)
    hashes = hash_images(files)
    expected = np.repeat(np.arange(pictures), len(files) // pictures)
    np.testing.assert_array_equal(near_duplicate_groups(hashes), expected)


def naive_hash(file):
    """The hash of the docstring in loops, with OpenCV's cosine transform."""
    grey = cv2.cvtColor(np.asarray(Image.open(file).convert("RGB")), cv2.COLOR_RGB2GRAY)
    spectrum = cv2.dct(cv2.resize(grey, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float64))
    coefficients = [spectrum[row, column] / 4 for row in range(1, 9) for column in range(1, 9)]
    middle = sorted(coefficients)
    return [value > (middle[31] + middle[32]) / 2 for value in coefficients]


def test_hashes_of_several_batches_equal_a_plain_loop(tmp_path):
    files = [tmp_path / f"{seed}.png" for seed in range(130)]
    for seed, file in enumerate(files):
        Image.fromarray(draw(seed, 48)).save(file)
    hashes = hash_images(files, workers=2)
    assert hashes.shape == (130,) and hashes.dtype == np.uint64
    bits = np.unpackbits(hashes.view(np.uint8)).reshape(-1, 64)
    np.testing.assert_array_equal(bits, [naive_hash(file) for file in files])


def test_even_pictures_share_a_hash_and_no_file_has_none(tmp_path):
    files = [tmp_path / f"{grey}.png" for grey in (0, 37, 200)]
    for file in files:
        Image.new("L", (50, 70), int(file.stem)).save(file)
    assert len(set(hash_images(files))) == 1
    assert hash_images([]).tolist() == [] and near_duplicate_groups(hash_images([])).tolist() == []


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match="broken.png cannot be read"):
        hash_images([tmp_path / "broken.png"])


def naive_groups(hashes, distance):
    """Compare all pairs, and spread the smaller number until nothing changes."""
    group = list(range(len(hashes)))
    changed = True
    while changed:
        changed = False
        for i, first in enumerate(hashes):
            for j, second in enumerate(hashes[:i]):
                if bin(int(first) ^ int(second)).count("1") <= distance and group[i] != group[j]:
                    group[i] = group[j] = min(group[i], group[j])
                    changed = True
    order = {number: place for place, number in enumerate(dict.fromkeys(group))}
    return [order[number] for number in group]


@st.composite
def close_hashes(draw):
    """A few hashes, and others at up to nine flipped bits from them or from each other."""
    hashes = draw(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=4))
    for _ in range(draw(st.integers(0, 25))):
        flipped = draw(st.lists(st.integers(0, 63), max_size=9, unique=True))
        hashes.append(draw(st.sampled_from(hashes)) ^ sum(1 << bit for bit in flipped))
    return np.array(draw(st.permutations(hashes)), np.uint64)


@settings(max_examples=150, deadline=None)
@given(hashes=close_hashes(), distance=st.sampled_from([0, 1, 4, 7, 40, 63]))
def test_groups_equal_those_of_all_pairs(hashes, distance):
    assert near_duplicate_groups(hashes, distance).tolist() == naive_groups(hashes, distance)


def test_a_hundred_thousand_hashes():
    """Every hundredth hash is another one with four bits flipped, one in each of the first four bands of five."""
    generator = np.random.default_rng(0)
    hashes = generator.integers(0, 2**64, 100_000, np.uint64)
    hashes[1::100] = hashes[::100] ^ np.uint64(1 + (1 << 13) + (1 << 26) + (1 << 39))
    groups = near_duplicate_groups(hashes)
    assert (groups[1::100] == groups[::100]).all()
    assert len(set(groups)) == 99_000


@pytest.mark.parametrize("distance", [-1, 64])
def test_an_impossible_distance_is_refused(distance):
    with pytest.raises(UserError, match="--near-duplicates: .*0 to 63"):
        near_duplicate_groups(np.zeros(3, np.uint64), distance)
