"""Every connected part that a map has at any of 255 thresholds, from one walk down its levels.

As the threshold falls, parts appear, grow and merge; between two changes a part stays as it is.
Joining pixels from the highest level down (a union-find; Tarjan 1975, and the max-tree of Salembier
et al. 1998) meets every part once, so that all thresholds are known for the price of one.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

LEVELS = 256
"""Thresholds are i / 256 for i from 1 to 255, each a float16 exactly. At 0 nearly every pixel would
belong to a single part, at many times the cost."""


@dataclass(frozen=True)
class Parts:
    """The parts of one class of one case, (n,) each, in the order of ``high``, from the top.

    A part is there at the thresholds ``low`` to ``high`` (both counted in 1/256). ``area`` counts
    its pixels, ``predicted`` the valid ones, ``positives`` the valid ones of the class. ``truth``
    counts all valid pixels that belong to the class.
    """

    high: NDArray[np.uint8]
    low: NDArray[np.uint8]
    area: NDArray[np.uint32]
    predicted: NDArray[np.uint32]
    positives: NDArray[np.uint32]
    truth: int


def find_parts(
    prob: NDArray[Any], target: NDArray[np.bool_], valid: NDArray[np.bool_] | None = None
) -> Parts:
    """Return the parts of one class of one case; neighbours touch at a corner (8, or 26).

    Args:
        prob: (*S) probabilities in 0..1; float32 is rounded to float16, as stored maps are.
        target: (*S) True where the class is.
        valid: (*S) True where a pixel counts; None: all count.

    Raises:
        ValueError: shapes differ.
    """
    if prob.shape != target.shape or (valid is not None and valid.shape != prob.shape):
        raise ValueError(f"prob {prob.shape}, target {target.shape} and valid must be equal")
    counts = np.ones(prob.shape, np.bool_) if valid is None else valid
    # above threshold i are the levels above i; a rim all round, so that no neighbour is outside
    level = np.pad(np.ceil(prob.astype(np.float16).astype(np.float32) * LEVELS).astype(np.int16), 1)
    kind = np.pad(counts.astype(np.uint8) * (1 + target.astype(np.uint8)), 1)
    steps = np.array(level.strides) // level.itemsize
    around = [np.dot(move, steps) for move in product((-1, 0, 1), repeat=prob.ndim) if any(move)]
    flat = level.ravel()
    shown = np.flatnonzero(flat > 1)
    order = shown[np.argsort(flat[shown], kind="stable")[::-1]]
    found = walk(flat, kind.ravel(), order, np.array(around, np.int64), 1)
    high, low, area, predicted, positives, _ = found.T
    return Parts(
        high=high.astype(np.uint8),
        low=low.astype(np.uint8),
        area=area.astype(np.uint32),
        predicted=predicted.astype(np.uint32),
        positives=positives.astype(np.uint32),
        truth=int(np.count_nonzero(target & counts)),
    )


@numba.njit(cache=True)
def walk(
    level: NDArray[Any],
    kind: NDArray[np.uint8],
    order: NDArray[np.int64],
    around: NDArray[np.int64],
    lowest: int,
) -> NDArray[np.int64]:
    """Join pixels level by level; above threshold i are the levels above i.

    Args:
        level: (pixels,) flat, with a rim that is never in ``order``.
        kind: (pixels,) 0 where a pixel does not count, 1 where it does, 2 where the class is too.
        order: Pixels of the levels above ``lowest``, from the highest level down.
        around: Distances in ``level`` to the neighbours.
        lowest: The lowest threshold.

    Returns:
        (n, 6): high, low, area, predicted, positives of each part, and the row of the part that
        it is in below ``low`` (-1: none).
    """
    parent = np.full(level.size, -1, np.int64)
    sums = np.zeros((level.size, 3), np.int64)  # of the part that a root stands for
    row = np.full(level.size, -1, np.int64)  # of ``found`` that is the root's part as it is now
    found = np.zeros((order.size, 6), np.int64)
    seat = np.empty(order.size, np.int64)  # a pixel of each part
    ended = np.zeros(order.size + 1, np.int64)  # parts that this level ends; last: how many
    n = start = 0
    while start < order.size:
        now = level[order[start]]
        stop = start
        ended[-1] = 0
        while stop < order.size and level[order[stop]] == now:
            pixel = order[stop]
            parent[pixel] = pixel
            sums[pixel, 0] = 1
            sums[pixel, 1] = kind[pixel] > 0
            sums[pixel, 2] = kind[pixel] == 2
            for step in around:
                if parent[pixel + step] >= 0:
                    _join(pixel, pixel + step, now, parent, sums, row, found, ended)
            stop += 1
        for pixel in order[start:stop]:
            root = _root(pixel, parent)
            if row[root] < 0:  # new, or changed at this level
                found[n, 0], found[n, 1], found[n, 5] = now - 1, lowest, -1
                found[n, 2:5] = sums[root]
                row[root], seat[n] = n, root
                n += 1
        for part in ended[: ended[-1]]:
            found[part, 5] = row[_root(seat[part], parent)]
        start = stop
    return found[:n]


@numba.njit(cache=True)
def _root(pixel: int, parent: NDArray[np.int64]) -> int:
    while parent[pixel] != pixel:
        parent[pixel] = parent[parent[pixel]]
        pixel = parent[pixel]
    return pixel


@numba.njit(cache=True)
def _join(
    one: int,
    two: int,
    now: int,
    parent: NDArray[np.int64],
    sums: NDArray[np.int64],
    row: NDArray[np.int64],
    found: NDArray[np.int64],
    ended: NDArray[np.int64],
) -> None:
    large, small = _root(one, parent), _root(two, parent)
    if large == small:
        return
    if sums[large, 0] < sums[small, 0]:
        large, small = small, large
    for root in (large, small):
        if row[root] >= 0:  # its part ends above this level
            found[row[root], 1] = now
            ended[ended[-1]] = row[root]
            ended[-1] += 1
            row[root] = -1
    parent[small] = large
    sums[large] += sums[small]
