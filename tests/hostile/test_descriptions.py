"""models/<name>.json from strangers: types, ranges, and names that become names of files."""

import json

import pytest

from common.detectors.description import descriptions
from common.detectors.description_rules import FIELDS
from common.errors import UserError

SOUND = {
    "model": "red", "preprocessing": {"size": 8, "resize": "nearest", "scale": 0.1, "offset": 0.0},
    "head": "probability", "features": "", "faces": {"faces": "none", "framing": None, "size": None},
    "threshold": 0.5, "proposed": True, "width": None, "protocol": "frame", "seed": 0, "part": "",
    "trained_on": {"faces": "0a"}, "name": "red", "network": "red.keras", "classifier": "", "summary": "",
}  # fmt: skip
NO_TEXTS = (None, 7, [], {}, True)
OUTSIDE = ("../x", "/etc/x", "a/b", "a\\b", "..", ".x", "", "C:x", "a\0b", "a\nb", "-x", "x" * 300)
WRONG = {
    "model": (*NO_TEXTS, "", " "), "protocol": NO_TEXTS, "part": NO_TEXTS, "features": NO_TEXTS,
    "head": (*NO_TEXTS, "softmax"), "proposed": (None, 1, "yes", []), "threshold": (None, "0.5", True, [], 1e300),
    "seed": ("0", 1.5, -1, True, []), "width": ("x", 0, -1, True), "trained_on": (None, [], "x", {"a": 1}, {"": "0a"}),
    "preprocessing": (None, [], {}, {"size": 0}, {"size": "8"}, {"size": 8.5}, {"size": True}, {"size": 10**9},
                      {"size": 8, "resize": "x"}, {"size": 8, "resize": 3}, {"size": 8, "scale": None},
                      {"size": 8, "offset": "x"}, {"size": 8, "more": 1}),
    "faces": (None, [], "mtcnn", {"faces": "dlib"}, {"faces": []}, {"size": -4}, {"size": "x"}, {"rescale": 0},
              {"margin": "x"}, {"pick": []}, {"min_confidence": "x"}, {"crop_size": [0, 0]}, {"crop_size": "ab"},
              {"crop_size": [1, 2, 3]}, {"framing": 3}, {"framing": {"height": 0, "x": 1, "y": 1}},
              {"framing": {"height": 1, "x": "a", "y": 1}}, {"framing": {"x": 1}}, {"more": 1}),
    "name": (*OUTSIDE, *NO_TEXTS, "other"),
    "network": (*OUTSIDE, *NO_TEXTS, *(f"{name}.keras" for name in OUTSIDE), "red.h5", "red.json", "hf://u/red.keras"),
    "classifier": (*NO_TEXTS, *(f"{name}.skops" for name in OUTSIDE), "red.pkl"),
    "summary": (*NO_TEXTS, *(f"{name}.npz" for name in OUTSIDE), "red.npy"),
}  # fmt: skip


def read(folder, document):
    (folder / "models").mkdir(exist_ok=True)
    text = document if isinstance(document, str) else json.dumps(document)
    (folder / "models" / "red.json").write_text(text)
    return descriptions(folder)


def test_every_field_has_wrong_values_here():
    assert set(WRONG) == set(FIELDS) == set(SOUND)


def test_a_sound_document_is_read(tmp_path):
    assert read(tmp_path, SOUND)["red"].trained_on == {"faces": "0a"}
    least = {name: SOUND[name] for name in ("model", "preprocessing", "name", "network")}
    assert read(tmp_path, least)["red"].threshold == 0.5


@pytest.mark.parametrize("field", WRONG)
def test_a_wrong_value_is_named(tmp_path, field):
    for value in WRONG[field]:
        with pytest.raises(UserError, match=rf"red.json: .*{field}") as caught:
            read(tmp_path, SOUND | {field: value})
        assert "\n" not in str(caught.value), value


@pytest.mark.parametrize("field", ["name", "network", "preprocessing"])
def test_a_missing_field_is_named(tmp_path, field):
    with pytest.raises(UserError, match=f"{field} is missing"):
        read(tmp_path, {name: value for name, value in SOUND.items() if name != field})


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "7", '"x"', "[" * 100_000, '{"model": NaN', "{}", '{"a": 1}'])
def test_another_document_is_no_traceback(tmp_path, text):
    with pytest.raises(UserError, match="red.json"):
        read(tmp_path, text)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 10**400])
def test_numbers_that_json_cannot_mean_are_refused(tmp_path, value):
    with pytest.raises(UserError, match="threshold"):
        read(tmp_path, SOUND | {"threshold": value})
