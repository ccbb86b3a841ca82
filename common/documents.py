"""Rules of JSON documents that may come from a stranger: types, ranges, and names that become names of files."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from common.errors import UserError

FILE_NAME = re.compile(r"[^\x00-\x1f/\\:]{1,240}")  # without its suffix; no folder, drive or stream of any system
MAX_NUMBER = 1e9

Rule = tuple[Callable[[Any], bool], str]  # a test, and what is expected in words


def check_fields(
    document: Any, rules: Mapping[str, Rule], required: tuple[str, ...], file: Path, prefix: str = "", *,
    closed: bool = True,
) -> None:  # fmt: skip
    """Check the fields of a JSON object.

    Args:
        document: the object.
        rules: {field: (test, what is expected in words)}.
        required: fields that must be there.
        file: for the message.
        prefix: of the fields' names in the message.
        closed: whether fields without a rule are refused.

    Raises:
        UserError: naming the first field that breaks a rule.
    """
    if not isinstance(document, dict):
        raise UserError(f"{file}: {prefix[:-1] or 'the document'} is {_shown(document)}, expected an object {{...}}")
    if closed and (unknown := [name for name in document if name not in rules]):
        raise UserError(f"{file}: unknown field {prefix}{_shown(unknown[0])}; known: {', '.join(rules)}")
    if missing := [name for name in required if name not in document]:
        expected = f"; expected {rules[missing[0]][1]}" if missing[0] in rules else ""
        raise UserError(f"{file}: the field {prefix}{missing[0]} is missing{expected}")
    for name, (fits, expected) in rules.items():
        value = document.get(name)
        if name in document and not fits(value):
            raise UserError(f"{file}: {prefix}{name} is {_shown(value)}, expected {expected}")


def is_whole(value: Any, low: float = 0, high: float = MAX_NUMBER) -> bool:
    """Return whether a JSON value is a whole number in [low, high]; true and false are none."""
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def is_number(value: Any, low: float = -MAX_NUMBER, high: float = MAX_NUMBER) -> bool:
    """Return whether a JSON value is a number in [low, high]; NaN, true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def is_file_name(value: Any, suffix: str = "") -> bool:
    """Return whether a JSON value names a file of one folder, with this suffix."""
    if not isinstance(value, str) or not value.endswith(suffix):
        return False
    stem = value.removesuffix(suffix)
    return bool(FILE_NAME.fullmatch(stem)) and not stem.startswith((".", "-"))


def is_text(value: Any) -> bool:
    """Return whether a JSON value is text."""
    return isinstance(value, str)


def optional(rule: Rule) -> Rule:
    """Return a rule that allows null too."""
    return lambda value: value is None or rule[0](value), f"{rule[1]}, or null"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


TEXT: Rule = (is_text, "text")
NUMBER: Rule = (is_number, "a number")
FLAG: Rule = (lambda value: isinstance(value, bool), "true or false")
OBJECT: Rule = (lambda value: isinstance(value, dict), "an object {...}")
TEXTS: Rule = (lambda value: isinstance(value, list) and all(map(is_text, value)), "a list of texts")
FINGERPRINTS: Rule = (
    lambda value: isinstance(value, dict) and all(name.strip() and is_text(text) for name, text in value.items()),
    "an object of names and texts",
)
