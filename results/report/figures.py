"""The figures of a paper's newest run, as images inside the page."""

import base64
import io
import re
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from common.data.decoding import Unreadable, read_image
from common.files import read_json

WIDTHS = (1600, 1200, 800)  # pixels; the next is taken where the figures together weigh more than WEIGHT
WEIGHT = 6_000_000
HEAVY = 300_000  # bytes of one figure; above, it is a photograph, and lossy compression does not show


@dataclass(frozen=True)
class Figure:
    """source: a data URI; width, height: in pixels."""

    source: str
    width: int
    height: int
    caption: str


@dataclass(frozen=True)
class NewestRun:
    """The newest run of a paper. about: its environment.json; unreadable: [(file name, reason), ...]."""

    name: str
    about: dict
    figures: list
    unreadable: list

    @property
    def synthetic(self):
        data = self.about.get("data", {})
        return bool(data) and all(name.startswith("synthetic") for name in data)


def newest_run(paper, runs, width=WIDTHS[0]):
    """The run of `paper` in the folder `runs` that started last, of the finished ones if there is any; None if none.

    Figures that cannot be read are named, not shown.
    """
    found = [(read_json(path), path.parent) for path in sorted(Path(runs).glob(f"{paper}/*/environment.json"))]
    if not found:
        return None
    about, folder = max(found, key=lambda run: ("finished" in run[0], run[0].get("started", "")))
    figures, unreadable = [], []
    for path in sorted(folder.glob("figures/*.png")):
        try:
            figures.append(embed(path, width))
        except Unreadable as error:
            unreadable.append((path.name, str(error)))
    return NewestRun(folder.name, about, figures, unreadable)


def newest_runs(papers, runs):
    """{paper: NewestRun or None}, with figures so large that the page stays below a few megabytes."""
    for width in WIDTHS:
        found = {paper: newest_run(paper, runs, width) for paper in papers}
        if sum(len(figure.source) for run in found.values() if run for figure in run.figures) <= WEIGHT:
            break
    return found


def embed(path, width=WIDTHS[0]):
    """The image file as a Figure of at most `width` pixels across; Unreadable with the reason if it is none.

    WebP, without loss unless that would be heavy.
    """
    picture = Image.fromarray(read_image(path))
    if picture.width > width:
        picture = picture.resize(
            (width, max(1, round(picture.height * width / picture.width))), Image.Resampling.LANCZOS
        )
    data = _webp(picture, lossless=True)
    if len(data) > HEAVY:
        data = min(data, _webp(picture, quality=85), key=len)
    source = f"data:image/webp;base64,{base64.b64encode(data).decode()}"
    return Figure(source, picture.width, picture.height, caption(Path(path).stem))


def caption(stem):
    """`figure_09_roc-video-seed1` as `Figure 9: roc, video, seed 1`, other names as words."""
    numbered = re.fullmatch(r"(figure|table)_0*(\w+?)(?:_(.+))?", stem, re.IGNORECASE)
    kind, number, words = numbered.groups() if numbered else ("", "", stem)
    words = re.sub(r"\bseed(\d)", r"seed \1", (words or "").replace("-", ", ").replace("_", " "))
    return ": ".join(filter(None, (f"{kind.capitalize()} {number}".strip(), words)))


def _webp(picture, **how):
    file = io.BytesIO()
    picture.save(file, "WEBP", method=4, **how)
    return file.getvalue()
