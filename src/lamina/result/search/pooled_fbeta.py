"""The best threshold for F-beta over all pixels pooled, among all distinct probabilities.

Nearly all thresholds can be ruled out without looking at them. A histogram of 2^18 cells says how
many pixels lie above a cell and how many true and false ones in it; no threshold within a cell
can be better than if its true pixels came first. Only cells whose bound reaches the best value at
any cell's edge are looked into, and there pixels are sorted.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

_SHIFT = 12  # bits of a float32 that a cell does not tell apart
_ONE = np.uint32(0x3F800000)  # 1.0; the order of numbers from 0 on is that of their bits
_MINUS_ZERO = np.uint32(0x80000000)
_CELLS = (0x3F800000 >> _SHIFT) + 1
_LANES = 2
_CHUNK = 1 << 16  # pixels that stay in the cache from one step to the next


class Best(NamedTuple):
    """A threshold, at or above which a pixel counts as predicted, and its F-beta."""

    threshold: float
    score: float


def best_threshold(prob: NDArray[Any], target: NDArray[np.bool_], beta: float = 1.0) -> Best:
    """Return the threshold with the highest F-beta, tried at every distinct probability.

    The value is (1 + beta^2) tp / (beta^2 positives + predicted) with predicted = count(p >=
    threshold); the threshold is the one that the argmax over sklearn's ``precision_recall_curve``
    finds. Where several are equally good, it is the lowest. For decisions, which compare
    strictly, any number below it and not below the next lower probability does.

    Args:
        prob: Any shape, float32 or float16 in 0..1.
        target: The same shape, True where the class is.
        beta: How much more recall counts than precision, above 0.

    Returns:
        Threshold and score; where no pixel is True the score is 0 and the threshold the lowest
        probability.

    Raises:
        ValueError: shapes or types differ, there is no pixel, or a probability is not in 0..1.
    """
    if prob.shape != target.shape or not prob.size:
        raise ValueError(
            f"prob {prob.shape} and target {target.shape} must be equal, and not empty"
        )
    if prob.dtype not in (np.float32, np.float16) or target.dtype != np.bool_ or not beta > 0:
        raise ValueError(f"prob {prob.dtype} must be float32 or float16, target bool, beta above 0")
    pixels = np.ascontiguousarray(prob, np.float32).reshape(-1).view(np.uint32)
    truth = np.ascontiguousarray(target).reshape(-1).view(np.uint8)
    counts = np.zeros((_LANES, 2, _CELLS), np.uint32)
    sound = _histogram(pixels, truth, counts)
    if not sound and (pixels == _MINUS_ZERO).any():
        return best_threshold(prob + np.float16(0), target, beta)
    if not sound:
        raise ValueError("probabilities must lie in 0..1")
    cells = counts.sum(axis=0, dtype=np.int64)
    positives = int(cells[1].sum())
    if not positives:
        return Best(float(prob.min()) + 0.0, 0.0)
    wanted, above = _open_cells(cells, positives, beta)
    found = _collect(pixels, wanted)
    order = found[np.argsort(pixels[found])]
    return _best_within(pixels[order], truth[order], above, positives, beta)


def _f_beta(hits: Any, predicted: Any, positives: int, beta: float) -> Any:
    return (1 + beta**2) * hits / (beta**2 * positives + predicted)


def _open_cells(
    cells: NDArray[np.int64], positives: int, beta: float
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Return which cells may hold the best threshold, and what is above each, (2, cells).

    Row 0 of ``cells`` (2, cells), and of the last, counts pixels that are not True, row 1 the True.
    """
    reached = cells[:, ::-1].cumsum(axis=1)[:, ::-1]
    above = reached - cells
    at_edge = _f_beta(reached[1], reached[0] + reached[1], positives, beta)
    # every True pixel of the cell before any other: more than any threshold in it can have
    most = _f_beta(reached[1], above[0] + reached[1], positives, beta)
    there = (cells[0] + cells[1]) > 0
    rounding = 1e-12
    wanted = there & (most >= at_edge[there].max() * (1 - rounding))
    return wanted, above


def _collect(pixels: NDArray[np.uint32], wanted: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the places of the pixels of open cells."""
    cells = np.flatnonzero(wanted)
    first = np.uint32(cells[0] << _SHIFT)
    span = np.uint32((cells[-1] + 1 - cells[0]) << _SHIFT)
    found = []
    for start in range(0, pixels.size, _CHUNK):
        part = pixels[start : start + _CHUNK]
        # without a sign what lies below the first wraps round to beyond the last
        near = np.flatnonzero(part - first < span)
        found.append(start + near[wanted[part[near] >> _SHIFT]])
    return np.concatenate(found)


def _best_within(
    bits: NDArray[np.uint32],
    hits: NDArray[np.uint8],
    above: NDArray[np.int64],
    positives: int,
    beta: float,
) -> Best:
    """Return the best of the thresholds at sorted pixels, ascending, of the open cells."""
    cell = bits >> _SHIFT
    first = np.flatnonzero(np.diff(cell, prepend=np.uint32(_CELLS)))
    ends = np.append(first[1:], bits.size)
    # pixels from each one to the end of its cell, and those of higher cells
    total = np.arange(bits.size, 0, -1)
    true = hits[::-1].cumsum(dtype=np.int64)[::-1]
    after = np.append(true, 0)[ends]
    which = np.repeat(np.arange(first.size), ends - first)
    higher = above[:, cell[first]]
    tp = true - after[which] + higher[1, which]
    predicted = total - (bits.size - ends)[which] + higher[:, which].sum(axis=0)
    distinct = np.append(True, bits[1:] != bits[:-1])  # the first of equals counts them all
    score = _f_beta(tp[distinct], predicted[distinct], positives, beta)
    at = int(score.argmax())
    return Best(float(bits[distinct][at : at + 1].view(np.float32)[0]), float(score[at]))


@numba.njit(cache=True)
def _histogram(
    bits: NDArray[np.uint32], truth: NDArray[np.uint8], counts: NDArray[np.uint32]
) -> bool:
    for i in range(bits.size):
        here = bits[i]
        if here > _ONE:
            return False  # above 1, negative, or not a number
        counts[i & (_LANES - 1), truth[i], here >> _SHIFT] += 1
    return True
