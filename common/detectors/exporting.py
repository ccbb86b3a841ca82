"""A detector as a TensorFlow SavedModel or as ONNX: uint8 faces of any size in, scores out."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import tensorflow as tf

from common.data.pipeline import Preprocessing
from common.detectors import tensor_classifiers
from common.detectors.graph_resizing import resize, resize_by_matrices
from common.detectors.store import Detector, in_float32
from common.errors import UserError
from common.files import atomic_folder

OPSET = 18  # of ONNX

Resize = Callable[[tf.Tensor, Preprocessing], tf.Tensor]


def export(detector: Detector, form: Literal["savedmodel", "onnx"], folder: str | Path) -> Path:
    """Write a detector with export.json.

    Args:
        detector: a loaded detector. For ONNX its network is set to float32.
        form: the format.
        folder: the folder to write, which must not exist.

    Returns:
        The folder.

    Raises:
        UserError: if the folder exists, or the classifier is unknown to common.detectors.tensor_classifiers.
    """
    folder = Path(folder)
    if folder.exists():
        raise UserError(f"{folder} exists; remove it, or choose another --output")
    with atomic_folder(folder) as temporary:
        {"savedmodel": _write_savedmodel, "onnx": _write_onnx}[form](detector, temporary)
        card = json.dumps(export_card(detector, form), indent=2, ensure_ascii=False)
        (temporary / "export.json").write_text(card + "\n", encoding="utf-8")
    return folder


def score_function(detector: Detector, resize: Resize) -> tf.types.experimental.PolymorphicFunction:
    """Return a tf.function of `faces`, uint8 (B, H, W, 3) -> {score: float32 (B,)}.

    Args:
        detector: a loaded detector.
        resize: (faces, preprocessing) -> (B, S, S, 3), whole numbers in [0, 255].
    """
    description = detector.description
    preprocessing = Preprocessing(**description.preprocessing)
    classify = detector.classifier and tensor_classifiers.scores(detector.classifier, description.head)

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3), tf.uint8, name="faces")])
    def score(faces):
        images = preprocessing.scale_pixels(resize(faces, preprocessing))
        outputs = tf.cast(detector.network(images, training=False), tf.float64)
        if classify:
            outputs = classify(outputs)
        elif description.head == "margin":
            outputs = tf.sigmoid(outputs)
        return {"score": tf.cast(tf.reshape(outputs, (-1,)), tf.float32)}

    return score


def export_card(detector: Detector, form: str) -> dict[str, Any]:
    """Return what a user of the exported model must know, for export.json."""
    description = detector.description
    savedmodel = form == "savedmodel"
    return {
        "model": description.name,
        "format": form,
        "file": "this folder" if savedmodel else "model.onnx",
        "call": 'model = tf.saved_model.load(FOLDER); model.serve(faces)["score"]'
        if savedmodel
        else 'onnxruntime.InferenceSession("model.onnx").run(["score"], {"faces": faces})[0]',
        "input": "faces: uint8 (B, H, W, 3), RGB, cropped faces of one size, any size",
        "output": "score: float32 (B,), in [0, 1], grows with the probability of a fake",
        "threshold": description.threshold,
        "verdict": "fake if score >= threshold, else real",
        "cropping": describe_cropping(description.faces),
        "inside": {
            "preprocessing": description.preprocessing,
            "network": description.network,
            "classifier": description.classifier,
        },
    }


def describe_cropping(faces: dict[str, Any]) -> dict[str, Any]:
    """Return how faces must be cropped, in words and as data_prep's flags."""
    if (faces.get("faces") or "none") == "none":
        words = "the whole picture is the face, as in the run's own data"
        if framing := faces.get("framing"):
            words += (
                f": MTCNN's box has {framing['height']:g} of its height, centred at {framing['x']:g} of its width and "
            )
            words += f"{framing['y']:g} of its height"
        return {"words": words, **faces}
    first = f"the picture resized to {faces['rescale']} x {faces['rescale']} px, then " if faces.get("rescale") else ""
    size = f", then resized to {faces['size']} x {faces['size']} px" if faces.get("size") else ""
    words = f"{first}the box of the detector {faces['faces']}, enlarged by {faces.get('margin') or 0} px in total{size}"
    return {"words": f"{words}, as common.faces.detection.crop does it", **faces}


def _write_savedmodel(detector, folder):
    module = tf.Module()
    module.weights = detector.network.variables  # keras.export's archive would store each of them twice
    module.serve = score_function(detector, resize)
    tf.saved_model.save(module, str(folder), signatures=module.serve)


def _write_onnx(detector, folder):
    """Convert the frozen graph: tf2onnx's other entry points, and Keras's, take a layer's constants for inputs."""
    import tf2onnx  # an optional dependency
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    tf.get_logger().setLevel("ERROR")  # tf2onnx calls what TensorFlow deprecates
    in_float32(detector.network)
    function = score_function(detector, resize_by_matrices).get_concrete_function()
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
