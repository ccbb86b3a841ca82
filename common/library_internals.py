"""Private parts of Keras and scikit-learn that the suite uses, each in one function; a test says what would break."""

import keras


def all_layers(model: keras.Model) -> list[keras.Layer]:
    """Return the layers of a model and of the models within it, without the models themselves at the top.

    Keras has no public way to visit nested layers; `Model._flatten_layers` is what its own `summary` uses.
    """
    return list(model._flatten_layers(include_self=False))
