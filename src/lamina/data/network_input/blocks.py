"""Volumes that are seen as blocks of voxels: whole, and with their axes in one order."""

from __future__ import annotations

from dataclasses import replace

from lamina.data.case import Case
from lamina.errors import RecipeError
from lamina.volume import Transposed, Volume

ORDER = "zyx"


def in_order(volume: Volume) -> Volume:
    """Return a volume of three axes as z, y and x by their names; others as they are stored.

    Nothing is read or copied. ``order_of`` says which stored axis each is.
    """
    order = order_of(volume)
    return volume if order == (0, 1, 2) else Transposed(volume, order, ORDER)


def order_of(volume: Volume) -> tuple[int, ...]:
    """Return the stored axis of each axis of ``in_order``, as for ``numpy.transpose``."""
    if sorted(volume.axes) != sorted(ORDER):
        return tuple(range(len(volume.axes)))
    return tuple(volume.axes.index(name) for name in ORDER)


def whole(case: Case, size: tuple[int, ...]) -> Case:
    """Return a case as blocks are cut from it.

    Raises:
        RecipeError: it is an image of two axes.
    """
    if len(case.image.axes) != 3:
        raise RecipeError(
            f"case {case.id}: has axes '{case.image.axes}', and frame.size is {list(size)}, blocks "
            "of voxels; give volumes, or frame.size two numbers"
        )
    if case.image.axes == ORDER or sorted(case.image.axes) != sorted(ORDER):
        return case
    return replace(
        case,
        image=in_order(case.image),
        target=None if case.target is None else in_order(case.target),
        valid=None if case.valid is None else in_order(case.valid),
    )
