"""Export a trained detector with everything between a face and its score: a TensorFlow SavedModel, or ONNX.

Input: `faces`, uint8 RGB (B, H, W, 3), any B, H and W. Output: `score`, float32 (B,), in [0, 1], the same as
common.predict's. Resizing, scaling, network and classifier are inside; finding and cropping faces is not. export.json
describes how.
"""

import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from common.cli import parse, run_main
from common.errors import UserError
from common.tensorflow_import import use_tensorflow

ONNX_PACKAGES = ("tf2onnx", "onnx")


@dataclass(frozen=True)
class ExportOptions:
    """Flags of `python -m common.export`."""

    run: tyro.conf.Positional[Path]
    """A run folder: RUNS/<paper>/<run>."""
    format: Literal["savedmodel", "onnx"] = "savedmodel"
    """savedmodel for TensorFlow and its servers; onnx needs `pip install -e ".[onnx]"`."""
    model: str | None = None
    """A model of the run; none: the paper's proposed one."""
    output: Path | None = None
    """The folder to write, which must not exist; none: RUN/export/<model>-<format>."""
    debug: bool = False
    """Show the traceback of an error."""


def main(argv=None):
    options = parse(ExportOptions, argv, prog="python -m common.export", description=__doc__)
    if options.format == "onnx" and not all(map(importlib.util.find_spec, ONNX_PACKAGES)):
        raise UserError('--format onnx needs tf2onnx and onnx: pip install -e ".[onnx]", or --format savedmodel')
    use_tensorflow()
    from common.detectors import exporting, store

    detector = store.load(options.run, options.model)
    name = detector.description.name
    folder = options.output or options.run / "export" / f"{name}-{options.format}"
    exporting.export(detector, options.format, folder)
    print(f"model {name} of {options.run}", file=sys.stderr)
    print(folder)


if __name__ == "__main__":
    run_main(main)
