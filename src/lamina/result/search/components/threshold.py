"""The best threshold, minimum part and minimum area of one class, from the parts of its cases."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lamina.result.search.components.min_size import scan_parts
from lamina.result.search.components.tree import LEVELS, Parts
from lamina.result.search.histogram import VALUES, code_of
from lamina.result.search.result import Choice

_SAME = 1e-9  # scores that differ by less differ by rounding


class PartColumn:
    """The parts of one class in all cases as flat arrays, from the highest threshold down."""

    def __init__(self, parts: Sequence[Parts], rule: NDArray[np.float64], *, by_case: bool) -> None:
        self._high = np.concatenate([part.high for part in parts])
        self._low = np.concatenate([one.low for one in parts])
        self._sums = np.stack(
            [
                np.concatenate([getattr(one, name) for one in parts]).astype(np.int64)
                for name in ("area", "predicted", "positives")
            ],
            axis=1,
        )
        self._owner = np.repeat(np.arange(len(parts)), [one.high.size for one in parts])
        self._starts = np.cumsum([0, *(one.high.size for one in parts)])
        self._truth = np.asarray([one.truth for one in parts], np.int64)
        self._rule, self._by_case = rule, by_case

    def best(self, use: NDArray[np.int64]) -> tuple[float, Choice]:
        """Return the best score on the cases ``use``, and how it is reached.

        Where several thresholds are equally good, the middle of their widest run is taken; of
        minimum parts and areas, the least that reach the score.
        """
        number = np.full(self._truth.size, -1)
        number[use] = np.arange(use.size)
        mine = np.flatnonzero(number[self._owner] >= 0)
        mine = mine[np.argsort(self._high[mine], kind="stable")[::-1]]
        best, area, smallest = scan_parts(
            self._high[mine],
            self._low[mine],
            self._sums[mine],
            number[self._owner[mine]],
            self._truth[use],
            self._rule,
            self._by_case,
        )
        good = np.concatenate([[False], best >= best.max() - _SAME, [False]])
        edges = np.flatnonzero(np.diff(good.astype(np.int8))).reshape(-1, 2)
        first, stop = max(edges.tolist(), key=lambda run: run[1] - run[0])
        level = int(first + stop) // 2
        code = VALUES.size - 1 if area[level] < 0 else code_of(level / LEVELS)
        return float(best[level]), Choice(code, max(int(area[level]), 0), int(smallest[level]))

    def counts(self, case: int, choice: Choice) -> NDArray[np.int64]:
        """Return area, valid and hit pixels of a case's parts that stay, before the minimum area.

        The threshold is one of the LEVELS, as ``best`` returns it.
        """
        mine = slice(self._starts[case], self._starts[case + 1])
        level = VALUES[choice.code] * LEVELS
        there = (self._low[mine] <= level) & (self._high[mine] >= level)
        sums = self._sums[mine][there]
        return np.asarray(sums[sums[:, 0] >= choice.min_component].sum(axis=0))
