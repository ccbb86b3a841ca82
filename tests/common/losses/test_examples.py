"""The examples in the docstrings of the losses run as they are printed."""

import re
import textwrap

import pytest

from common import losses


@pytest.mark.parametrize("name", losses.__all__)
def test_the_example_of_a_loss_runs(name):
    (example,) = re.findall(r"```python\n(.*?)```", getattr(losses, name).__doc__, re.DOTALL)
    variables = {}
    exec(textwrap.dedent(example), variables)
    assert isinstance(variables["model"].loss, getattr(losses, name))
    assert variables["model"].optimizer.iterations == 2, "one epoch of 32 examples in batches of 16"
