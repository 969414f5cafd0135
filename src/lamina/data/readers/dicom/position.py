"""Where frames of DICOM files lie in a body, and how they make a volume.

DICOM counts to the left, to the back and to the head; here, as in NIfTI, it is to the right, to the
front and to the head, in mm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lamina.data.readers.dicom.values import group_of
from lamina.errors import DataError, listed
from lamina.volume import NOWHERE, Placement

if TYPE_CHECKING:
    from pydicom import Dataset

Vector = NDArray[np.float64]

TOLERANCE = 0.1
"""Of the distance of slices: how far one may lie from its place on an even grid."""

_PARALLEL = 1e-3  # of a unit vector: directions of slices that are the same
_TO_RAS = np.array([-1.0, -1, 1])
_UNREADABLE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


@dataclass(frozen=True)
class PlanePosition:
    """Where one frame lies: unit vectors along rows (to the next column) and columns."""

    along_row: Vector
    along_column: Vector
    origin: Vector
    """Centre of the first pixel, mm."""
    spacing: tuple[float, float]
    """Of rows, and of columns, mm."""

    @property
    def normal(self) -> Vector:
        """Unit vector across the frame."""
        return np.cross(self.along_row, self.along_column)

    @property
    def placement(self) -> Placement:
        """Of the axes y and x."""
        return Placement(
            axes="yx",
            spacing=self.spacing,
            units=("mm", "mm"),
            origin=_numbers(self.origin),
            directions=(_numbers(self.along_column), _numbers(self.along_row)),
            world="body",
        )

    def is_parallel(self, other: PlanePosition) -> bool:
        """Whether another frame has the same directions and spacing."""
        mine = np.concatenate([self.along_row, self.along_column])
        others = np.concatenate([other.along_row, other.along_column])
        near = np.allclose(self.spacing, other.spacing, rtol=_PARALLEL)
        return near and bool(np.abs(mine - others).max() <= _PARALLEL)


@dataclass(frozen=True)
class Stack:
    """Frames in the order in which they lie one behind the other."""

    order: tuple[int, ...]
    first: PlanePosition
    step: Vector
    """From one frame to the next, mm; zeros: there is only one."""

    @property
    def placement(self) -> Placement:
        """Of the axes z, y and x."""
        plane, length = self.first.placement, float(np.linalg.norm(self.step))
        across = self.step / length if length else self.first.normal
        return Placement(
            axes="zyx",
            spacing=(length or 1.0, *self.first.spacing),
            units=("mm",) * 3,
            origin=plane.origin,
            directions=(_numbers(across), *(plane.directions or ())),
            world="body",
        )


def position_of(head: Dataset, frame: int = 0) -> PlanePosition | None:
    """Return where a frame lies; None where the header does not say it, or not plainly."""
    try:
        turn = group_of(head, "PlaneOrientationSequence", frame).ImageOrientationPatient
        place = group_of(head, "PlanePositionSequence", frame).ImagePositionPatient
        sides = group_of(head, "PixelMeasuresSequence", frame).PixelSpacing
        row, column = np.array(turn, np.float64).reshape(2, 3) * _TO_RAS
        origin = np.array(place, np.float64) * _TO_RAS
        spacing = (float(sides[0]), float(sides[1]))
    except _UNREADABLE:
        return None
    whole = np.concatenate([row, column, origin, spacing])
    lengths = np.array([np.linalg.norm(row), np.linalg.norm(column)])
    if len(origin) != 3 or not np.isfinite(whole).all() or min(spacing) <= 0:
        return None
    if np.abs(lengths - 1).max() > 0.01 or abs(float(row @ column)) > 0.01:
        return None
    return PlanePosition(row / lengths[0], column / lengths[1], origin, spacing)


def plane_placement(head: Dataset, frame: int) -> Placement:
    """Return the placement of the axes y and x of a frame; spacing alone where that is all."""
    found = position_of(head, frame)
    if found is not None:
        return found.placement
    sides: Any = head.get("PixelSpacing") or head.get("ImagerPixelSpacing")
    try:
        spacing = (float(sides[0]), float(sides[1]))
    except _UNREADABLE:
        return NOWHERE
    return Placement(spacing=spacing, units=("mm", "mm")) if min(spacing) > 0 else NOWHERE


def stack_of(where: str, planes: Sequence[PlanePosition], names: Sequence[str]) -> Stack:
    """Return frames sorted along their normal.

    Args:
        where: The file or folder, for messages.
        planes: Of each frame, in any order.
        names: Of each frame, for messages.

    Raises:
        DataError: frames are not parallel, two lie in one place, one is missing between two, or
            they do not lie on a straight line.
    """
    odd = [name for name, one in zip(names, planes, strict=True) if not one.is_parallel(planes[0])]
    if odd:
        raise DataError(
            listed(
                f"{where}: {len(odd)} of {len(planes)} slices have another orientation or spacing "
                f"than {names[0]}; put each series into a folder of its own",
                odd,
            )
        )
    depth = np.array([float(plane.origin @ planes[0].normal) for plane in planes])
    order = np.argsort(depth, kind="stable")
    if len(planes) == 1:
        return Stack((0,), planes[0], np.zeros(3))
    steps, names = np.diff(depth[order]), [names[at] for at in order]
    usual = float(np.median(steps))
    pairs = list(zip(steps.tolist(), names, names[1:], strict=False))
    same = [f"{a} and {b}" for step, a, b in pairs if step <= TOLERANCE * usual]
    if same:
        raise DataError(
            listed(f"{where}: {len(same)} slices lie where another lies; keep one of each", same)
        )
    gaps = [
        f"{step:g} mm from {a} to {b}" for step, a, b in pairs if step > (1 + 5 * TOLERANCE) * usual
    ]
    if gaps:
        raise DataError(
            listed(
                f"{where}: slices are missing in {len(gaps)} places, where slices are {usual:g} mm "
                "apart; copy the series again, or leave it out",
                gaps,
            )
        )
    places = np.stack([planes[at].origin for at in order])
    step = (places[-1] - places[0]) / (len(places) - 1)
    away = np.linalg.norm(places - (places[0] + np.arange(len(places))[:, None] * step), axis=1)
    if away.max() > TOLERANCE * usual:
        worst = int(away.argmax())
        raise DataError(
            f"{where}: {names[worst]} lies {away[worst]:.3g} mm beside an even grid of slices "
            f"{usual:g} mm apart; resample the series to even slices"
        )
    return Stack(tuple(int(at) for at in order), planes[int(order[0])], step)


def _numbers(vector: Vector) -> tuple[float, float, float]:
    x, y, z = vector.tolist()
    return x, y, z
