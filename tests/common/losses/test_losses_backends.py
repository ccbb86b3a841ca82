"""The losses on the other backends of Keras, each in its own process."""

import importlib.util
import json
import os
import subprocess
import sys

import numpy as np
import pytest

EVALUATE = """
import json
import numpy as np
from common.layers import l2_normalize
from common.losses import BatchAll, BatchHard, SemiHard, TripletHinge, TripletLogExp

random = np.random.default_rng(0)
labels, embeddings = random.integers(0, 3, 24), random.normal(size=(24, 6)).astype("float32")
mined = [BatchAll(), BatchAll(0.8, "squared", "all"), BatchAll("soft"), BatchHard(), BatchHard("soft", "cosine")]
values = [float(loss(labels, embeddings)) for loss in [*mined, SemiHard(), SemiHard(0.3, "cosine")]]
values += [float(loss(np.eye(3)[labels], embeddings)) for loss in mined]
given = (TripletHinge(), TripletHinge("soft", "euclidean"), TripletHinge(0.4, "cosine"), TripletLogExp())
values += [float(loss(labels[:8], embeddings.reshape(8, 3, 6))) for loss in given]
values.append(float(BatchHard(0.0)(labels, 10 + 1e-3 * embeddings)))  # small distances far from the origin
print(json.dumps([*values, float(l2_normalize(embeddings)[0, 0])]))
"""


def evaluate(backend):
    environment = os.environ | {"KERAS_BACKEND": backend}
    command = [sys.executable, "-c", EVALUATE]
    return json.loads(subprocess.run(command, env=environment, capture_output=True, check=True, text=True).stdout)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_every_backend_gives_the_same_values(backend):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    values = evaluate("tensorflow")
    assert all(value > 0 for value in values[:-1])
    np.testing.assert_allclose(evaluate(backend), values, rtol=1e-5)
