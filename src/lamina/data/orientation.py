"""One orientation for images and targets, by what their files say of where their voxels lie.

The rule, in training and in prediction alike (drawn in ``docs/orientation.md``):

1. A volume of three axes whose file says how it lies in a body (NIfTI, a DICOM series) is turned
   so that x leads to the right, y to the front and z to the head: the closest canonical
   orientation. All others stay as they are stored.
2. A target is brought to the stored order of its image, by what both files say, and then turned as
   the image is. One that says nothing lies as its image is stored.
3. Where both say where they lie and it is not the same place, they are refused.

Values are moved, never interpolated.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from lamina.data.views.padding import Widened
from lamina.errors import DataError
from lamina.geometry.orientation import Fit, Turn, closest, fit
from lamina.volume import NOWHERE, Placement, Plane, Transposed, Volume, placement_of, view_chain

Orientation = Literal["canonical", "as_stored"]
"""canonical: by the rule; as_stored: nothing is turned or compared."""

Order = str | tuple[int, ...]
"""Names of stored axes, or the order in which numpy would transpose them."""

TOLERANCE = 0.1
"""Of a voxel: how far corners of image and target may lie apart."""


def canonical(volume: Volume) -> Volume:
    """Return a volume of three axes with x to the right, y to the front and z to the head.

    Volumes whose file does not say how they lie, and planes, are returned as they are.
    """
    if placement_of(volume) is NOWHERE:
        return volume
    return _turned(volume, _turn_of(volume), "xyz")


def aligned(image: Volume, target: Volume, id: str) -> Volume:
    """Return a target, voxel on voxel with ``canonical(image)``.

    Args:
        image: As its file stores it.
        target: As its file stores it.
        id: Of the case, for messages.

    Raises:
        DataError: spacing, origin or shape say that they do not lie in the same place.
    """
    if placement_of(image) is placement_of(target) is NOWHERE:
        return target
    target = _beside(image, target, id)
    if target.axes != image.axes:  # a case refuses them, and says why
        return target
    return _turned(target, _turn_of(image), "xyz")


def transposed(volume: Volume, order: Order) -> Volume:
    """Return an image with its axes in the order of its target's, as ``data.transpose`` says.

    Raises:
        DataError: the order is of other axes.
    """
    if len(order) != len(volume.axes):
        raise DataError(
            f"{volume.name}: has {len(volume.axes)} axes '{volume.axes}', and data.transpose names "
            f"{len(order)}: {order}"
        )
    if isinstance(order, str):
        if sorted(order) != sorted(volume.axes):
            raise DataError(
                f"{volume.name}: data.transpose names its axes '{order}', and they are called "
                f"'{volume.axes}'; use the same letters"
            )
        order = tuple(order.index(axis) for axis in volume.axes)
    return Transposed(volume, order, volume.axes)


def letters_of(volume: Volume) -> str | None:
    """Return where the axes of a volume lead in a body, such as RAS; None: it is not known."""
    return placement_of(volume).letters


class Turned(Transposed):
    """A volume turned by what its file says of how it lies."""


def is_turned(volume: Volume) -> bool:
    """Whether a volume is read in another order than it is stored, by what its file says."""
    turned = (one for one in view_chain(volume) if isinstance(one, Turned))
    return any(not one.turn.trivial for one in turned)


def _turn_of(volume: Volume) -> Turn | None:
    grid = placement_of(volume).grid
    if grid is None or grid.shape != (3, 4) or len(volume.shape) != 3:
        return None
    return closest(grid[:, :3])


def _turned(volume: Volume, turn: Turn | None, names: str) -> Volume:
    if turn is None or len(volume.shape) != len(turn.order):
        return volume
    if turn.trivial and names == volume.axes:
        return volume
    return Turned(volume, turn.order, names, turn.flipped if any(turn.flipped) else ())


def _beside(image: Volume, target: Volume, id: str) -> Volume:
    """Return a target in the order in which its image is stored."""
    mine, other = placement_of(image), placement_of(target)
    if mine.world is None or mine.world != other.world:
        return _by_names(image, target)
    if mine.world == "body":
        if getattr(target, "sparse", False) and len(target.shape) == 3:
            return _of_planes(image, target, id)
        found = _fit(mine, other, target)
        if found is None or not _covers(found, image, target):
            raise _apart(image, target, id)
        return _turned(target, found.turn, image.axes)
    target = _by_names(image, target)
    if target.axes == image.axes and not _same_numbers(mine, placement_of(target)):
        raise _apart(image, target, id)
    return target


def _of_planes(image: Volume, target: Volume, id: str) -> Volume:
    """Return a target whose file leaves empty planes out, in the stored order of its image.

    Raises:
        DataError: a plane lies beside the image, or between its slices.
    """
    mine, other = placement_of(image).grid, placement_of(target).grid
    if mine is None or other is None:
        raise _apart(image, target, id)
    if len(image.shape) == 2:
        across = np.cross(other[:, 1], other[:, 2])
        depth = float((mine[:, 2] - other[:, 3]) @ across) / float(other[:, 0] @ across)
        place = round(depth)
        there = np.column_stack([other[:, 1:3], other[:, 3] + place * other[:, 0]])
        flat = fit(mine, there, target.shape[1:])
        inside = 0 <= place < target.shape[0] and abs(depth - place) <= TOLERANCE
        if flat is None or not inside:
            raise _apart(image, target, id)
        plane = Plane(target, target.axes[0], place)
        return _turned(plane, flat.turn, image.axes)
    if target.shape[0] == 1:  # of one plane the distance to the next says nothing
        along = int(np.argmax(np.abs(np.linalg.pinv(mine[:, :3]) @ other[:, 0])))
        other[:, 0] *= np.linalg.norm(mine[:, along]) / np.linalg.norm(other[:, 0])
    found = fit(mine, other, target.shape)
    if found is None or found.apart > TOLERANCE:
        raise _apart(image, target, id)
    axis = found.turn.order.index(0)
    starts = [round(start) for start in found.start]
    before = starts[axis]
    behind = image.shape[axis] - before - target.shape[0]
    near = max(abs(a - b) for a, b in zip(found.start, starts, strict=True)) <= TOLERANCE
    if not near or min(before, behind) < 0 or any(starts[i] for i in range(3) if i != axis):
        raise _apart(image, target, id)
    if found.turn.flipped[axis]:
        before, behind = behind, before
    whole = _turned(Widened(target, before, behind), found.turn, image.axes)
    if whole.shape != tuple(image.shape):
        raise _apart(image, target, id)
    return whole


def _fit(mine: Placement, other: Placement, target: Volume) -> Fit | None:
    this, that = mine.grid, other.grid
    if this is None or that is None or this.shape != that.shape:
        return None
    return fit(this, that, target.shape)


def _covers(found: Fit, image: Volume, target: Volume) -> bool:
    shape = tuple(target.shape[axis] for axis in found.turn.order)
    near = found.apart + max(abs(place) for place in found.start) <= TOLERANCE
    return near and shape == tuple(image.shape)


def _by_names(image: Volume, target: Volume) -> Volume:
    """Return a target with its axes in its image's order, where both files name their own."""
    mine, other = placement_of(image).axes, placement_of(target).axes
    if mine is None or other is None or "?" in mine + other:
        return target
    if image.axes == target.axes or sorted(image.axes) != sorted(target.axes):
        return target
    order = tuple(target.axes.index(name) for name in image.axes)
    return Transposed(target, order, image.axes)


