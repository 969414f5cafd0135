"""Names of cases: one spelling for what file systems spell in several ways."""

from __future__ import annotations

import unicodedata


def nfc(name: str) -> str:
    """Return ``name`` in Unicode's composed form, so that equal names compare equal."""
    return unicodedata.normalize("NFC", name)
