"""Where the voxels of a volume lie, as its file says: names of axes, spacing, orientation, origin.

All of it comes from headers. What a file does not say is None, and nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np

from lamina.geometry.orientation import Matrix, Turn, closest

World = Literal["body", "lines", "sample"]
"""body: to the right, to the front and to the head of a person (RAS). lines: numbers of inlines
and crosslines, and time or depth. sample: x, y and z of what lies under a microscope."""

Numbers = tuple[float | None, ...]


@dataclass(frozen=True)
class Placement:
    """What a file says of where its voxels lie; one entry for each spatial axis, in stored order.

    ``axes``: names that the file itself gives to its axes, ``?`` where it gives none. ``spacing``:
    from one voxel to the next, in ``units`` such as mm or um. ``origin``: the first voxel's place
    along each axis, or in ``body`` its three coordinates in mm. ``directions``: of ``body`` only,
    the unit vector of each axis. ``world``: what the coordinates are of; volumes are compared
    within one world only.
    """

    axes: str | None = None
    spacing: Numbers | None = None
    units: tuple[str, ...] | None = None
    origin: Numbers | None = None
    directions: tuple[tuple[float, float, float], ...] | None = None
    world: World | None = None

    @property
    def grid(self) -> Matrix | None:
        """Directions times spacing, and the origin: (3, axes + 1), mm; None: not all is known."""
        if self.directions is None or self.spacing is None or self.origin is None:
            return None
        if None in self.spacing or None in self.origin:
            return None
        steps = np.array(self.directions, np.float64).T * np.array(self.spacing, np.float64)
        return np.column_stack([steps, np.array(self.origin, np.float64)])

    @property
    def letters(self) -> str | None:
        """Where the axes lead in a body, such as RAS: right, anterior, superior; None: unknown."""
        grid = self.grid
        if grid is None or grid.shape != (3, 4):
            return None
        turn, found = closest(grid[:, :3]), ["?"] * 3
        for world, (axis, flip) in enumerate(zip(turn.order, turn.flipped, strict=True)):
            found[axis] = ("LPI" if flip else "RAS")[world]
        return "".join(found)

    def turned(self, turn: Turn, shape: Sequence[int]) -> Placement:
        """Return the placement of the turned array.

        Args:
            turn: What was done to the array.
            shape: Lengths of the axes before.
        """
        if turn.trivial:
            return self
        grid = self.grid
        order = turn.order
        moved = replace(
            self,
            axes=_taken(self.axes, order),
            spacing=_taken(self.spacing, order),
            units=_taken(self.units, order),
            directions=_taken(self.directions, order),
        )
        if grid is None:
            return replace(moved, origin=_taken(self.origin, order), directions=None)
        ends = [
            shape[axis] - 1 if flip else 0 for axis, flip in zip(order, turn.flipped, strict=True)
        ]
        first = grid[:, -1] + sum(
            grid[:, axis] * end for axis, end in zip(order, ends, strict=True)
        )
        signs = [-1.0 if flip else 1.0 for flip in turn.flipped]
        directions = tuple(
            _vector([sign * part for part in one])
            for sign, one in zip(signs, moved.directions or (), strict=True)
        )
        return replace(moved, directions=directions, origin=_vector(first))

    def cropped(self, start: Sequence[int]) -> Placement:
        """Return the placement of the part that begins at voxel ``start``."""
        grid = self.grid
        if grid is not None:
            first = grid[:, -1] + grid[:, :-1] @ np.array(start, np.float64)
            return replace(self, origin=_vector(first))
        if self.origin is None or self.spacing is None:
            return self
        parts = zip(self.origin, self.spacing, start, strict=True)
        origin = tuple(
            None if first is None or step is None else first + step * at
            for first, step, at in parts
        )
        return replace(self, origin=origin)


NOWHERE = Placement()
"""Of files that say nothing."""


@runtime_checkable
class Placed(Protocol):
    """A volume whose file may say where it lies."""

    @property
    def placement(self) -> Placement:
        """What the file says."""
        ...


def placement_of(volume: object) -> Placement:
    """Return what the file of a volume says of where it lies; nothing for arrays in memory.

    Example:
        >>> placement_of("no volume").spacing is None
        True
    """
    found: Any = getattr(volume, "placement", NOWHERE)
    return found if isinstance(found, Placement) else NOWHERE


def _taken(values: Any, order: Sequence[int]) -> Any:
    if values is None:
        return None
    some = [values[axis] for axis in order]
    return "".join(some) if isinstance(values, str) else tuple(some)


def _vector(values: Any) -> Any:
    return tuple(float(value) for value in values)
