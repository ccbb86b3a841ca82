"""Export a trained detector with all that lies between a face and its score: a TensorFlow SavedModel, or ONNX.

In: `faces`, uint8 RGB (B, H, W, 3), any B, H, W from 1 on. Out: `score`, float32 (B,), in [0, 1]: that of
common.predict. Resizing, scaling, network and classifier are inside; faces are found and cropped outside, as
export.json tells.
"""

import importlib.util
import os
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from common.cli import parse, run_main
from common.errors import UserError
from common.files import write_json
from common.tensorflow_import import import_tensorflow

NEEDED = ("tf2onnx", "onnx")
OPSET = 18  # of ONNX


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
    if options.format == "onnx" and not all(map(importlib.util.find_spec, NEEDED)):
        raise UserError('--format onnx needs tf2onnx and onnx: pip install -e ".[onnx]", or --format savedmodel')
    import_tensorflow()
    from common.detectors import store as detectors

    detector = detectors.load(options.run, options.model)
    name = detector.description.name
    folder = export(detector, options.format, options.output or options.run / "export" / f"{name}-{options.format}")
    print(f"model {name} of {options.run}", file=sys.stderr)
    print(folder)


def export(detector, form, folder):
    """Write a Detector into `folder` as `form`, savedmodel or onnx, with export.json; returns the folder.

    For ONNX its network is set to float32. UserError if the folder exists, or if the classifier is not known to
    common.tensor_classifiers.
    """
    folder = Path(folder)
    if folder.exists():
        raise UserError(f"{folder} exists; remove it, or name another --output")
    with _atomic_folder(folder) as temporary:
        {"savedmodel": _write_savedmodel, "onnx": _write_onnx}[form](detector, temporary)
        write_json(card(detector, form), temporary / "export.json")
    return folder


def _write_savedmodel(detector, folder):
    import tensorflow as tf

    module = tf.Module()
    module.weights = detector.network.variables  # keras.export's archive would store each of them twice
    module.serve = score_function(detector, resized)
    tf.saved_model.save(module, str(folder), signatures=module.serve)


def _write_onnx(detector, folder):
    """tf2onnx on the frozen graph: its own way in, and so Keras's, takes a layer's constants for inputs."""
    import tensorflow as tf
    import tf2onnx
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    from common.detectors.store import in_float32

    tf.get_logger().setLevel("ERROR")  # tf2onnx calls what TensorFlow deprecates
    in_float32(detector.network)
    function = score_function(detector, resized_by_matrices).get_concrete_function()
    frozen = convert_variables_to_constants_v2(function, lower_control_flow=False)
    faces, score = function.inputs[0].name, frozen.outputs[0].name
    tf2onnx.convert.from_graph_def(
        frozen.graph.as_graph_def(),
        input_names=[faces],
        output_names=[score],
        tensors_to_rename={faces: "faces", score: "score"},
        opset=OPSET,
        output_path=str(folder / "model.onnx"),
    )


def score_function(detector, resize):
    """A tf.function of `faces`, uint8 (B, H, W, 3) -> {score: float32 (B,)}.

    resize: a function of faces and the Preprocessing -> (B, S, S, 3), whole numbers in [0, 255].
    """
    import tensorflow as tf

    from common.data.pipeline import Preprocessing
    from common.detectors import tensor_classifiers

    description = detector.description
    preprocessing = Preprocessing(**description.preprocessing)
    classify = detector.classifier and tensor_classifiers.scores(detector.classifier, description.head)

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3), tf.uint8, name="faces")])
    def score(faces):
        images = preprocessing.scaled(resize(faces, preprocessing))
        outputs = tf.cast(detector.network(images, training=False), tf.float64)
        if classify:
            outputs = classify(outputs)
        elif description.head == "margin":
            outputs = tf.sigmoid(outputs)
        return {"score": tf.cast(tf.reshape(outputs, (-1,)), tf.float32)}

    return score


def resized(faces, preprocessing):
    """common.data.pipeline' own resizing, image by image."""
    import tensorflow as tf

    return tf.map_fn(preprocessing.resized, faces, fn_output_signature=tf.uint8)


