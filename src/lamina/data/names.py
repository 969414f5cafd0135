"""Names of cases: one spelling for what file systems spell in several ways."""

from __future__ import annotations

import unicodedata
from fnmatch import fnmatchcase


def nfc(name: str) -> str:
    """Return ``name`` in Unicode's composed form, so that equal names compare equal."""
    return unicodedata.normalize("NFC", name)


def matches(id: str, pattern: str) -> bool:
    """Whether an id is the one that ``pattern`` names, or one of those its ``*`` stands for.

    An id that is the pattern itself always matches, so that ids may hold brackets.
    """
    return id == nfc(pattern) or fnmatchcase(id, nfc(pattern))
