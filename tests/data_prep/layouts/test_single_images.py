"""FFHQ, StyleGAN, PGGAN and CelebA: each image is another face."""

import pytest

from common.errors import UserError
from data_prep.layouts.item import Item
from data_prep.layouts.registry import find


@pytest.mark.parametrize("root", ["thumbnails128x128/", "images1024x1024/", ""])
def test_ffhq_is_split_into_its_training_and_validation_part(tree, root):
    src = tree(f"{root}00000/00000.png", f"{root}59000/59999.png", f"{root}60000/60000.png", "LICENSE.txt")
    tree("in-the-wild-images/00000/00000.png")
    assert [(item.path, item.label, item.source, item.split) for item in find("ffhq", src)] == [
        (f"{root}00000/00000.png", "real", "ffhq", "train"),
        (f"{root}59000/59999.png", "real", "ffhq", "train"),
        (f"{root}60000/60000.png", "real", "ffhq", "test"),
    ]


def test_ffhq_flat_and_by_other_names(tree):
    assert find("ffhq", tree("00007.jpg", "portrait.jpg")) == [
        Item("00007.jpg", "real", "ffhq", split="train"),
        Item("portrait.jpg", "real", "ffhq"),
    ]


def test_ffhq_in_two_sizes_is_refused(tree):
    with pytest.raises(UserError, match="images1024x1024 and in thumbnails128x128: give one"):
        find("ffhq", tree("images1024x1024/00000/00000.png", "thumbnails128x128/00000/00000.png"))


@pytest.mark.parametrize("layout", ["stylegan", "pggan"])
def test_samples_at_any_depth_are_fake(tree, layout):
    src = tree("seed1.png", "ffhq-1024x1024/psi-0.7/00000/00001.png", "cats-256x256/00000/00002.png")
    assert find(layout, src) == [
        Item("ffhq-1024x1024/psi-0.7/00000/00001.png", "fake", layout),
        Item("seed1.png", "fake", layout),
    ]


def test_kaggles_140k_faces(kaggle_140k):
    root = "real_vs_fake/real-vs-fake"
    assert find("stylegan", kaggle_140k) == [
        Item(f"{root}/test/fake/1.jpg", "fake", "stylegan", split="test"),
        Item(f"{root}/test/real/1.jpg", "real", "ffhq", split="test"),
        Item(f"{root}/train/fake/1.jpg", "fake", "stylegan", split="train"),
        Item(f"{root}/train/real/1.jpg", "real", "ffhq", split="train"),
        Item(f"{root}/valid/fake/1.jpg", "fake", "stylegan", split="val"),
        Item(f"{root}/valid/real/1.jpg", "real", "ffhq", split="val"),
    ]


@pytest.mark.parametrize("layout", ["ffhq", "pggan", "celeba"])
def test_a_layout_of_one_class_refuses_a_tree_of_two(kaggle_140k, layout):
    with pytest.raises(UserError, match="use the layout folders .*stylegan for Kaggle"):
        find(layout, kaggle_140k)


def test_kaggles_faces_with_other_spellings_of_the_splits(tree):
    src = tree(
        "x/Train/Real/1.jpg", "x/Train/Fake/2.jpg", "x/Val/Real/3.jpg", "x/validation/fake/4.jpg", "x/TEST/FAKE/5.jpg"
    )
    assert {item.path[-5]: (item.label, item.source, item.split) for item in find("stylegan", src)} == {
        "1": ("real", "ffhq", "train"),
        "2": ("fake", "stylegan", "train"),
        "3": ("real", "ffhq", "val"),
        "4": ("fake", "stylegan", "val"),
        "5": ("fake", "stylegan", "test"),
    }


def test_stylegan_refuses_unknown_real_faces(tree):
    with pytest.raises(UserError, match=r"has a folder real/ \(Real/1\.jpg\)"):
        find("stylegan", tree("Real/1.jpg", "fake/2.jpg"))


def test_celeba_with_its_lists(celeba):
    root = "Img/img_align_celeba"
    assert find("celeba", celeba) == [
        Item(f"{root}/000001.jpg", "real", "celeba", identity="2880", split="train"),
        Item(f"{root}/000002.jpg", "real", "celeba", identity="2937", split="val"),
        Item(f"{root}/000003.jpg", "real", "celeba", identity="2880", split="test"),
    ]


def test_celeba_as_on_kaggle(tree):
    src = tree(
        "img_align_celeba/img_align_celeba/000001.jpg",
        texts={"list_eval_partition.csv": "image_id,partition\n000001.jpg,2\n"},
    )
    item = Item("img_align_celeba/img_align_celeba/000001.jpg", "real", "celeba", split="test")
    assert find("celeba", src) == [item]


