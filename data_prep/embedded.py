"""The embedded data: drawn once into the user's cache, then prepared like anybody's download."""

from data_prep.prepare import PrepareOptions, prepare
from data_prep.synthetic import cached_tree


def embedded(family, count, seed=0, faces="none", size=None, jpeg=None):
    """The prepared folder of `count` real and `count` fake images of a family, made on the first call.

    faces, size, jpeg: flags of data_prep, for a paper that crops the faces or encodes them alike.
    """
    tree = cached_tree(family, count, seed)
    flags = "" if (faces, size) == ("none", None) else f"-{faces}-{size}"
    flags += f"-jpeg{jpeg}" if jpeg else ""
    prepared = tree.with_name(f"{tree.name}-prepared{flags}")
    prepare("synthetic", f"{family}:{count}:{seed}", prepared, PrepareOptions(faces=faces, size=size, jpeg=jpeg))
    return prepared
