"""What a check found, and what every check promises."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from lamina.doctor.examined import Examined

Level = Literal["fine", "note", "warning", "error"]
Area = Literal["machine", "recipe", "data"]

EXIT_CODES: Mapping[Area, int] = {"data": 3, "recipe": 2, "machine": 6}
"""What the program returns where an area has errors; of several the first here."""


@dataclass(frozen=True)
class Finding:
    """One thing that a person should know."""

    level: Level
    where: str
    """A file, a case, an option, or a part of the machine."""
    what: str
    remedy: str = ""
    """What to do; empty where nothing has to be done."""
    fix: Mapping[str, Any] | None = None
    """What to lay over the recipe's ``data`` to be rid of it; None: it is not the recipe's."""


class Check(Protocol):
    """A frozen value whose fields are its limits."""

    @property
    def name(self) -> str:
        """What findings call it, one word."""
        ...

    @property
    def area(self) -> Area:
        """What it looks at."""
        ...

    def __call__(self, examined: Examined) -> Iterator[Finding]:
        """Yield what it found, at least one finding; nothing is ever changed."""
        ...


def first_names(names: list[str], most: int = 5) -> str:
    """Return the first few of many names, and how many more there are.

    Example:
        >>> first_names(["a", "b", "c"], 2)
        'a, b and 1 more'
    """
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def counted(count: int, noun: str) -> str:
    """Return a number with its noun.

    Example:
        >>> counted(1, "case"), counted(3, "case")
        ('1 case', '3 cases')
    """
    return f"{count} {noun}{'' if count == 1 else 's'}"
