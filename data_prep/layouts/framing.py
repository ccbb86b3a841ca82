"""Where the face is in data sets that come as face crops, for detectors that are trained on them without --faces.

Measured with MTCNN on 60 images of each: the median of the box's height and centre. The interquartile ranges are 0.02
to 0.08 of the height and 0.01 to 0.06 of the centre.
"""

from typing import Any

import pandas as pd

from common.faces.cropping import MESONET, Framing

FRAMINGS = {
    "mesonet": MESONET,
    "dfdc": Framing(1.0, 0.5, 0.5),  # its crops; its videos are whole scenes
    "ffhq": Framing(0.73, 0.5, 0.55),
    "stylegan": Framing(0.73, 0.5, 0.55),
    "pggan": Framing(0.72, 0.5, 0.55),
    "celeba": Framing(0.51, 0.5, 0.57),
    "synthetic": Framing(0.63, 0.5, 0.51),
}


def find_framing(preparation: dict[str, Any], images: pd.DataFrame) -> Framing | None:
    """Return how faces lie in the images of a prepared folder.

    Args:
        preparation: the content of its prep.json.
        images: its manifest.

    Returns:
        The framing; None if data_prep cropped the faces, or nothing is known.
    """
    layout = preparation.get("layout", "")
    if preparation.get("flags", {}).get("faces", "none") != "none":
        return None
    if layout == "dfdc" and (images["frame"] != "").any():
        return None
    return FRAMINGS.get(layout)
