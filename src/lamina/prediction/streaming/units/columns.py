"""How bands of a volume in blocks are cut into columns, where whole planes do not fit the memory.

The sum of a band holds as many planes as a tile, so a wide volume takes more memory the wider it
is. It is then cut along its second axis, and along its third where that does not suffice. The
bands of a column follow one another, so that no tile is answered twice within a column; tiles that
cross the border of two columns are answered for each of them:

    ───▶ second axis
    ┌────────────┬────────────┐
    │ column 0   │ column 1   │ band 0      ░░ tiles across the border: answered twice
    │           ░░░░          │
    ├───────────░░░░──────────┤
    │           ░░░░          │ band 1
    └────────────┴────────────┘

Columns end where chunks of the stored answer do, so that no two of them write to one chunk.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from math import prod
from typing import NamedTuple

from lamina.geometry.region import Region
from lamina.prediction.streaming.row_bands import bands, thickness
from lamina.prediction.streaming.row_cache import BUDGET, PIECE
from lamina.prediction.streaming.units.held_bytes import resampled_bytes, sums_bytes
from lamina.prediction.tiling.blend import KEPT
from lamina.volume import Volume


class Seen(NamedTuple):
    """How a member sees a volume, its axes as they are stored."""

    tile: tuple[int, ...]
    """Sides of its tiles."""

    shape: tuple[int, ...]
    """Sides at which it sees the volume."""


def column_bytes(volume: Volume, outputs: int, seen: Sequence[Seen], sides: Sequence[int]) -> int:
    """Return an upper bound of the memory that bands of columns take, beside networks and batches.

    Args:
        volume: Three axes, seen in blocks as it is stored.
        outputs: K of the answer.
        seen: By each member.
        sides: Of a column along the second and the third axis.
    """
    whole = tuple(volume.shape)
    as_stored = [one for one in seen if one.shape == whole]
    held = sum(4 * KEPT * prod(tile) for tile in {one.tile for one in seen})
    held += sums_bytes(
        outputs, prod(sides), thickness(whole, outputs), [one.tile[0] for one in as_stored]
    )
    if as_stored:
        deep, *wide = map(max, zip(*(one.tile for one in as_stored), strict=True))
        halo = zip(sides, wide, whole[1:], strict=True)
        line = prod(min(side + 2 * (tile - 1), end) for side, tile, end in halo)
        line *= volume.channels * volume.dtype.itemsize
        held += min(line * deep, BUDGET) + min(line * PIECE, BUDGET)
    return held + sum(
        resampled_bytes(volume, outputs, one.shape, sides, one.tile)
        for one in seen
        if one.shape != whole
    )


def column_sides(
    volume: Volume, outputs: int, seen: Sequence[Seen], memory: int | None
) -> tuple[int, ...]:
    """Return the sides of columns along the second and the third axis.

    Whole planes where they fit, else the fewest columns of equal width along the second axis, and
    where not even the narrowest fit, along the third too; the least there are where nothing fits.

    Args:
        volume: Three axes, seen in blocks.
        outputs: K of the answer.
        seen: By each member.
        memory: Bytes that bands may take; None: as many as they need.
    """
    whole = tuple(volume.shape)[1:]
    if memory is None or not can_be_cut(volume):
        return whole
    if column_bytes(volume, outputs, seen, whole) <= memory:
        return whole
    chunk = _chunk(volume, outputs)
    sides = list(whole)
    for axis, (side, step) in enumerate(zip(whole, chunk, strict=True)):
        count = -(-side // step)
        for parts in range(2, count + 1):
            sides[axis] = -(-count // parts) * step
            if column_bytes(volume, outputs, seen, sides) <= memory:
                return tuple(sides)
        sides[axis] = min(step, side)
    return tuple(sides)


def least_bytes(volume: Volume, outputs: int, seen: Sequence[Seen]) -> int | None:
    """Return the memory that the narrowest columns take; None: it cannot be cut."""
    if not can_be_cut(volume):
        return None
    return column_bytes(volume, outputs, seen, column_sides(volume, outputs, seen, 0))


def can_be_cut(volume: Volume) -> bool:
    """Whether a volume that is seen in blocks may be answered in columns."""
    return len(volume.shape) == 3 and prod(volume.shape) > 0


def columns_of(shape: Sequence[int], sides: Sequence[int]) -> list[Region]:
    """Return the columns of a volume, as regions of its axes after the first.

    Args:
        shape: Of the volume.
        sides: Of a column along these axes; none: whole planes.
    """
    lengths = tuple(shape)[1:]
    cuts = [
        [(start, min(start + side, length)) for start in range(0, length, side)]
        for side, length in zip(sides or lengths, lengths, strict=True)
    ]
    return [
        Region(tuple(start for start, _ in spans), tuple(stop for _, stop in spans))
        for spans in itertools.product(*cuts)
    ]


def _chunk(volume: Volume, outputs: int) -> tuple[int, ...]:
    """Return the sides of a chunk of the stored answer along the axes after the first."""
    from lamina.prediction.streaming.zarr_store import chunk_sides  # only where columns are cut

    planes = len(bands(volume.shape, outputs)[0])  # fewer than the thickness where there are fewer
    return chunk_sides(tuple(volume.shape), {0: planes})[1:]
