"""Values of a recipe that know where they were written."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any, TypeAlias

Scalar: TypeAlias = "str | int | float | bool | None"


@dataclass(frozen=True, order=True)
class Where:
    """A place that a user wrote: a line of a file, or a change on the command line."""

    source: str
    """The file as the user named it, or ``-s NAME=VALUE``."""

    line: int = 0
    """Counted from 1; 0: the whole source."""

    def __str__(self) -> str:
        return f"{self.source}:{self.line}" if self.line else self.source


@dataclass(frozen=True)
class Node:
    """A value of a recipe and where it is written: a mapping and a list hold nodes."""

    value: dict[str, Node] | list[Node] | Scalar
    where: Where
    text: str | None = None
    """A number, truth value or null as the user wrote it."""

    @property
    def unreadable(self) -> bool:
        """Whether this stands for a word that was no value; a problem was told on reading."""
        return self.value is None and self.text is not None and self.text not in _WORDS

    def __str__(self) -> str:
        """Return the value as messages quote it, at most 60 characters."""
        shown = self.text if self.text is not None else repr(plain_value(self))
        return shown if len(shown) <= 60 else shown[:57] + "..."


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, and where."""

    where: Where
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"


def plain_value(node: Node) -> Any:
    """Return the value without lines, as JSON knows it: dict, list, text, number, truth, None."""
    if isinstance(node.value, dict):
        return {key: plain_value(part) for key, part in node.value.items()}
    if isinstance(node.value, list):
        return [plain_value(part) for part in node.value]
    return node.value


def item_label(item: Node) -> str | None:
    """Return what changes call an item of a list: its name or else its kind; None: neither."""
    if isinstance(item.value, dict):
        for key in ("name", "kind"):
            if key in item.value and isinstance(item.value[key].value, str):
                return str(item.value[key].value)
    return None


_INT = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_ENDLESS = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
}


def scalar(text: str) -> Scalar:
    """Return what a word without quotes means in the core schema of YAML 1.2.2, chapter 10.3.

    ``1e-4`` is a number; ``no``, ``on`` and ``off`` are text. One rule is stricter: a whole
    number with a leading zero (``012``) is text too, since people read it as 10 or as 12.

    Raises:
        ValueError: the word is not a finite number, or one of more than 100 characters.

    Example:
        >>> [scalar(word) for word in ("1e-4", "no", "012", "0x1F", "~")]
        [0.0001, 'no', '012', 31, None]
    """
    if text in _WORDS:
        return _WORDS[text]
    whole, fraction = _INT.fullmatch(text), _FLOAT.fullmatch(text)
    if _ENDLESS.fullmatch(text) or (fraction and not math.isfinite(float(text))):
        raise ValueError(f"{text[:40]} is not a finite number")
    if (fraction or _BASED.fullmatch(text)) and len(text) > 100:
        raise ValueError(f"{text[:40]}... is too long for a number")
    if whole:
        return int(text)
    if _BASED.fullmatch(text):
        return int(text, 0)
    if fraction and not re.fullmatch(r"[-+]?0[0-9]+", text):
        return float(text)
    return text
