"""The word that was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def near(word: object, words: Iterable[str]) -> str | None:
    """Return the word that was probably meant, or None."""
    found = difflib.get_close_matches(str(word), list(words), n=1)
    return found[0] if found else None


def did_you_mean(word: object, words: Iterable[str]) -> str:
    """Return the end of a message that proposes the nearest word, or nothing."""
    found = near(word, words)
    return "" if found is None else f"; did you mean '{found}'?"
