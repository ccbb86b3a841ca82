"""How long a paper's run takes, as its run.py says."""

import ast
import re
from pathlib import Path

DURATION = re.compile(r"(\d+) (?:to \d+ )?minutes on 2 CPU cores")


def measured_duration(paper: Path) -> re.Match[str] | None:
    """Return the duration of the preset quick on embedded data, for example `6 to 9 minutes on 2 CPU cores`.

    Args:
        paper: the paper's folder.

    Returns:
        The text in the docstring of run.py, whose first group is the fewest minutes; None if there is none.
    """
    docstring = ast.get_docstring(ast.parse((paper / "run.py").read_text(encoding="utf-8"))) or ""
    return DURATION.search(docstring)
