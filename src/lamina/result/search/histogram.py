"""Every probability a float16 map can hold, counted.

A float16 in 0..1 is one of 15,361 bit patterns, and their order as numbers is their order as
integers. A histogram over the patterns therefore keeps every distinct value: all thresholds
can be tried exactly without keeping a single pixel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

CODES = 15361
"""Number of float16 values in 0..1; the last, 15360, is 1.0."""

_BLOCK = 32  # codes between two kept sums of a case's counts
_CHUNK = 1 << 20  # pixels counted at a time, so that a volume needs no copy of itself

VALUES: NDArray[np.float64] = np.arange(CODES, dtype=np.uint16).view(np.float16).astype(np.float64)
"""The probability of each code."""


@lru_cache(maxsize=256)  # one threshold is asked of many cases
def code_of(threshold: float) -> int:
    """Return the largest code whose value is at most ``threshold``.

    For float16 maps, p > threshold and p > VALUES[code] select the same pixels.
    """
    return int(np.searchsorted(VALUES, threshold, side="right")) - 1


@dataclass(frozen=True)
class Counts:
    """One class of one case: how many pixels have each probability, sparse and descending.

    ``codes`` (n,) uint16 from high to low, without code 0, which no threshold selects. All
    other arrays are (n,) unsigned: ``area`` counts all pixels, ``predicted`` the valid ones,
    ``positives`` the valid ones that belong to the class. ``truth`` counts all valid pixels
    that belong to the class, ``pixels`` all pixels and ``counted`` the valid ones, those of code
    0 included.
    """

    codes: NDArray[np.uint16]
    area: NDArray[Any]
    predicted: NDArray[Any]
    positives: NDArray[Any]
    truth: int
    pixels: int
    counted: int

    @property
    def highest(self) -> float:
        """The largest probability of the case."""
        return float(VALUES[self.codes[0]]) if self.codes.size else 0.0

    def above(self, threshold: float) -> tuple[int, int, int]:
        """Return the sums of ``area``, ``predicted`` and ``positives`` above a threshold.

        Sums up to every 32nd code are kept from the first call on, so that another threshold adds
        at most 31 counts.

        Raises:
            ValueError: the threshold is below 0, and so selects pixels of code 0 too.
        """
        code = code_of(threshold)
        if code < 0:
            raise ValueError(f"a threshold is at least 0, not {threshold}")
        end = self.codes.size - int(self._ascending.searchsorted(np.uint16(code), "right"))
        area, predicted, hits = self._sums[end // _BLOCK].tolist()
        rest = slice(end - end % _BLOCK, end)
        area += sum(self.area[rest].tolist())  # of so few, faster than NumPy's sum
        hits += sum(self.positives[rest].tolist())
        if self.predicted is self.area:
            return area, area, hits
        return area, predicted + sum(self.predicted[rest].tolist()), hits

    @cached_property
    def _ascending(self) -> NDArray[np.uint16]:
        return self.codes[::-1]

    @cached_property
    def _sums(self) -> NDArray[np.int64]:
        """Return (n, 3) sums of area, predicted and positives of the first 0, 32 ... codes."""
        starts = np.arange(0, self.codes.size, _BLOCK)
        sums = np.zeros((starts.size + 1, 3), np.int64)
        if starts.size:
            for k, column in enumerate((self.area, self.predicted, self.positives)):
                np.add.reduceat(column, starts, dtype=np.int64).cumsum(out=sums[1:, k])
        return sums


def count(
    prob: NDArray[Any], target: NDArray[np.bool_], valid: NDArray[np.bool_] | None = None
) -> Counts:
    """Count one class of one case.

    Args:
        prob: (*S) probabilities; float32 is rounded to float16, as stored maps are.
        target: (*S) True where the class is.
        valid: (*S) True where a pixel counts; None: all count.

    Raises:
        ValueError: shapes differ, or a probability is not in 0..1.
    """
    if prob.shape != target.shape or (valid is not None and valid.shape != prob.shape):
        raise ValueError(f"prob {prob.shape}, target {target.shape} and valid must be equal")
    flat, truth = prob.reshape(-1), target.reshape(-1)
    counts = valid is not None and valid.reshape(-1)
    area, predicted, positives = _counted(flat, truth, counts, slice(0, _CHUNK))
    for start in range(_CHUNK, flat.size, _CHUNK):
        more = _counted(flat, truth, counts, slice(start, start + _CHUNK))
        area, predicted, positives = area + more[0], predicted + more[1], positives + more[2]
    found = np.flatnonzero(area[1:])[::-1] + 1
    lean = _lean(area[found])
    return Counts(
        codes=found.astype(np.uint16),
        area=lean,
        predicted=lean if counts is False else _lean(predicted[found]),
        positives=_lean(positives[found]),
        truth=int(positives.sum()),
        pixels=flat.size,
        counted=flat.size if counts is False else int(np.count_nonzero(counts)),
    )


def _counted(
    prob: NDArray[Any],
    truth: NDArray[np.bool_],
    counts: NDArray[np.bool_] | Literal[False],
    part: slice,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return all, valid and right pixels of a part of a flat map by their code, (CODES,) each."""
    codes, hit = codes_of(prob[part]), truth[part]
    area = predicted = np.bincount(codes, minlength=CODES)
    if counts is not False:
        predicted = np.bincount(codes[counts[part]], minlength=CODES)
        hit = hit & counts[part]
    return area, predicted, np.bincount(codes[hit], minlength=CODES)


