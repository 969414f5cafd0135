"""Which axes of stored arrays lie along which directions of space, as permutations and flips.

Directions are columns of a matrix (3, n): where one voxel further along a stored axis leads to,
in coordinates of the world (of a body: to the right, to the front, to the head).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]

_OUT_OF_PLANE = 0.01  # of the steps of a plane: half a degree


@dataclass(frozen=True)
class Turn:
    """An array with its axes in another order, some of them run backwards.

    Axis i of the result is axis ``order[i]`` of the source, from its end where ``flipped[i]``.
    """

    order: tuple[int, ...]
    flipped: tuple[bool, ...]

    @property
    def trivial(self) -> bool:
        """Whether it leaves arrays as they are."""
        return self.order == tuple(range(len(self.order))) and not any(self.flipped)

    def then(self, after: Turn) -> Turn:
        """Return the turn that is this one and ``after`` behind it."""
        return Turn(
            tuple(self.order[axis] for axis in after.order),
            tuple(
                self.flipped[axis] != flip
                for axis, flip in zip(after.order, after.flipped, strict=True)
            ),
        )


def closest(directions: Matrix) -> Turn:
    """Return the turn after which axis i lies closest to direction i of the world, and along it.

    Args:
        directions: (3, 3), finite, no column zero.

    Returns:
        The turn of ``nibabel.as_closest_canonical``: of all assignments of axes to directions the
        one that takes the largest cosines first, after shears are taken out.

    Example:
        >>> closest(np.diag([-2.0, 2.0, 3.0]))
        Turn(order=(0, 1, 2), flipped=(True, False, False))
    """
    columns = directions / np.linalg.norm(directions, axis=0)
    left, _, right = np.linalg.svd(columns, full_matrices=False)
    cosines = left @ right  # the rotation next to the columns
    order, flipped = [0] * 3, [False] * 3
    for axis in np.argsort(np.min(-(cosines**2), axis=0)):
        world = int(np.argmax(np.abs(cosines[:, axis])))
        order[world], flipped[world] = int(axis), bool(cosines[world, axis] < 0)
        cosines[world] = 0
    return Turn(tuple(order), tuple(flipped))


@dataclass(frozen=True)
class Fit:
    """How one grid of voxels lies on another that differs by flips, permutations and a shift."""

    turn: Turn
    """Brings arrays of the other grid into the order of this one."""

    start: tuple[float, ...]
    """Where the first voxel of the turned array lies, in voxels of this grid; (0, ...): equal."""

    apart: float
    """Largest distance of a corner from where the turn and the start put it, in voxels."""


def fit(this: Matrix, other: Matrix, shape: Sequence[int]) -> Fit | None:
    """Return how an ``other`` grid lies on ``this``; None where no flips and permutations do it.

    Args:
        this: (3, n + 1), n of 2 or 3: directions of the n axes, then the first voxel's place.
        other: The same of the other grid.
        shape: Lengths of the other grid's axes, in voxels.
    """
    axes = len(shape)
    back = np.linalg.pinv(this[:, :axes])
    steps, begin = back @ other[:, :axes], back @ (other[:, axes] - this[:, axes])
    signs = np.rint(steps)
    if not (np.abs(signs).sum(0) == 1).all() or not (np.abs(signs).sum(1) == 1).all():
        return None
    left = other[:, :axes] - this[:, :axes] @ steps  # of planes only: what leads out of them
    if np.linalg.norm(left) > _OUT_OF_PLANE * np.linalg.norm(other[:, :axes]):
        return None
    order = tuple(int(np.argmax(np.abs(row))) for row in signs)
    flipped = tuple(bool(signs[i, axis] < 0) for i, axis in enumerate(order))
    start = tuple(
        float(begin[i]) - (shape[axis] - 1 if flip else 0)
        for i, (axis, flip) in enumerate(zip(order, flipped, strict=True))
    )
    corners = np.array(list(product(*((0, length - 1) for length in shape)))).T
    apart = np.abs((steps - signs) @ corners).max(initial=0)
    return Fit(Turn(order, flipped), start, float(apart))
