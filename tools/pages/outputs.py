"""Outputs of commands: how a block shows them, and what is compared.

Numbers, times, digests, the device and verdicts that follow from numbers differ from machine to
machine; they are masked before an output is compared with the one in a page.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

ELISION = "..."
MASKS = (
    (r"\b[0-9a-f]{12,64}\b", "<digest>"),
    (r"^device .*", "<device>"),
    (r" \*(?= |$)", ""),  # the best epoch so far
    (r"(?<![\w.])\d[\d,.]*( ?[KMGT]iB|[KMGT]\b|%)", "#"),
    (r"(?<![\w.])[-+]?\d[\d,_]*(\.\d+)?(e[-+]?\d+)?(?![\w])", "#"),
    (r"# (s|minutes|hours)\b", "<time>"),
    (r"\b(above|at) #", "at #"),
    (r"(?<=  )(-|nan)(?= |$)", "#"),  # a number that there is not
    (r"\b(better than|no better than|worse than)\b", "<verdict>"),
    (r"<verdict> (predicting nothing|a threshold of #)", "<verdict> <default>"),
    (r"[─-╿▀-▟]+", "<line>"),
    (r"; the decision above also has .*", ""),
    (r"\s+", " "),
)
_COMPILED = [(re.compile(pattern), word) for pattern, word in MASKS]


def masked(line: str) -> str:
    """Return a line as it is compared."""
    for pattern, word in _COMPILED:
        line = pattern.sub(word, line)
    return line.strip()


def shown(output: str, before: str) -> str:
    """Return an output as a block shows it that has shown ``before``.

    Where ``before`` leaves lines out (``...``) the same stretches are left out: the lines above the
    first are as many as before, those below the last too, and stretches in between begin where
    their masked lines are found. Blank lines at the end are as many as before.
    """
    old, new = before.rstrip("\n").split("\n"), output.rstrip("\n").split("\n")
    tail = before[len(before.rstrip("\n")) :] or "\n"
    if not output.strip():
        return tail[1:]
    if ELISION in old:
        new = _shortened(new, _stretches(old))
    return "\n".join(new) + tail


def _stretches(lines: Sequence[str]) -> list[list[str]]:
    found: list[list[str]] = [[]]
    for line in lines:
        if line == ELISION:
            found.append([])
        else:
            found[-1].append(line)
    return found


def _shortened(lines: list[str], stretches: list[list[str]]) -> list[str]:
    first, *middle, last = stretches
    if len(lines) <= len(first) + len(last):
        return lines
    end = len(lines) - len(last)
    kept, at = lines[: len(first)], len(first)
    for stretch in middle:
        begin = _find(lines, stretch, at, end)
        if begin is not None:
            kept += [ELISION, *lines[begin : begin + len(stretch)]]
            at = begin + len(stretch)
    return [*kept, ELISION, *lines[end:]] if at < end else [*kept, *lines[end:]]


def _find(lines: Sequence[str], stretch: Sequence[str], begin: int, end: int) -> int | None:
    wanted = [masked(line) for line in stretch]
    for start in range(begin, end - len(stretch) + 1):
        if [masked(line) for line in lines[start : start + len(stretch)]] == wanted:
            return start
    return None


def differences(before: str, after: str) -> list[str]:
    """Return the lines of two texts that differ once masked, marked with ``-`` and ``+``."""
    import difflib

    old, new = ([masked(line) for line in text.splitlines()] for text in (before, after))
    if old == new:
        return []
    return [line for line in difflib.ndiff(old, new) if line[0] in "-+"]
