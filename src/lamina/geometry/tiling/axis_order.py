"""The order in which a network sees axes that are stored in another one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

_SEEN = "zyx"

Item = TypeVar("Item")


def seen_order(axes: str) -> tuple[int, ...]:
    """Return the numbers of stored axes in the order in which a network of blocks sees them.

    That is z, y, x; axes of other names, and those of images, are seen as they are stored.

    Example:
        >>> seen_order("xyz"), seen_order("zyx"), seen_order("yx")
        ((2, 1, 0), (0, 1, 2), (0, 1))
    """
    if sorted(axes) != sorted(_SEEN):
        return tuple(range(len(axes)))
    return tuple(axes.index(name) for name in _SEEN)


def stored(values: Sequence[Item], order: Sequence[int]) -> tuple[Item, ...]:
    """Return one value for each stored axis from those in the order seen.

    Example:
        >>> stored((8, 64, 32), seen_order("xyz"))
        (32, 64, 8)
    """
    by_axis = dict(zip(order, values, strict=True))
    return tuple(by_axis[axis] for axis in range(len(values)))
