"""The embedded data: drawn once into the user's cache, then prepared like anybody's download."""

from data_prep.prepare import PrepareOptions, prepare
from data_prep.synthetic import cached_tree


def embedded(family, count, seed=0):
    """The prepared folder of `count` real and `count` fake images of a family, made on the first call."""
    tree = cached_tree(family, count, seed)
    prepared = tree.with_name(f"{tree.name}-prepared")
    prepare("synthetic", f"{family}:{count}:{seed}", prepared, PrepareOptions())
    return prepared