@pytest.mark.parametrize(
    "text",
    [
        "3\n000001.jpg 0\n000002.jpg  1\n000003.jpg 2\n",
        '"image_id","partition"\r\n"000001.jpg","0"\r\n"000002.jpg","1"\r\n"000003.jpg","2"\r\n',
        "image_id;partition\n000001.jpg;0\n000002.jpg;1\n000003.jpg;2\n",
        '"","image_id","partition"\n"1","000001.jpg","0"\n"2","000002.jpg","1"\n"3","000003.jpg","2"\n',
        "image_id\tpartition\n'000001.jpg'\t0\n'000002.jpg'\t1\n'000003.jpg'\t2\n",
    ],
)
@pytest.mark.parametrize("name", ["list_eval_partition.txt", "List_Eval_Partition.csv"])
def test_lists_of_celeba_that_other_programs_wrote(tree, name, text):
    src = tree(*(f"img_align_celeba/{number:06}.jpg" for number in (1, 2, 3)), texts={f"x/{name}": text})
    assert [item.split for item in find("celeba", src)] == ["train", "val", "test"]


@pytest.mark.parametrize("root", ["", "100k/100k/"])
def test_celeba_without_lists(tree, root):
    assert find("celeba", tree(f"{root}000001.jpg")) == [Item(f"{root}000001.jpg", "real", "celeba")]


def test_celeba_in_several_versions_counts_once(celeba, tree):
    tree("Img/img_align_celeba_png/000001.png", "Img/img_celeba/000001.jpg")
    assert [item.path for item in find("celeba", celeba)] == [
        f"Img/img_align_celeba/{number:06}.jpg" for number in (1, 2, 3)
    ]


def test_the_png_version_of_celeba_uses_the_same_lists(tree, celeba):
    for path in (celeba / "Img" / "img_align_celeba").iterdir():
        path.unlink()
    tree("Img/img_align_celeba_png/000001.png")
    assert [item.identity for item in find("celeba", celeba)] == ["2880"]


def test_images_that_the_lists_of_celeba_do_not_name_are_skipped(celeba, tree):
    tree("Img/img_align_celeba/999999.jpg", "Img/img_align_celeba/000004.jpg")
    (celeba / "Eval" / "list_eval_partition.txt").write_text(
        "000001.jpg 0\n000002.jpg 7\n000003.jpg 2\n000004.jpg 2\n\n"
    )
    assert {item.path[-10:]: item.problem for item in find("celeba", celeba)} == {
        "000001.jpg": "",
        "000002.jpg": "unknown split: 7 in list_eval_partition",
        "000003.jpg": "",
        "000004.jpg": "not listed: identity_CelebA",
        "999999.jpg": "not listed: list_eval_partition",
    }


@pytest.mark.parametrize("text", ["000001.jpg 0 0\n", "000001.jpg\n", "\x00\x01\n"])
def test_celeba_refuses_a_damaged_list(celeba, text):
    (celeba / "Eval" / "list_eval_partition.txt").write_text(text)
    with pytest.raises(UserError, match="expected an image and a number in line 1"):
        find("celeba", celeba)


def test_celeba_refuses_a_list_that_is_not_text(celeba):
    (celeba / "Anno" / "identity_CelebA.txt").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(UserError, match="not a readable text file"):
        find("celeba", celeba)


def test_a_list_that_is_a_link_is_not_read(tree, tmp_path_factory):
    secret = tmp_path_factory.mktemp("elsewhere") / "secret"
    secret.write_text("000001.jpg 0\n")
    src = tree("000001.jpg")
    (src / "list_eval_partition.txt").symlink_to(secret)
    assert find("celeba", src) == [
        Item("000001.jpg", "real", "celeba"),
        Item("list_eval_partition.txt", "", "", problem="symbolic link: it leads out of SRC"),
    ]


@pytest.mark.parametrize("quote", ['"', "'"])
def test_lists_of_celeba_with_quotes(celeba, quote):
    """As R and some exports write them."""
    for name in ("Eval/list_eval_partition.txt", "Anno/identity_CelebA.txt"):
        rows = (line.split() for line in (celeba / name).read_text().splitlines())
        lines = [f"{quote}{image}{quote},{quote}{number}{quote}" for image, number in rows]
        (celeba / name).write_text("\n".join([f"{quote}image_id{quote},{quote}x{quote}", *lines]))
    assert [(item.split, item.identity) for item in find("celeba", celeba)] == [
        ("train", "2880"),
        ("val", "2937"),
        ("test", "2880"),
    ]
