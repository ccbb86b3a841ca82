import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from common.data.near_duplicates import CROPS, VARIANTS, ImageHashes, hash_images, near_duplicate_groups
from common.errors import UserError


def draw(seed, side=160):
    """A picture of soft shapes; its low frequencies differ from seed to seed."""
    generator = np.random.default_rng(seed)
    picture = np.full((side, side, 3), generator.integers(60, 200, 3), np.uint8)
    for _ in range(12):
        centre, radius = generator.integers(0, side, 2).tolist(), int(generator.integers(side // 10, side // 3))
        cv2.circle(picture, centre, radius, generator.integers(0, 256, 3).tolist(), -1)
    return cv2.GaussianBlur(picture, (9, 9), 0)


def crop(image, share):
    """The image without `share` of its width and height at each side."""
    left, top = round(image.width * share), round(image.height * share)
    return image.crop((left, top, image.width - left, image.height - top))


def copies(picture):
    """The picture as other files contain it: encoded, resized, grey, mirrored, cropped tighter."""
    image = Image.fromarray(picture)
    yield image, "png", {}
    yield image, "jpg", {"quality": 90}
    yield image, "jpg", {"quality": 30}
    yield image.resize((80, 80)), "jpg", {"quality": 75}
    yield image.resize((256, 256), Image.Resampling.BICUBIC), "png", {}
    yield image.convert("L"), "jpg", {"quality": 75}
    yield image.transpose(Image.Transpose.FLIP_LEFT_RIGHT), "jpg", {"quality": 75}
    yield crop(image, 0.03), "jpg", {"quality": 75}
    yield crop(image, 0.08), "jpg", {"quality": 75}
    yield crop(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT), 0.03), "png", {}


def test_copies_share_a_group_and_different_pictures_do_not(tmp_path):
    files, pictures = [], 30
    for seed in range(pictures):
        for number, (image, suffix, options) in enumerate(copies(draw(seed))):
            files.append(tmp_path / f"{seed}-{number}.{suffix}")
            image.save(files[-1], **options)
    hashes = hash_images(files)
    expected = np.repeat(np.arange(pictures), len(files) // pictures)
    np.testing.assert_array_equal(near_duplicate_groups(hashes), expected)


def naive_hash(image, frequencies):
    """The hash of the docstring in loops, with OpenCV's cosine transform."""
    grey = cv2.cvtColor(np.asarray(image.convert("RGB")), cv2.COLOR_RGB2GRAY)
    spectrum = cv2.dct(cv2.resize(grey, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float64))
    places = range(1, frequencies + 1)
    coefficients = [spectrum[row, column] / 4 for row in places for column in places]
    middle = sorted(coefficients)
    half = len(middle) // 2
    return [value > (middle[half - 1] + middle[half]) / 2 for value in coefficients]


def bits(words):
    return np.unpackbits(np.ascontiguousarray(words).view(np.uint8))


def test_hashes_of_several_batches_equal_a_plain_loop(tmp_path):
    """Of the picture, and of all its variants: first tighter crops, then the same of the mirrored picture."""
    files = [tmp_path / f"{seed}.png" for seed in range(70)]
    for seed, file in enumerate(files):
        Image.fromarray(draw(seed, 48)).save(file)
    hashes = hash_images(files, workers=2)
    assert hashes.coarse.shape == (70, VARIANTS) and hashes.fine.shape == (70, VARIANTS, 4)
    for number, file in enumerate(files):
        image = Image.open(file)
        np.testing.assert_array_equal(bits(hashes.coarse[number, 0]), naive_hash(image, 8))
        np.testing.assert_array_equal(bits(hashes.fine[number, 0]), naive_hash(image, 16))
    for number, image in ((n, Image.open(files[n])) for n in (0, 69)):
        for place, share in enumerate(CROPS):
            cropped = crop(image, share)
            mirrored = cropped.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            np.testing.assert_array_equal(bits(hashes.coarse[number, place]), naive_hash(cropped, 8))
            differing = bits(hashes.fine[number, len(CROPS) + place]) != naive_hash(mirrored, 16)
            assert differing.sum() <= 2  # an odd number of pixels is not reduced alike from both sides


def test_even_pictures_share_a_hash_and_no_file_has_none(tmp_path):
    files = [tmp_path / f"{grey}.png" for grey in (0, 37, 200)]
    for file in files:
        Image.new("L", (50, 70), int(file.stem)).save(file)
    assert set(near_duplicate_groups(hash_images(files), 0)) == {0}
    assert near_duplicate_groups(hash_images([])).tolist() == []


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match="broken.png cannot be read"):
        hash_images([tmp_path / "broken.png"])


def differing(first, second):
    return bin(int(first) ^ int(second)).count("1")


def is_variant(hashes, i, j, distance):
    """Whether image i is nearly a variant of image j."""
    return any(
        differing(hashes.coarse[i, 0], hashes.coarse[j, variant]) <= distance
        and sum(map(differing, hashes.fine[i, 0], hashes.fine[j, variant])) <= 10 * distance
        for variant in range(VARIANTS)
    )


def naive_groups(hashes, distance):
    """Compare all pairs, and spread the smaller number until nothing changes."""
    count = len(hashes)
    near = [(i, j) for i in range(count) for j in range(count) if is_variant(hashes, i, j, distance)]
    group, changed = list(range(count)), True
    while changed:
        changed = False
        for i, j in near:
            if group[i] != group[j]:
                group[i] = group[j] = min(group[i], group[j])
                changed = True
    order = {number: place for place, number in enumerate(dict.fromkeys(group))}
    return [order[number] for number in group]


@st.composite
def close_hashes(draw):
    """A few images at random, and others of which one variant is up to nine coarse and many fine bits from an image."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    count = draw(st.integers(1, 12))
    coarse = generator.integers(0, 2**64, (count, VARIANTS), np.uint64)
    fine = generator.integers(0, 2**64, (count, VARIANTS, 4), np.uint64)
    for image in range(1, count):
        other, variant = draw(st.integers(0, image - 1)), draw(st.integers(0, VARIANTS - 1))
        flipped = draw(st.lists(st.integers(0, 63), max_size=9, unique=True))
        coarse[image, variant] = coarse[other, 0] ^ np.uint64(sum(1 << bit for bit in flipped))
        flipped = draw(st.sampled_from([0, 1, 10, 40, 41, 80]))
        mask = np.packbits(np.arange(256) < flipped).view(np.uint64)
        fine[image, variant] = fine[other, 0] ^ mask
    order = generator.permutation(count)
    return ImageHashes(coarse[order], fine[order])


@settings(max_examples=80, deadline=None)
@given(hashes=close_hashes(), distance=st.sampled_from([0, 1, 4, 7, 40, 63]))
def test_groups_equal_those_of_all_pairs(hashes, distance):
    assert near_duplicate_groups(hashes, distance).tolist() == naive_groups(hashes, distance)


def random_hashes(count):
    generator = np.random.default_rng(0)
    shape = (count, VARIANTS)
    return ImageHashes(
        generator.integers(0, 2**64, shape, np.uint64), generator.integers(0, 2**64, (*shape, 4), np.uint64)
    )


def test_twenty_thousand_hashes():
    """The third variant of every hundredth image is another image with four bits flipped, in four of five bands."""
    hashes = random_hashes(20_000)
    hashes.coarse[1::100, 2] = hashes.coarse[::100, 0] ^ np.uint64(1 + (1 << 13) + (1 << 26) + (1 << 39))
    hashes.fine[1::100, 2] = hashes.fine[::100, 0]
    groups = near_duplicate_groups(hashes)
    assert (groups[1::100] == groups[::100]).all()
    assert len(set(groups)) == 19_800


@pytest.mark.slow
def test_thousands_of_nearly_equal_images_are_one_group():
    """Frames of a still scene: every pair is close, so pairs must not be kept."""
    hashes = random_hashes(3000)
    hashes.coarse[:] = hashes.coarse[0, 0] ^ (hashes.coarse & np.uint64(3))
    hashes.fine[:] = hashes.fine[0, 0] ^ (hashes.fine & np.uint64(3))
    assert set(near_duplicate_groups(hashes)) == {0}


@pytest.mark.parametrize("distance", [-1, 64])
def test_an_impossible_distance_is_refused(distance):
    with pytest.raises(UserError, match="--near-duplicates: .*0 to 63"):
        near_duplicate_groups(random_hashes(3), distance)
