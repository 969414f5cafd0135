"""The scores of all triplets as a landscape: its highest point, and its flattest high one.

A peak that is one cell wide was found by chance; the next images will not meet it. The mean over
a neighbourhood says how high the ground around a point is, which is what new images get.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lamina.result.search.triplet.result import NEVER, Surface, Triple

GIVE = 0.01
"""How much of the score a flatter place may cost."""

_NEAR = 0.05  # thresholds this far apart are neighbours
_SAME = 1e-9  # scores that differ by less differ by rounding
_SHOWN = 65  # upper thresholds of a surface in a report

Window = tuple[NDArray[np.int64], NDArray[np.int64]]


@dataclass(frozen=True)
class Landscape:
    """Scores over T upper thresholds, G areas and B lower thresholds, all ascending."""

    tops: NDArray[np.float64]
    areas: NDArray[np.int64]
    bottoms: NDArray[np.float64]
    score: NDArray[np.float64]
    """(T, G, B)."""
    best: NDArray[np.float64] | None = None
    """(T, B): the best score over all areas, also those between ``areas``; None: there are no
    others."""
    reach: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None
    """(T, B) each: the least and the greatest area that reach ``best``."""
    allowed: NDArray[np.bool_] | None = None
    """(T, G): which pairs may be chosen; None: all."""

    def highest(self, empty: float) -> Triple:
        """Return the triplet with the highest score; of equals the one on the flattest ground.

        Args:
            empty: The score when all is left empty, which is the answer where nothing is higher.
        """
        if self.best is None or self.reach is None:
            score = self._allowed()
            if score.max() <= empty + _SAME:
                return NEVER
            return self._at(self._flat(score >= score.max() - _SAME))
        if self.best.max() <= empty + _SAME:
            return NEVER
        least, most = self.reach
        middle = np.where(least > 0, (least + most + 1) // 2, 0)
        near = self._nearest(middle)
        t, b = np.indices(self.best.shape)
        good = (self.best >= self.best.max() - _SAME) & (least >= 0)
        if np.count_nonzero(good) == 1:  # no other to prefer it to
            at = good.argmax()
        else:
            at = np.where(good, self._around[t, near, b], -np.inf).argmax()
        row, column = np.unravel_index(at, self.best.shape)
        return Triple(float(self.tops[row]), int(middle[row, column]), float(self.bottoms[column]))

    def flattest(self, empty: float) -> Triple:
        """Return the triplet with the highest neighbours, of those at most GIVE below the best."""
        score = self._allowed()
        top = score.max() if self.best is None else self.best.max()
        good = score >= max(top - GIVE, empty + _SAME)
        if not good.any():
            return self.highest(empty)
        return self._at(self._flat(good))

    def ground(self, triple: Triple) -> tuple[float, float]:
        """Return the mean and the least score of the neighbourhood of a triplet."""
        places = (
            int(np.abs(self.tops - triple.top).argmin()),
            int(self._nearest(np.asarray(triple.area))),
            int(np.abs(self.bottoms - triple.bottom).argmin()),
        )
        windows = zip(self._windows(), places, strict=True)
        there = self.score[tuple(slice(low[at], high[at]) for (low, high), at in windows)]
        return float(there.mean()), float(there.min())

    def surface(self) -> Surface:
        """Return the scores at the best lower threshold, thinned to what a picture can show."""
        step = max(1, -(-self.tops.size // _SHOWN))
        return Surface(
            top=tuple(self.tops[::step].round(6).tolist()),
            area=tuple(self.areas.tolist()),
            score=tuple(map(tuple, self.score[::step].max(axis=2).round(5).tolist())),
        )

    def _allowed(self) -> NDArray[np.float64]:
        if self.allowed is None:
            return self.score
        return np.where(self.allowed[:, :, None], self.score, -np.inf)

    def _flat(self, good: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return how high the ground around each good triplet is; -inf for the others."""
        if np.count_nonzero(good) == 1:  # no other to compare it with
            return np.where(good, 0.0, -np.inf)
        return np.where(good, self._around, -np.inf)

    def _at(self, height: NDArray[np.float64]) -> Triple:
        t, g, b = np.unravel_index(height.argmax(), height.shape)
        return Triple(float(self.tops[t]), int(self.areas[g]), float(self.bottoms[b]))

    def _nearest(self, area: NDArray[np.int64]) -> NDArray[np.int64]:
        steps = _doublings(self.areas)
        wanted = _doublings(np.maximum(area, 0))
        right = np.searchsorted(steps, wanted).clip(0, steps.size - 1)
        left = (right - 1).clip(0)
        close = np.abs(steps[left] - wanted) <= np.abs(steps[right] - wanted)
        return np.asarray(np.where(close, left, right))

    @cached_property
    def _around(self) -> NDArray[np.float64]:
        """(T, G, B): the mean score of the neighbourhood of each triplet."""
        mean = self.score
        for axis, (low, high) in enumerate(self._windows()):
            zero = np.zeros_like(mean.take([0], axis))
            sums = np.concatenate([zero, np.cumsum(mean, axis=axis)], axis=axis)
            many = (high - low).reshape([-1 if k == axis else 1 for k in range(3)])
            mean = (sums.take(high, axis) - sums.take(low, axis)) / many
        return mean

    def _windows(self) -> tuple[Window, Window, Window]:
        return (
            _window(self.tops, _NEAR),
            _window(_doublings(self.areas), 1.0),
            _window(self.bottoms, _NEAR),
        )


def _window(values: NDArray[np.float64], near: float) -> Window:
    """Return the first and the one after the last place within ``near`` of each value."""
    return (
        np.searchsorted(values, values - near - 1e-6, side="left"),
        np.searchsorted(values, values + near + 1e-6, side="right"),
    )


def _doublings(areas: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return how often 1 was doubled to give each area; 0, which asks nothing, is nobody's half."""
    return np.asarray(np.log2(np.maximum(areas, 0.25)))
