"""Problems of one kind, told at once: the first ten, and how many more there are."""

from __future__ import annotations

from collections.abc import Sequence

_SHOWN = 10


def listed(headline: str, problems: Sequence[str]) -> str:
    """Return a message: ``headline``, then up to ten problems on indented lines."""
    lines = [headline, *(problem.replace("\n", "\n  ") for problem in problems[:_SHOWN])]
    if len(problems) > _SHOWN:
        lines.append(f"... and {len(problems) - _SHOWN} more")
    return "\n  ".join(lines)
