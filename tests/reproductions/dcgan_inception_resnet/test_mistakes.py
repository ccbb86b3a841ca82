"""Mistakes are one line, before a run's folder exists."""

import pytest

from common.errors import UserError
from reproductions.dcgan_inception_resnet.run import main

SMALL = ("--preset", "smoke", "--models", "stand_in")


@pytest.fixture(scope="module")
def faces(tmp_path_factory, make_prepared):
    """A prepared folder of 60 real faces, and as many fakes of another generator."""
    return make_prepared(tmp_path_factory.mktemp("faces") / "celeb", per_class=60, size=8)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--gan-epochs", "0"), "give --weights generator=FILE"),
        (("--generate", "5"), "expected --weights generator=RUN/models/generator.keras"),
        (("--protocol", "frame"), "expected some of resubstitution, heldout"),
        (("--image-size", "20"), "--image-size: expected a power of two of at least 8, got 20"),
        (("--gan-beta-1", "1"), "--gan-beta-1: expected a number below 1"),
        (("--gan-batch-size", "64"), "--gan-batch-size 64: the training of the DCGAN has only 48 images"),
        (("--batch-size", "64"), "--batch-size 64: the training of a detector has only 36 images"),
        (("--weights", "generator=/no/such/file"), "no such file"),
        (("--match-jpeg",), "expected JPEG files among the real images"),
    ],
)
def test_mistakes_are_errors_before_the_run(faces, tmp_path, words, message):
    words = words if "--image-size" in words else (*words, "--image-size", "8")
    with pytest.raises(UserError, match=message):
        main([*SMALL, *words, "--data", f"celeb={faces}", "--runs", str(tmp_path / "runs")])
    assert not (tmp_path / "runs").exists()
