"""Which data were face crops to begin with, so that predict looks for faces in larger pictures."""

import pandas as pd
import pytest

from common.faces.cropping import FaceCropper
from data_prep.layouts.framing import find_framing


@pytest.mark.parametrize(
    ("layout", "flags", "frame", "crops"),
    [
        ("mesonet", {"faces": "none"}, "", True),
        ("dfdc", {}, "", True),  # crops with metadata.csv
        ("dfdc", {}, "12", False),  # frames of its videos are whole scenes
        ("synthetic", {}, "", True),
        ("synthetic", {}, "3", True),
        ("ffhq", {"size": 128}, "", True),
        ("celeba", {"faces": "mtcnn"}, "", False),  # the detector is recorded, and used again
        ("celebdf", {}, "1", False),
        ("folders", {}, "", False),
    ],
)
def test_data_that_come_as_face_crops_are_known(layout, flags, frame, crops):
    framing = find_framing({"layout": layout, "flags": flags}, pd.DataFrame({"frame": [frame]}))
    assert (framing is not None) == crops
    if framing is not None:
        cropper = FaceCropper({"faces": "none", "framing": vars(framing), "crop_size": [224, 224]})
        assert cropper.name == "mtcnn" and "pictures larger than 224x224" in cropper.describe()
