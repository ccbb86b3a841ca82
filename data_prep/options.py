"""The flags of `python -m data_prep`."""

from dataclasses import dataclass, fields
from typing import Literal

from data_prep.preparation.recipe import Recipe
from data_prep.preparation.selection import Selection


@dataclass(frozen=True)
class PrepareOptions:
    """How a raw folder is prepared; by default images are copied as they are and frames of videos are kept whole."""

    faces: Literal["none", "haar", "mtcnn"] = "none"
    """Detector whose faces are cropped: the Viola-Jones cascade or MTCNN; none keeps whole images."""
    rescale: int | None = None
    """Resize every image and frame to RESCALE x RESCALE pixels (bilinear, antialiased) before faces are found."""
    size: int | None = None
    """Resize to SIZE x SIZE pixels (bilinear, antialiased); none keeps the size."""
    margin: int = 0
    """Margin around the face in pixels of the output, as in facenet-pytorch."""
    min_confidence: float | None = None
    """Ignore faces with a lower confidence: a probability for mtcnn, a level weight without a scale for haar."""
    pick: Literal["best", "largest", "all"] = "best"
    """Which of several faces to crop: the one with the highest confidence, the largest, or all of them."""
    jpeg: int | None = None
    """Encode all images as JPEG of this quality, so that compression does not reveal the class."""
    frames_per_video: int | None = None
    """Take N frames of a video, evenly spaced over the whole clip; 10 if no flag chooses frames."""
    every: int | None = None
    """Take every N-th frame of a video instead."""
    first: int | None = None
    """Take the first N frames of a video instead."""
    videos_per_class: int | None = None
    """Take N videos of each class, drawn by the hash of their names; with --fakes-per-real N real ones."""
    fakes_per_real: float | None = None
    """Take X fake videos for each real one, drawn by the hash of their names."""
    source: str | None = None
    """Generator or method of the fakes: their `source` in the manifest if the layout cannot know it."""
    max_unreadable: float = 0.05
    """Share of the images and videos that may be unreadable; a larger share is an error."""
    workers: int | None = None
    """Number of processes; none starts one for each CPU."""
    cluster: str | None = None
    """Address of a Dask scheduler, e.g. tcp://host:8786, whose workers are used instead; they must see SRC and DST."""
    shard: str | None = None
    """I/N: do the I-th of N shares, beside the others on a shared file system; the last one writes the manifest."""

    @property
    def recipe(self) -> Recipe:
        """The flags that decide the content of the images."""
        return Recipe(**{field.name: getattr(self, field.name) for field in fields(Recipe)})

    @property
    def selection(self) -> Selection:
        """The flags that decide which videos are taken."""
        return Selection(self.videos_per_class, self.fakes_per_real)