def resized_by_matrices(faces, preprocessing):
    """The same in operations that ONNX has: it lacks the one behind tf.image.resize with anti-aliasing.

    Resizing is linear and separable: rows @ image @ columns. Sums are in another order than TensorFlow's, so that a
    value half way between two pixel values may be rounded to the other: of noise, at worst one in 10,000 is off by one.
    """
    import tensorflow as tf

    size, method = preprocessing.size, preprocessing.resize
    height, width = tf.shape(faces)[1], tf.shape(faces)[2]
    if method == "nearest":
        rows, columns = (_nearest_places(size, tf.cast(side, tf.float32)) for side in (height, width))
        return tf.gather(tf.gather(faces, rows, axis=1), columns, axis=2)
    if method not in WEIGHTS:
        known = ", ".join(("nearest", *WEIGHTS))
        raise UserError(f"--format onnx knows the resizings {known}, not {method}; take --format savedmodel")
    rows, columns = (WEIGHTS[method](size, tf.cast(side, tf.float32)) for side in (height, width))
    pixels = tf.cast(faces, tf.float32)
    pixels = tf.matmul(rows, tf.reshape(pixels, (-1, height, width * 3)))  # (B, S, W * 3)
    pixels = tf.transpose(tf.reshape(pixels, (-1, size, width, 3)), (0, 1, 3, 2))  # (B, S, 3, W)
    pixels = tf.transpose(tf.matmul(pixels, columns, transpose_b=True), (0, 1, 3, 2))  # (B, S, S, 3)
    return tf.clip_by_value(tf.round(pixels), 0.0, 255.0)


def _nearest_places(size, side):
    """(size,): the place of the old pixel that a new one is, in TensorFlow's own float32."""
    import tensorflow as tf

    places = tf.floor(tf.range(size, dtype=tf.float32) * (side / size))
    return tf.cast(tf.minimum(places, side - 1.0), tf.int32)


def _triangle_weights(size, side):
    """(size, side): how much of each old pixel is in a new one, by a triangle that down-scaling widens.

    As TensorFlow's ScaleAndTranslate: the anti-aliased bilinear method of tf.image.resize.
    """
    import tensorflow as tf

    scale = 1.0 / (size / side)  # in TensorFlow's own roundings
    centres = (tf.range(size, dtype=tf.float32) + 0.5) * scale
    distances = tf.abs(tf.range(side) + 0.5 - centres[:, None]) / tf.maximum(scale, 1.0)
    weights = tf.maximum(1.0 - distances, 0.0)
    return weights / tf.reduce_sum(weights, axis=1, keepdims=True)


def _area_weights(size, side):
    """(size, side): which part of a new pixel's area each old one covers."""
    import tensorflow as tf

    scale = side / size
    starts = tf.range(size, dtype=tf.float32)[:, None] * scale
    olds = tf.range(side)
    return tf.maximum(tf.minimum(olds + 1.0, starts + scale) - tf.maximum(olds, starts), 0.0) / scale


WEIGHTS = {"bilinear": _triangle_weights, "area": _area_weights}


def card(detector, form):
    """What a user of the exported model must know, for export.json."""
    description = detector.description
    file = "this folder" if form == "savedmodel" else "model.onnx"
    call = (
        'model = tf.saved_model.load(FOLDER); model.serve(faces)["score"]'
        if form == "savedmodel"
        else 'onnxruntime.InferenceSession("model.onnx").run(["score"], {"faces": faces})[0]'
    )
    return {
        "model": description.name,
        "format": form,
        "file": file,
        "call": call,
        "input": "faces: uint8 (B, H, W, 3), RGB, cropped faces of one size, any size",
        "output": "score: float32 (B,), in [0, 1], grows with the probability of a fake",
        "threshold": description.threshold,
        "verdict": "fake where score >= threshold, else real",
        "cropping": _cropping(description.faces),
        "inside": {
            "preprocessing": description.preprocessing,
            "network": description.network,
            "classifier": description.classifier,
        },
    }


def _cropping(faces):
    """How faces must be cropped, in words and as data_prep's flags."""
    if (faces.get("faces") or "none") == "none":
        return {"words": "the whole picture is the face, as in the run's own data", **faces}
    size = f", then resized to {faces['size']} x {faces['size']} px" if faces.get("size") else ""
    words = f"the box of the detector {faces['faces']}, widened by {faces['margin']} px in all{size}"
    return {"words": f"{words}, as common.faces.detection.crop does it", **faces}


@contextmanager
def _atomic_folder(folder):
    """Yield a temporary folder beside `folder`, which takes that name only if the block ends without an error."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".", suffix=f"-{folder.name}", dir=folder.parent) as outer:
        temporary = Path(outer) / "whole"  # made by mkdir: with the usual rights, unlike the one around it
        temporary.mkdir()
        yield temporary
        os.rename(temporary, folder)


if __name__ == "__main__":
    run_main(main)
