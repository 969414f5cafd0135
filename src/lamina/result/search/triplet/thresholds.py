"""Thresholds to try, and how many pixels of a map lie above each, from one look at every pixel.

A table says at once between which two thresholds a pixel lies: for a float16 map it has an entry
for each of the 15,361 numbers there are, for a float32 map one for each 4096th of 0..1, after
which at most a few comparisons remain.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from lamina.result.search.histogram import CODES, VALUES

_CELLS = 4096
_LANES = 4  # counts of neighbouring pixels go to different tables, and need not wait for another


class Thresholds:
    """Distinct thresholds, ascending, as float32: what a decision compares with."""

    def __init__(self, thresholds: Iterable[float]) -> None:
        """Raises ValueError where a threshold is not in 0..1."""
        self.values: NDArray[np.float32] = np.unique(np.asarray(list(thresholds), np.float32))
        if not self.values.size or not (self.values[0] >= 0 and self.values[-1] <= 1):
            raise ValueError(f"thresholds lie in 0..1: {self.values}")
        codes = VALUES.astype(np.float32)
        self._by_code = np.searchsorted(self.values, codes, side="left").astype(np.uint16)
        starts = np.arange(_CELLS + 1, dtype=np.float32) / _CELLS
        self._by_cell = np.searchsorted(self.values, starts, side="left").astype(np.uint16)
        self._ended = np.append(self.values, np.float32(np.inf))

    def __len__(self) -> int:
        return int(self.values.size)

    def place(self, thresholds: Iterable[float]) -> NDArray[np.int64]:
        """Return the numbers of thresholds, all of which must be among ``values``."""
        return np.searchsorted(self.values, np.asarray(list(thresholds), np.float32))

    def steps(self, prob: NDArray[Any]) -> NDArray[np.uint16]:
        """Return (*S) how many thresholds lie below each pixel: p > values[i] where it is above i.

        Args:
            prob: (*S) float16 or float32 in 0..1; float64 is rounded to float32.

        Raises:
            ValueError: a probability is not in 0..1.
        """
        if prob.dtype == np.float16:
            return np.asarray(self._by_code[_codes(prob)])
        out = np.empty(prob.size, np.uint16)
        flat = np.ascontiguousarray(prob, np.float32).reshape(-1)
        _check(_steps(flat, self._by_cell, self._ended, out))
        return out.reshape(prob.shape)

    def count(
        self,
        prob: NDArray[Any],
        target: NDArray[np.bool_],
        valid: NDArray[np.bool_] | None = None,
    ) -> NDArray[np.int64]:
        """Return how many pixels lie above each threshold.

        Args:
            prob: (*S) as in ``steps``.
            target: (*S) True where the class is.
            valid: (*S) True where a pixel counts; None: all.

        Returns:
            (1 + thresholds, 3): all pixels, valid ones, and valid ones of the class; row 0 of the
            whole map, row 1 + i of p > values[i].

        Raises:
            ValueError: shapes differ, or a probability is not in 0..1.
        """
        if prob.shape != target.shape or (valid is not None and valid.shape != prob.shape):
            raise ValueError(f"prob {prob.shape}, target {target.shape} and valid must be equal")
        kind = np.ascontiguousarray(target).view(np.uint8)
        if valid is not None:
            kind = kind + 2 * (~valid).view(np.uint8)
        found = np.zeros((_LANES, 4, len(self) + 1), np.int64)
        if prob.dtype == np.float16:
            _count_codes(_codes(prob).reshape(-1), kind.reshape(-1), self._by_code, found)
        else:
            flat = np.ascontiguousarray(prob, np.float32).reshape(-1)
            _check(_count(flat, kind.reshape(-1), self._by_cell, self._ended, found))
        other, hit, *ignored = np.cumsum(found.sum(axis=0)[:, ::-1], axis=1)[:, ::-1]
        return np.stack([other + hit + sum(ignored), other + hit, hit], axis=1)


def _codes(prob: NDArray[Any]) -> NDArray[np.uint16]:
    codes = np.ascontiguousarray(prob).view(np.uint16)
    if codes.size and codes.max() >= CODES:
        codes = np.where(codes == 0x8000, 0, codes).astype(np.uint16)  # minus zero
        _check(not codes.max() >= CODES)
    return codes


def _check(sound: bool) -> None:
    if not sound:
        raise ValueError("probabilities must lie in 0..1")


@numba.njit(cache=True, inline="always")
def _step(p: Any, by_cell: NDArray[np.uint16], ended: NDArray[np.float32]) -> Any:
    step = by_cell[int(p * np.float32(_CELLS))]
    while p > ended[step]:
        step += 1
    return step


@numba.njit(cache=True)
def _steps(
    prob: NDArray[np.float32],
    by_cell: NDArray[np.uint16],
    ended: NDArray[np.float32],
    out: NDArray[np.uint16],
) -> bool:
    for i in range(prob.size):
        if not 0 <= prob[i] <= 1:
            return False
        out[i] = _step(prob[i], by_cell, ended)
    return True


@numba.njit(cache=True)
def _count(
    prob: NDArray[np.float32],
    kind: NDArray[np.uint8],
    by_cell: NDArray[np.uint16],
    ended: NDArray[np.float32],
    found: NDArray[np.int64],
) -> bool:
    for i in range(prob.size):
        if not 0 <= prob[i] <= 1:
            return False
        found[i & (_LANES - 1), kind[i], _step(prob[i], by_cell, ended)] += 1
    return True


@numba.njit(cache=True)
def _count_codes(
    codes: NDArray[np.uint16],
    kind: NDArray[np.uint8],
    by_code: NDArray[np.uint16],
    found: NDArray[np.int64],
) -> None:
    for i in range(codes.size):
        found[i & (_LANES - 1), kind[i], by_code[codes[i]]] += 1