def _same_numbers(mine: Placement, other: Placement) -> bool:
    """Whether steps and begins agree along every axis where both are known."""
    mine, other = _in_mm(mine), _in_mm(other)
    steps = list(zip(mine.spacing or (), other.spacing or (), strict=True))
    for a, b in steps:
        if a is not None and b is not None and abs(a - b) > TOLERANCE / 100 * max(abs(a), abs(b)):
            return False
    for (step, _), a, b in zip(steps, mine.origin or (), other.origin or (), strict=False):
        if None not in (step, a, b) and abs((a or 0) - (b or 0)) > TOLERANCE * abs(step or 0):
            return False
    return True


def _in_mm(placed: Placement) -> Placement:
    """Return a placement with micrometres as mm."""
    factors = [1e-3 if unit == "um" else 1.0 for unit in placed.units or ()]

    def scaled(values: tuple[float | None, ...] | None) -> tuple[float | None, ...] | None:
        if values is None:
            return None
        pairs = zip(values, factors, strict=True)
        return tuple(None if value is None else value * factor for value, factor in pairs)

    return replace(placed, spacing=scaled(placed.spacing), origin=scaled(placed.origin))


def _apart(image: Volume, target: Volume, id: str) -> DataError:
    lines = [_said("image", image), _said("target", target)]
    return DataError(
        f"case {id}: image and target do not lie in the same place, by more than {TOLERANCE:g} of "
        "a voxel; resample the target on the image's grid, or set data.orientation to as_stored "
        "if their headers are wrong and their voxels fit as they are stored\n  "
        + "\n  ".join(lines)
    )


def _said(role: str, volume: Volume) -> str:
    placed = placement_of(volume)
    unit = " x ".join(dict.fromkeys(placed.units or ()))
    axes = placed.letters or volume.axes
    return (
        f"{role} {volume.name}: shape {tuple(volume.shape)} {axes}, spacing "
        f"{_numbers(placed.spacing)} {unit}, origin {_numbers(placed.origin)}"
        f"{'' if ' x ' in unit else f' {unit}'}"
    )


def _numbers(values: tuple[float | None, ...] | None) -> str:
    if values is None:
        return "unknown"
    return "(" + ", ".join("?" if value is None else f"{value:.6g}" for value in values) + ")"
