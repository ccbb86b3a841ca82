"""Names of videos and persons: which cells hold them, and when two of them are the same."""

import posixpath
import unicodedata

import pandas as pd


def separate_names(cells: pd.Series) -> pd.Series:
    """Return the names in cells that hold several, separated by `;`.

    Args:
        cells: strings (n,), e.g. the column `original` or `identity` of a manifest.

    Returns:
        The names without blanks around them and without empty ones; the index is that of their cell.
    """
    names = cells[cells != ""].str.split(";").explode().str.strip()
    return names[names != ""]


def comparable_names(names: pd.Series) -> pd.Series:
    """Return names in the form in which equal ones are the same video or person, whoever wrote the manifest.

    Two systems spell one name differently: composed or decomposed accents (Unicode NFC, UAX #15), upper or lower case
    (case folding), `./`, `//` or backslashes in a path, blanks around it.

    Args:
        names: strings (n,).

    Returns:
        Strings (n,), with the index of `names`; an empty name stays empty.
    """
    forms = {name: _comparable(name) for name in names.unique()}
    return names.map(forms)


def scope_of(images: pd.DataFrame) -> pd.Series:
    """Return within what equal names are one video or person, strings (n,).

    Args:
        images: n rows of a manifest. The scope is the column `scope` if data sets share videos and persons, else
            `dataset`, else everything.
    """
    column = next((column for column in ("scope", "dataset") if column in images), None)
    return images[column] if column else pd.Series("", index=images.index)


def _comparable(name):
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold()).strip()
    return posixpath.normpath(folded.replace("\\", "/")).replace("//", "/") if folded else ""
