"""The flags that decide what the raw files become."""

from dataclasses import asdict, dataclass

from common.data.videos import Sampling
from common.errors import UserError
from common.faces.detection import check_crop

FRAMES_PER_VIDEO = 10
VIDEO_FLAGS = ("frames_per_video", "every", "first")


@dataclass(frozen=True)
class Recipe:
    """Faces, size and encoding of the images, and the frames to take of a video; fields as in PrepareOptions."""

    faces: str = "none"
    rescale: int | None = None
    size: int | None = None
    margin: int = 0
    min_confidence: float | None = None
    pick: str = "best"
    jpeg: int | None = None
    frames_per_video: int | None = None
    every: int | None = None
    first: int | None = None

    def check(self, videos: bool = True) -> None:
        """Check the values.

        Args:
            videos: True if the raw folder has videos.

        Raises:
            UserError: if a value is out of range, or a flag has no effect without another flag or without videos.
        """
        check_crop(self.size, self.margin)
        if self.rescale is not None and self.rescale < 1:
            raise UserError(f"--rescale: expected a size of 1 pixel or more, got {self.rescale}")
        if self.jpeg is not None and not 1 <= self.jpeg <= 100:
            raise UserError(f"--jpeg: expected a quality of 1 to 100, got {self.jpeg}")
        face_flags = {"--margin": self.margin, "--min-confidence": self.min_confidence, "--pick": self.pick != "best"}
        given = [flag for flag, value in face_flags.items() if value not in (0, None, False)]
        if self.faces == "none" and given:
            raise UserError(f"{given[0]} is about faces: expected --faces haar or --faces mtcnn with it")
        if self.faces == "mtcnn" and self.min_confidence is not None and not 0 <= self.min_confidence <= 1:
            raise UserError(f"--min-confidence: expected a probability of 0 to 1 for mtcnn, got {self.min_confidence}")
        self._check_sampling(videos)

    def _check_sampling(self, videos):
        given = {
            f"--{name.replace('_', '-')}": number for name in VIDEO_FLAGS if (number := getattr(self, name)) is not None
        }
        for flag, number in given.items():
            if number < 1:
                raise UserError(f"{flag}: expected at least 1, got {number}")
        if len(given) > 1:
            raise UserError(f"expected one way to choose frames, got {' and '.join(given)}: give only one of them")
        if given and not videos:
            raise UserError(f"{next(iter(given))} is about videos, and SRC has none: leave it out")

    @property
    def copies(self) -> bool:
        """True if the bytes of an image are kept; frames of a video are always encoded."""
        return self.faces == "none" and self.rescale is None and self.size is None and self.jpeg is None

    @property
    def suffix(self) -> str:
        """The suffix of the images that are encoded."""
        return ".png" if self.jpeg is None else ".jpg"

    @property
    def sampling(self) -> Sampling:
        """The frames to take of a video: FRAMES_PER_VIDEO evenly spaced, unless a flag chooses others."""
        if self.every or self.first:
            return Sampling(every=self.every, first=self.first)
        return Sampling(count=self.frames_per_video or FRAMES_PER_VIDEO)

    def flags(self, videos: bool) -> dict[str, object]:
        """Return the values for prep.json; those about videos only if the raw folder has videos."""
        values = asdict(self)
        video_values = {name: values.pop(name) for name in VIDEO_FLAGS}
        if videos:
            values |= video_values | {"frames_per_video": self.sampling.count}
        return values
