"""The option ``labels``: which class a stored value or a colour of a mask stands for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

OTHERS = "others"
_COLOUR = re.compile(r"#[0-9a-f]{6}")
_TRIPLE = re.compile(r"\[?\s*(\d{1,3})\s*,\s*(\d{1,3})\s*,\s*(\d{1,3})\s*\]?")


def _key(key: Any) -> int | str:
    if isinstance(key, int) and not isinstance(key, bool):
        return key
    text = str(list(key) if isinstance(key, tuple) else key).strip().lower()
    if text == OTHERS or _COLOUR.fullmatch(text):
        return text
    if re.fullmatch(r"-?\d+", text):
        return int(text)
    found = _TRIPLE.fullmatch(text)
    parts = [int(part) for part in found.groups()] if found else []
    if not parts or max(parts) > 255:
        raise ValueError(_wrong(key))
    return "#" + "".join(f"{part:02x}" for part in parts)


def _wrong(key: Any) -> str:
    return (
        f"{key!r} is no stored value; keys are whole numbers, colours such as '#ff0000' or "
        "'255, 0, 0', and others"
    )


def _checked(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    table = {_key(key): label for key, label in value.items()}
    kinds = {isinstance(key, int) for key in table if key != OTHERS}
    if len(kinds) > 1:
        raise ValueError("labels are keyed by stored values or by colours, not by both")
    for number in (key for key in table if isinstance(key, int)):
        if not -(2**63) <= number < 2**63:
            raise ValueError(f"{number} is no stored value; they have 64 bits at most")
    return table


LabelTable = Annotated[dict[int | str, int] | Literal["binary"], BeforeValidator(_checked)]
"""Stored value, colour (``#rrggbb``) or ``others`` to class; ``binary``: see ``BINARY``."""

BINARY: Mapping[int | str, int] = {0: 0, 1: 1, 255: 1}
"""What ``binary`` stands for, as long as a data set holds one of 1 and 255 and not both."""


@dataclass(frozen=True)
class Table:
    """A label table, taken apart."""

    classes: Mapping[int, int]
    """Stored value, or red * 65536 + green * 256 + blue, to class."""

    others: int | None = None
    """Class of all values that are not named; None: they are refused."""

    colours: bool = False
    """Whether keys are colours."""


def table_of(labels: Mapping[int | str, int] | str) -> Table:
    """Return a label table of a recipe, taken apart."""
    named: Mapping[int | str, int] = BINARY if isinstance(labels, str) else labels
    keys = [key for key in named if key != OTHERS]
    classes = {as_number(key): named[key] for key in keys}
    return Table(classes, named.get(OTHERS), any(isinstance(key, str) for key in keys))


def as_number(key: int | str) -> int:
    """Return a stored value as it is, and a colour as one number."""
    return key if isinstance(key, int) else int(key[1:], 16)


def as_colour(number: int) -> str:
    """Return the colour ``#rrggbb`` of a number."""
    return f"#{number:06x}"


def is_ambiguous(labels: Any, values: Iterable[int]) -> bool:
    """Whether ``binary`` leaves open what is meant: 255 may be the class, or may not count."""
    return labels == "binary" and {1, 255} <= set(values)
