"""Every error that lamina raises on purpose, and the exit code of each.

    LaminaError            1    catch this one to catch them all
    +-- RecipeError        2    the recipe or the command cannot be used as written
    |   +-- OptionError    2    a component was made with options that it does not take
    +-- DataError          3    a file is missing, broken or not what it claims
    |   +-- LeakError      3    one group stands on both sides of a split
    |   +-- LayoutError    3    files are called otherwise than the recipe says
    +-- BundleError        4    weights or a bundle are missing, damaged or do not belong together
    +-- PartialError       5    some items failed; the others are whole
    +-- ResourceError      6    the work does not fit the memory or disk allowed
    +-- StoppedError     130    Ctrl-C, after a clean save (143 for SIGTERM)

A message has three parts: where, what is wrong, what to do. The reader is a user at a
terminal, so the first line must be enough; details follow on indented lines. Anything that is
not a LaminaError is a bug in lamina and keeps its traceback.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

_SHOWN = 10  # problems of one message


class LaminaError(Exception):
    """Base of all errors raised on purpose; ``exit_code`` is what the command line returns."""

    exit_code = 1


class RecipeError(LaminaError):
    """The recipe or the command cannot be used as written."""

    exit_code = 2


class OptionError(RecipeError, ValueError):
    """A component was made in Python with options that it does not take.

    Also a ``ValueError``, as pydantic's own error is; that one is its ``__cause__``.
    """


class DataError(LaminaError):
    """A file is missing, broken or not what it claims."""

    exit_code = 3


class LeakError(DataError):
    """One group stands on both sides of a split."""


class LayoutError(DataError):
    """Files are called otherwise than the recipe says; the message names the options to set."""


class BundleError(LaminaError):
    """Weights or a bundle are missing, damaged, or do not belong together."""

    exit_code = 4


class Result(Protocol):
    """What a verb returns; see ``lamina.public.VerbResult``."""

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        ...


class PartialError(LaminaError):
    """Some items failed; the others are whole. ``result`` is what would have been returned."""

    exit_code = 5

    def __init__(self, message: str, result: Result | None = None) -> None:
        super().__init__(message)
        self.result = result


class ResourceError(LaminaError):
    """The work does not fit the memory or disk allowed."""

    exit_code = 6


class StoppedError(LaminaError):
    """A signal asked to stop, and everything was saved first."""

    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number


def listed(headline: str, problems: Sequence[str], *, most: int = _SHOWN) -> str:
    """Return a message: ``headline``, then up to ``most`` problems on indented lines."""
    lines = [headline, *(problem.replace("\n", "\n  ") for problem in problems[:most])]
    if len(problems) > most:
        lines.append(f"... and {len(problems) - most} more")
    return "\n  ".join(lines)
