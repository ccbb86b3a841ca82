"""predictions.csv, the waist of the suite: everything after it can be recomputed without a model."""

COLUMNS = (
    "path", "video", "identity", "source", "frame", "dataset", "split", "label", "score", "model", "protocol", "seed",
)  # fmt: skip


def prediction_table(images, scores, model, protocol, seed):
    """One row an image: what the manifest knows of it, and a model's score (n,) in [0, 1], growing with P(fake)."""
    return images.assign(score=scores, model=model, protocol=protocol, seed=seed)[list(COLUMNS)]
