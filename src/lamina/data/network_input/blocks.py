"""Volumes that are seen as blocks of voxels: whole, and with their axes in one order."""

from __future__ import annotations

from dataclasses import replace

from lamina.data.case import Case
from lamina.data.views.resampling.resampled import resampled
from lamina.data.views.resampling.spacing import shape_at
from lamina.errors import RecipeError
from lamina.geometry.tiling.axis_order import seen_order
from lamina.volume import Transposed, Volume


def in_order(volume: Volume) -> Volume:
    """Return a volume of three axes with them in the order seen; nothing is read or copied."""
    order = seen_order(volume.axes)
    return volume if order == (0, 1, 2) else Transposed(volume, order, "zyx")


def whole(case: Case, size: tuple[int, ...], spacing: tuple[float, ...] | None = None) -> Case:
    """Return a case as blocks are cut from it: z, y and x in this order, and at one spacing.

    Raises:
        RecipeError: it is an image of two axes.
    """
    if len(case.image.axes) != 3:
        raise RecipeError(
            f"case {case.id}: has axes '{case.image.axes}', and frame.size is {list(size)}, blocks "
            "of voxels; give volumes, or frame.size two numbers"
        )
    case = resampled(case, shape_at(case.image, spacing))
    if seen_order(case.image.axes) == (0, 1, 2):
        return case
    return replace(
        case,
        image=in_order(case.image),
        target=None if case.target is None else in_order(case.target),
        valid=None if case.valid is None else in_order(case.valid),
    )
