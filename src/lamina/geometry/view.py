"""Ways to look at a plane: mirrored and turned by quarters, and the way back.

The eight ways form the dihedral group of the square. Each is written in exactly one way, as a
transposition followed by mirrors, so that equal values mean equal geometry and coinciding
members of a group can be found by comparison. The planes of a block are looked at alike, and
perhaps in reverse.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np

Views = Literal["as_is", "flip_x", "flip_y", "flips", "rotations", "dihedral", "ink12", "flips_yx"]
"""Groups of views whose answers are averaged.

``as_is`` 1 view; ``flip_x`` and ``flip_y`` 2, mirrored along x (left and right swap) or along y;
``flips`` 4, of blocks 8, along z too; ``flips_yx`` 4; ``rotations`` 4; ``dihedral`` 8; ``ink12``
the 12 of the ink recipe (INK-25), of which 8 differ. Blocks are turned in the plane of rows and
columns.
"""

Array = TypeVar("Array")
"""A numpy array or a torch tensor."""


@dataclass(frozen=True, slots=True)
class View:
    """Exchange rows and columns if ``transpose``, then mirror along the axes that are set.

    A view that transposes turns (..., H, W) into (..., W, H): a network that needs a fixed size
    then needs square tiles. ``flip_planes`` is for blocks (..., D, H, W).
    """

    transpose: bool = False
    flip_rows: bool = False
    flip_columns: bool = False
    flip_planes: bool = False

    def see(self, x: Array) -> Array:
        """Return ``x`` (..., H, W) as this view shows it; a view of numpy memory, no copy.

        The result of numpy may have negative strides, which torch refuses to share.
        """
        seen: Array = self._mirror(_swap(x) if self.transpose else x)
        return seen

    def undo(self, y: Array) -> Array:
        """Return what ``y`` was before ``see``: ``undo(see(x))`` is ``x``, exactly."""
        mirrored: Array = self._mirror(y)
        return _swap(mirrored) if self.transpose else mirrored

    def then(self, after: View) -> View:
        """Return the one view that equals this one followed by ``after``."""
        rows, columns = self.flip_rows, self.flip_columns
        if after.transpose:  # a mirror of rows becomes a mirror of columns
            rows, columns = columns, rows
        return View(
            self.transpose != after.transpose,
            rows != after.flip_rows,
            columns != after.flip_columns,
            self.flip_planes != after.flip_planes,
        )

    def _mirror(self, x: Any) -> Any:
        axes = (-3,) * self.flip_planes + (-2,) * self.flip_rows + (-1,) * self.flip_columns
        if not axes:
            return x
        return x.flip(axes) if hasattr(x, "flip") else np.flip(x, axes)  # torch or numpy


def _swap(x: Any) -> Any:
    return x.swapaxes(-2, -1)


AS_IS = View()
FLIP_X = View(flip_columns=True)
FLIP_Y = View(flip_rows=True)
FLIP_Z = View(flip_planes=True)
QUARTER = View(transpose=True, flip_rows=True)
"""A quarter turn against the clock, as ``numpy.rot90``."""

TURNS = (AS_IS, QUARTER, QUARTER.then(QUARTER), QUARTER.then(QUARTER).then(QUARTER))
"""None to three quarter turns against the clock; the last is one clockwise."""

_FLIPS = (AS_IS, FLIP_X, FLIP_Y, FLIP_X.then(FLIP_Y))


def _each_then(first: Iterable[View], after: Iterable[View]) -> tuple[View, ...]:
    later = tuple(after)
    return tuple(view.then(next_view) for view in first for next_view in later)


_GROUPS: dict[Views, tuple[View, ...]] = {
    "as_is": (AS_IS,),
    "flip_x": (AS_IS, FLIP_X),
    "flip_y": (AS_IS, FLIP_Y),
    "flips": _FLIPS,
    "rotations": TURNS,
    "dihedral": _each_then((AS_IS, FLIP_X), TURNS),
    "ink12": _each_then((AS_IS, FLIP_X, FLIP_Y), TURNS),
    "flips_yx": _FLIPS,
}
_OF_BLOCKS: dict[Views, tuple[View, ...]] = {"flips": _each_then((AS_IS, FLIP_Z), _FLIPS)}


def turns(views: Views) -> bool:
    """Whether rows and columns change places in any view of a group."""
    return any(view.transpose for view in _GROUPS[views])


def members(views: Views, axes: int = 2) -> tuple[tuple[View, float], ...]:
    """Return the different views of a group, each with its share of the mean.

    Views that coincide are named once with the sum of their shares, which is the same mean for
    less work: ``ink12`` has 8 members, four of weight 1/12 and four of weight 2/12 (INK-25).

    Args:
        views: The group.
        axes: 2, images; 3, blocks of voxels.

    Returns:
        Pairs of view and weight in order of first appearance, ``View()`` first; the weights
        sum to 1.
    """
    group = _OF_BLOCKS.get(views, _GROUPS[views]) if axes == 3 else _GROUPS[views]
    return tuple((view, count / len(group)) for view, count in Counter(group).items())
