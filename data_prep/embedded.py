"""The embedded data: drawn once into the user's cache, then prepared like anybody's download."""

from data_prep.drawing.trees import cached_tree
from data_prep.prepare import PrepareOptions, prepare


def embedded(family, count, seed=0, faces="none", size=None, jpeg=None, frames=1):
    """The prepared folder of `count` real and `count` fake images of a family, made on the first call.

    faces, size, jpeg: flags of data_prep, for a paper that crops the faces or encodes them alike. frames: above 1, each
    is a clip of so many images.
    """
    tree = cached_tree(family, count, seed, frames)
    flags = "" if (faces, size) == ("none", None) else f"-{faces}-{size}"
    flags += f"-jpeg{jpeg}" if jpeg else ""
    prepared = tree.with_name(f"{tree.name}-prepared{flags}")
    source = f"{family}:{count}:{seed}" + (f":{frames}" if frames > 1 else "")
    prepare("synthetic", source, prepared, PrepareOptions(faces=faces, size=size, jpeg=jpeg))
    return prepared
