"""The examples in the docstrings of the losses and in their README run as they are printed."""

import re
import textwrap
from pathlib import Path

import keras
import pytest

from common import losses

README = (Path(losses.__file__).parent / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", losses.__all__)
def test_the_example_of_a_loss_runs(name):
    (example,) = re.findall(r"```python\n(.*?)```", getattr(losses, name).__doc__, re.DOTALL)
    variables = {}
    exec(textwrap.dedent(example), variables)
    assert isinstance(variables["model"].loss, getattr(losses, name))
    assert variables["model"].optimizer.iterations == 2, "one epoch of 32 examples in batches of 16"


@pytest.mark.slow
def test_the_example_of_the_readme_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    variables = {}
    exec(example, variables)
    again = variables["again"]
    assert isinstance(keras.losses.get(again.loss), losses.SemiHard) and again.optimizer.iterations == 2


def test_the_readme_describes_every_loss_with_its_defaults():
    for name in losses.__all__:
        (row,) = re.findall(rf"^\| `{name}` \|.*$", README, re.MULTILINE)[:1]
        loss = getattr(losses, name)()
        if hasattr(loss, "margin"):
            assert row.endswith(f"| margin {loss.margin:g}, {loss.distance} |"), row