def merged(parts: Sequence[Counts]) -> Counts:
    """Return the counts of a case from those of its parts, at least one."""
    columns = {name: np.zeros(CODES, np.int64) for name in ("area", "predicted", "positives")}
    for part in parts:
        for name, column in columns.items():
            column[part.codes] += getattr(part, name)
    found = np.flatnonzero(columns["area"])[::-1]
    return Counts(
        codes=found.astype(np.uint16),
        truth=sum(part.truth for part in parts),
        pixels=sum(part.pixels for part in parts),
        counted=sum(part.counted for part in parts),
        **{name: _lean(column[found]) for name, column in columns.items()},
    )


class Areas:
    """Pixels of each probability of a map without a truth, gathered part by part."""

    def __init__(self) -> None:
        """Begin with no pixel."""
        self._area = np.zeros(CODES, np.int64)

    def add(self, prob: NDArray[Any]) -> None:
        """Count a part (*S) of the map; float32 is rounded to float16, as stored maps are.

        Raises:
            ValueError: a probability is not in 0..1.
        """
        flat = prob.reshape(-1)
        for start in range(0, flat.size, _CHUNK):
            self._area += np.bincount(codes_of(flat[start : start + _CHUNK]), minlength=CODES)

    def counts(self) -> Counts:
        """Return what was counted, as of a map of which no pixel is true."""
        found = np.flatnonzero(self._area[1:])[::-1] + 1
        lean = _lean(self._area[found])
        pixels = int(self._area.sum())
        return Counts(
            codes=found.astype(np.uint16),
            area=lean,
            predicted=lean,
            positives=np.zeros(lean.size, np.uint8),
            truth=0,
            pixels=pixels,
            counted=pixels,
        )


def codes_of(prob: NDArray[Any]) -> NDArray[np.uint16]:
    """Return the code of each probability, rounded to float16; same shape.

    Raises:
        ValueError: a probability is not in 0..1.
    """
    codes = np.ascontiguousarray(prob, np.float16).view(np.uint16)
    if codes.size and codes.max() >= CODES:
        codes = np.where(codes == 0x8000, 0, codes).astype(np.uint16)  # minus zero
        if codes.max() >= CODES:
            raise ValueError("probabilities must lie in 0..1")
    return codes


def stored_codes(prob: NDArray[Any]) -> NDArray[np.uint16] | None:
    """Return the codes of a map as a view of it; None where these are not its bytes.

    That is of other types than float16, and where a value is not in 0..1 or is minus zero.
    Whole numbers are compared many times as fast as float16, which is computed in float32.
    """
    if prob.dtype != np.float16 or not prob.flags.c_contiguous or not prob.size:
        return None
    codes = np.asarray(prob).view(np.uint16)
    return None if codes.max() >= CODES else codes


def highest(prob: NDArray[Any], axis: int) -> NDArray[Any]:
    """Return ``prob.max(axis)``."""
    codes = stored_codes(prob)
    if codes is None:
        return np.asarray(prob.max(axis=axis))
    return np.asarray(codes.max(axis=axis)).view(np.float16)


def _lean(counts: NDArray[np.int64]) -> NDArray[Any]:
    # most counts fit two bytes, and these arrays are what a search over 50,000 maps keeps
    return counts.astype(np.min_scalar_type(int(counts.max(initial=0))))


_EDGES = np.concatenate(
    [
        np.arange(0, 8192, 64),  # below 2^-7: 16 bins an octave
        np.arange(8192, 14336, 32),  # below 1/2: 32 bins an octave
        np.arange(14336, 15296, 8),
        np.arange(15296, CODES),  # the highest 64 values one by one
    ]
)
"""Codes at which bins end; 0 and 1/2 are among them, so that p > 1/2 stays exact."""

_MIDDLES = np.concatenate([[0], (_EDGES[:-1] + _EDGES[1:] + 1) // 2]).astype(np.uint16)


def thin(counts: Counts) -> Counts:
    """Return the counts in at most 504 bins of codes, each by the code in its middle.

    Bins are within 2.2 % of a probability of each other below 1/2 and finer near 1, where logits
    are far apart. Thresholds at the ends of bins, such as 1/2, select the same pixels.
    """
    bins = np.searchsorted(_EDGES, counts.codes, side="left")
    starts = np.flatnonzero(np.diff(bins, prepend=-1))

    def summed(column: NDArray[Any]) -> NDArray[Any]:
        return _lean(np.add.reduceat(column.astype(np.int64), starts)) if starts.size else column

    area = summed(counts.area)
    alike = counts.predicted is counts.area
    return replace(
        counts,
        codes=_MIDDLES[bins[starts]],
        area=area,
        predicted=area if alike else summed(counts.predicted),
        positives=summed(counts.positives),
    )


def auc(scores: ArrayLike, present: ArrayLike) -> float | None:
    """Return the area under the ROC curve: the chance that a case with ranks above one without.

    Args:
        scores: (N,) one number per case, such as its highest probability; equal scores count
            one half.
        present: (N,) whether the case shows the class.

    Returns:
        A number in 0..1; None where all cases, or none, show the class.
    """
    score, with_class = np.asarray(scores, np.float64), np.asarray(present, np.bool_)
    positive = int(np.count_nonzero(with_class))
    negative = with_class.size - positive
    if not positive or not negative:
        return None
    _, place, many = np.unique(score, return_inverse=True, return_counts=True)
    rank = np.cumsum(many) - (many - 1) / 2  # mean rank of equal scores, counted from 1
    above = rank[place][with_class].sum() - positive * (positive + 1) / 2
    return float(above / (positive * negative))
