"""Problems of one kind, told at once: the first ten, and how many more there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lamina.data.readers import PassedOver

_SHOWN = 10


def listed(headline: str, problems: Sequence[str]) -> str:
    """Return a message: ``headline``, then up to ten problems on indented lines."""
    lines = [headline, *(problem.replace("\n", "\n  ") for problem in problems[:_SHOWN])]
    if len(problems) > _SHOWN:
        lines.append(f"... and {len(problems) - _SHOWN} more")
    return "\n  ".join(lines)


def not_read(passed: Sequence[PassedOver]) -> list[str]:
    """Return the lines that tell what was passed over; none where nothing was."""
    if not passed:
        return []
    files = "1 file is" if len(passed) == 1 else f"{len(passed)} files are"
    return [listed(f"warning: {files} not read", [f"{one.path} {one.reason}" for one in passed])]
