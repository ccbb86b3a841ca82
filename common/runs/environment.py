"""What a run was computed with: versions of Python and of all packages, and the variables that change numbers."""

import functools
import os
import platform
import re
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

from common.documents import FINGERPRINTS, TEXT, TEXTS, check_fields
from common.files import read_json

PROJECT = "deepfake-reproductions"
EXTRAS = ("gpu", "jax", "onnx", "tensorboard")  # of setup.cfg, which a run can use
# Where the project is not installed but on PYTHONPATH, its packages are found from these on.
DIRECT = (
    "h5py", "jax", "keras", "matplotlib", "mtcnn", "opencv-python-headless", "pandas", "scikit-learn", "skops",
    "tensorflow", "tyro",
)  # fmt: skip
VARIABLES = re.compile(
    r"(TF_(NUM|ENABLE|DISABLE|DETERMINISTIC|CUDNN|CUBLAS|XLA|GPU|FORCE|USE)_\w+|TF_CONFIG|XLA_FLAGS|JAX_\w+|KERAS_BACKEND"
    r"|\w+_NUM_THREADS|CUDA_VISIBLE_DEVICES|NVIDIA_TF32_OVERRIDE|CUBLAS_WORKSPACE_CONFIG|PYTHONHASHSEED)"
)


FIELDS = {  # of environment.json, which other rooms read
    "paper": TEXT, "data": FINGERPRINTS, "started": TEXT, "finished": TEXT, "commit": TEXT, "devices": TEXTS,
}  # fmt: skip


def read_environment(file: Path) -> dict[str, Any]:
    """Return the content of a run's environment.json.

    Raises:
        UserError: if it is not JSON, or one of FIELDS is of another type.
    """
    document = read_json(file)
    check_fields(document, FIELDS, (), file, closed=False)
    return document


def describe_environment() -> dict[str, Any]:
    """Return Python, the system, the installed packages and the variables, for environment.json."""
    return {
        "python": platform.python_version(),
        "system": platform.platform(),
        "processors": os.cpu_count(),
        "variables": {name: value for name, value in sorted(os.environ.items()) if VARIABLES.fullmatch(name)},
        "packages": installed_packages(),
    }


@functools.cache
def installed_packages(project: str = PROJECT) -> dict[str, str]:
    """Return {name: version} of the packages that the suite needs, directly and indirectly, in alphabetical order.

    Args:
        project: the suite's name among the installed packages.
    """
    from packaging.requirements import Requirement  # here: --help need not wait for it

    found: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()

    def visit(name: str, extras: Iterable[str]) -> None:
        try:
            package = metadata.distribution(name)
        except metadata.PackageNotFoundError:  # of an extra that is not installed
            return
        found[package.metadata["Name"]] = package.version
        for extra in ("", *extras):
            if (package.metadata["Name"], extra) in seen:
                continue
            seen.add((package.metadata["Name"], extra))
            for requirement in map(Requirement, package.requires or ()):
                if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                    visit(requirement.name, requirement.extras)

    visit(project, EXTRAS)
    if project not in found:
        for name in DIRECT:
            visit(name, ())
    found.pop(project, None)
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


def requirements(environment: dict[str, Any], commit: str) -> str:
    """Return the text of a file for `pip install -r`, which installs the packages of a run again.

    Args:
        environment: of `describe_environment`.
        commit: the version of the suite's code.
    """
    lines = [
        f"# Python {environment['python']}, {environment['system']}; the code is commit {commit}",
        "# pip install -r requirements.txt && pip install --no-deps -e CHECKOUT",
        *(f"# {name}={value}" for name, value in environment["variables"].items()),
        # A local version, e.g. 2.11.0+cpu, is on no index; without it pip also takes the installed one.
        *(f"{name}=={version.partition('+')[0]}" for name, version in environment["packages"].items()),
    ]
    return "\n".join(lines) + "\n"
