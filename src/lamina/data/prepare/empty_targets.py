"""Cases without those whose target holds no foreground at all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lamina.data.case import Case
from lamina.data.views.chunks import pieces
from lamina.errors import DataError
from lamina.progress import Bar, say
from lamina.volume import Volume


def without_empty(root: Path, cases: Sequence[Case]) -> tuple[Case, ...]:
    """Return the cases whose target holds foreground; every target is read for it.

    Args:
        root: The data folder, for messages.
        cases: Opened.

    Raises:
        DataError: none is left, or a target cannot be read.
    """
    left = []
    with Bar("checking for empty targets", len(cases)) as bar:
        for case in cases:
            if case.target is not None and _has_foreground(case.target):
                left.append(case)
            bar.advance()
    if not left:
        raise DataError(f"{root}: all {len(cases)} targets are empty; add labels")
    if len(left) < len(cases):
        say(f"{root}: {len(cases) - len(left)} volumes left out, their targets are empty")
    return tuple(left)


def _has_foreground(target: Volume) -> bool:
    return any(bool(target.read(region).any()) for region in pieces(target))
