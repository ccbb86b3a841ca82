"""The figures of a paper's newest run, as images inside the page."""

import base64
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from common.conditions import is_synthetic
from common.data.decoding import Unreadable, read_image
from common.runs.environment import read_environment

WIDTHS = (1600, 1200, 800)  # pixels; the next one is taken if all figures together exceed MAX_TOTAL_BYTES
MAX_TOTAL_BYTES = 6_000_000
MAX_LOSSLESS_BYTES = 300_000  # a larger figure is a photograph, where lossy compression is invisible


@dataclass(frozen=True)
class Figure:
    """An image inside the page: a data URI, its size in pixels, and a caption."""

    source: str
    width: int
    height: int
    caption: str


@dataclass(frozen=True)
class NewestRun:
    """The newest run of a paper.

    Args:
        name: the name of its folder.
        environment: the contents of its environment.json.
        figures: its figures.
        unreadable: [(file name, reason), ...] of figures that cannot be read.
    """

    name: str
    environment: dict[str, Any]
    figures: list[Figure]
    unreadable: list[tuple[str, str]]

    @property
    def synthetic(self) -> bool:
        """Whether the run used drawn data."""
        return any(is_synthetic(name) for name in self.environment.get("data", {}))


def newest_run(paper: str, runs: str | Path, width: int = WIDTHS[0]) -> NewestRun | None:
    """Read the newest run of a paper.

    Args:
        paper: its name.
        runs: folder of the runs, RUNS/<paper>/<run>.
        width: the largest width of a figure, in pixels.

    Returns:
        The run that was started last, among the finished ones if there are any. None if there is no run.
    """
    found = [(read_environment(path), path.parent) for path in sorted(Path(runs).glob(f"{paper}/*/environment.json"))]
    if not found:
        return None
    environment, folder = max(found, key=lambda run: ("finished" in run[0], run[0].get("started", "")))
    figures, unreadable = [], []
    for path in sorted(folder.glob("figures/*.png")):
        try:
            figures.append(embed_image(path, width))
        except Unreadable as error:
            unreadable.append((path.name, str(error)))
    return NewestRun(folder.name, environment, figures, unreadable)


def newest_runs(papers: Iterable[str], runs: str | Path) -> dict[str, NewestRun | None]:
    """Read the newest run of each paper, with figures so large that the page stays below a few megabytes."""
    for width in WIDTHS:
        found = {paper: newest_run(paper, runs, width) for paper in papers}
        if sum(len(figure.source) for run in found.values() if run for figure in run.figures) <= MAX_TOTAL_BYTES:
            break
    return found


def embed_image(path: str | Path, width: int = WIDTHS[0]) -> Figure:
    """Read an image file as WebP inside the page, lossless unless that needs too many bytes.

    Args:
        path: the image file. Its name gives the caption.
        width: the largest width, in pixels.

    Raises:
        Unreadable: if the file is not an image.
    """
    picture = Image.fromarray(read_image(path))
    if picture.width > width:
        height = max(1, round(picture.height * width / picture.width))
        picture = picture.resize((width, height), Image.Resampling.LANCZOS)
    data = _webp(picture, lossless=True)
    if len(data) > MAX_LOSSLESS_BYTES:
        data = min(data, _webp(picture, quality=85), key=len)
    source = f"data:image/webp;base64,{base64.b64encode(data).decode()}"
    return Figure(source, picture.width, picture.height, caption(Path(path).stem))


def caption(stem: str) -> str:
    """Make a caption of a file name: `figure_09_roc-video-seed1` becomes `Figure 9: roc, video, seed 1`."""
    numbered = re.fullmatch(r"(figure|table)_0*(\w+?)(?:_(.+))?", stem, re.IGNORECASE)
    kind, number, text = numbered.groups() if numbered else ("", "", stem)
    text = re.sub(r"\bseed(\d)", r"seed \1", (text or "").replace("-", ", ").replace("_", " "))
    return ": ".join(filter(None, (f"{kind.capitalize()} {number}".strip(), text)))


def _webp(picture, **settings):
    file = io.BytesIO()
    picture.save(file, "WEBP", method=4, **settings)
    return file.getvalue()
