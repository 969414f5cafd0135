"""The memory that bands of an image or a volume take: upper bounds, from shapes and types alone.

Letters: K outputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from lamina.data.views.resampling.resampled import seen_planes
from lamina.prediction.streaming.row_bands import thickness
from lamina.prediction.streaming.row_cache import BUDGET, PIECE
from lamina.volume import Volume


def held_bytes(
    volume: Volume,
    outputs: int,
    tiles: Sequence[int],
    shapes: Sequence[tuple[int, ...]] | None = None,
) -> int:
    """Return an upper bound of the memory that bands take, beside networks and batches.

    Args:
        volume: The image, or a volume that is seen in blocks.
        outputs: K of the answer.
        tiles: Rows of the tiles of each member, or their planes along the first stored axis.
        shapes: As each member sees it, its axes as they are stored; None: as it is.
    """
    own = tuple(volume.shape)
    thick, width = thickness(own, outputs), prod(own[1:])
    each = list(zip(tiles, shapes or [own] * len(tiles), strict=True))
    as_stored = [rows for rows, shape in each if shape == own]
    held = sums_bytes(outputs, width, thick, as_stored)
    if as_stored:
        line = width * volume.channels * volume.dtype.itemsize
        held += min(line * max(as_stored), BUDGET) + min(line * PIECE, BUDGET)
    return held + sum(
        resampled_bytes(volume, outputs, shape, own[1:], (rows, *shape[1:]))
        for rows, shape in each
        if shape != own
    )


def sums_bytes(outputs: int, area: int, thick: int, tiles: Sequence[int]) -> int:
    """Return the bytes of the sums of members over a band, and of what is taken out of them.

    Args:
        outputs: K of the answer.
        area: Pixels of a row or a plane of the band.
        thick: Rows or planes of the band.
        tiles: Rows or planes of the tiles of each member.
    """
    sums = sum(4 * outputs * area * (2 * thick + rows) for rows in tiles)
    return 14 * outputs * area * thick + sums


def resampled_bytes(
    volume: Volume,
    outputs: int,
    shape: Sequence[int],
    sides: Sequence[int],
    tile: Sequence[int],
) -> int:
    """Return the bytes that a member takes that sees a volume resampled.

    Args:
        volume: As it is stored.
        outputs: K of the answer.
        shape: As the member sees it.
        sides: What is answered at once of the axes after the first, of the source.
        tile: Of the member.
    """
    stored, thick = tuple(volume.shape), thickness(volume.shape, outputs)
    planes = seen_planes(shape[0], stored[0], thick)
    seen = _most(shape[1:], stored[1:], sides)
    sums = 4 * outputs * prod(seen) * (5 * planes + tile[0]) + 4 * prod(sides) * planes
    # Planes of tiles are held, and made of planes of the source, a piece at a time.
    wide = [min(n + 2 * (t - 1), end) for n, t, end in zip(seen, tile[1:], shape[1:], strict=True)]
    below = _most(stored[1:], shape[1:], wide)
    piece, line, area = min(PIECE, tile[0]), 4 * volume.channels * prod(wide), prod(below)
    source = seen_planes(stored[0], shape[0], piece)
    made = line * piece + 4 * prod(wide) * source + 12 * max(prod(wide), area)
    read = volume.channels * volume.dtype.itemsize * area * source
    held = line * tile[0] + made + read
    return sums + held * min(line * tile[0], BUDGET) // max(line * tile[0], 1)


def _most(seen: Sequence[int], stored: Sequence[int], sides: Sequence[int]) -> list[int]:
    """Return the sides of ``seen`` that make these sides of ``stored`` at most."""
    axes = zip(seen, stored, sides, strict=True)
    return [min(seen_planes(*axis), axis[0]) for axis in axes]
