"""One class in all cases, ready to be judged by any triplet: by image, or by connected part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.result.search.triplet.component_scan import decide_trees, scan_trees
from lamina.result.search.triplet.component_tree import Tree, join_trees
from lamina.result.search.triplet.image_scan import add_up, scan_images
from lamina.result.search.triplet.landscape import Landscape
from lamina.result.search.triplet.result import NEVER, Triple
from lamina.result.search.triplet.thresholds import Thresholds
from lamina.task import Aim

_EMPTY = {"one": (1.0, 1.0), "zero": (0.0, 1.0), "skip": (0.0, 0.0)}

Cases = NDArray[np.int64]


class Axes:
    """The triplets that are tried."""

    def __init__(
        self,
        tops: Sequence[float],
        bottoms: Sequence[float],
        areas: Sequence[int] | None,
        pairs: Sequence[tuple[float, int]] | None = None,
    ) -> None:
        """``areas`` None: all there are; ``pairs``: only these of ``tops`` and ``areas``."""
        self.rungs = Thresholds([*tops, *bottoms, 0.5])
        self.tops = np.unique(self.rungs.place(tops))
        self.bottoms = np.unique(self.rungs.place(bottoms))
        self.areas = None if areas is None else np.unique(np.asarray(areas, np.int64))
        self.allowed: NDArray[np.bool_] | None = None
        if pairs is not None and self.areas is not None:
            self.allowed = np.zeros((self.tops.size, self.areas.size), np.bool_)
            at = np.searchsorted(self.tops, self.rungs.place(top for top, _ in pairs))
            self.allowed[at, np.searchsorted(self.areas, [area for _, area in pairs])] = True

    def steps(self, largest: int) -> NDArray[np.int64]:
        """Return the areas of the landscape: those listed, or 0 and powers of the root of 2."""
        if self.areas is not None:
            return self.areas
        powers = np.arange(2 * np.log2(max(largest, 1)) + 1)
        return np.unique([0, *np.round(2 ** (powers / 2)).astype(np.int64)])


class ImageColumn:
    """Counts above every threshold, (N, 1 + thresholds, 3) as ``Thresholds.count`` returns them."""

    def __init__(self, tables: Sequence[NDArray[np.uint32]], aim: Aim, axes: Axes) -> None:
        self._tables = np.stack(tables)
        self._truth = self._tables[:, 0, 2].astype(np.int64)
        self._largest = int(self._tables[:, 0, 0].max())
        self._rule = np.asarray([aim.false_positive, aim.false_negative, *_EMPTY[aim.empty]])
        self._aim, self._axes = aim, axes

    @property
    def truth(self) -> Cases:
        """(N,) valid pixels of the class."""
        return self._truth

    def landscape(self, use: Cases) -> Landscape:
        """Judge every triplet on the cases ``use``."""
        axes = self._axes
        # the shortest numbers that are the same float32: 0.6, not 0.6000000238
        values = np.asarray([float(str(value)) for value in axes.rungs.values])
        areas = axes.steps(self._largest)
        best, least, most, score = self._scan(use, areas)
        dense = axes.areas is None
        return Landscape(
            tops=values[axes.tops],
            areas=areas,
            bottoms=values[axes.bottoms],
            score=score,
            best=best if dense else None,
            reach=(least, most) if dense else None,
            allowed=axes.allowed,
        )

    def plain(self, use: Cases) -> tuple[float, float]:
        """Return the best single threshold without an area, and its score."""
        bottoms = self._axes.bottoms
        found = [self._score_of(use, *self._above(use, b)) for b in bottoms]
        at = int(np.argmax(found))
        return float(str(self._axes.rungs.values[bottoms[at]])), found[at]

    def score(self, groups: Sequence[tuple[Cases, Triple]]) -> float:
        """Return the aim when each group of cases is decided by its own triplet."""
        parts = [self.decided(use, triple) for use, triple in groups]
        use = np.concatenate([group[0] for group in groups])
        predicted, hits = (np.concatenate(list(one)) for one in zip(*parts, strict=True))
        return self._score_of(use, predicted, hits)

    def decided(self, use: Cases, triple: Triple) -> tuple[Cases, Cases]:
        """Return the valid predicted and the hit pixels of each case by one triplet."""
        if triple == NEVER:
            return np.zeros(use.size, np.int64), np.zeros(use.size, np.int64)
        top, bottom = self._axes.rungs.place([triple.top, triple.bottom])
        kept = self._tables[use, 1 + top, 0] >= triple.area
        predicted, hits = self._above(use, bottom)
        return predicted * kept, hits * kept

    def _above(self, use: Cases, bottom: int) -> tuple[Cases, Cases]:
        found = self._tables[use, 1 + bottom].astype(np.int64)
        return found[:, 1], found[:, 2]

    def _score_of(self, use: Cases, predicted: Cases, hits: Cases) -> float:
        truth = self._truth[use]
        if not self._aim.by_case:
            predicted, hits, truth = predicted.sum(), hits.sum(), truth.sum()
        value, cases = _values(predicted, hits, truth, self._rule)
        return float(value.sum() / cases.sum()) if cases.sum() else 1.0

    def _scan(
        self, use: Cases, areas: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], Cases, Cases, NDArray[np.float64]]:
        counts = self._tables[use][:, 1 + self._axes.tops, 0].T.astype(np.int64)
        at_bottom = self._tables[use][:, 1 + self._axes.bottoms].astype(np.int64)
        predicted, hits = at_bottom[..., 1], at_bottom[..., 2]
        truth = self._truth[use][:, None]
        kept = np.stack([hits, predicted]).astype(np.float64)
        emptied = np.zeros((2, use.size))
        way = 2
        if self._aim.by_case:
            kept = np.stack(_values(predicted, hits, truth, self._rule))
            none = np.zeros_like(truth)
            emptied = np.stack(_values(none, none, truth, self._rule))[..., 0]
            way = int(self._aim.empty == "skip")
        pooled = float(truth.sum())
        if self._axes.areas is None:
            gain = kept - emptied[..., None]
            base = emptied.sum(axis=1)
            return scan_images(
                np.ascontiguousarray(counts), gain, base, areas, way, self._rule, pooled
            )
        one, two = (add_up(counts, kept[k], emptied[k], areas) for k in range(2))
        if way < 2:
            score = np.divide(one, two, out=np.ones_like(one), where=two > 0)
        else:
            value, cases = _values(two, one, np.asarray(pooled), self._rule)
            score = np.where(cases > 0, value, 1.0)
        none = np.zeros((0, 0), np.int64)
        return none.astype(np.float64), none, none, score


class PartColumn(ImageColumn):
    """The same where an area is asked of each connected part of p > bottom."""

    def __init__(
        self,
        tables: Sequence[NDArray[np.uint32]],
        trees: Sequence[Tree],
        aim: Aim,
        axes: Axes,
    ) -> None:
        super().__init__(tables, aim, axes)
        self._tree = join_trees(trees)
        self._by_high = np.argsort(-self._tree.high.astype(np.int64), kind="stable")

    def decided(self, use: Cases, triple: Triple) -> tuple[Cases, Cases]:
        """Return the valid predicted and the hit pixels of each case by one triplet."""
        if triple == NEVER or triple.area == 0:
            return super().decided(use, triple)
        top, bottom = self._axes.rungs.place([triple.top, triple.bottom])
        tree, cases = self._tree, self._truth.size
        found = decide_trees(
            tree.high,
            tree.low,
            tree.sums,
            tree.parent,
            tree.owner,
            cases,
            top,
            triple.area,
            bottom,
        )[use]
        return found[:, 0], found[:, 1]

    def _scan(
        self, use: Cases, areas: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], Cases, Cases, NDArray[np.float64]]:
        tree = self._tree
        here = np.zeros(self._truth.size, np.bool_)
        here[use] = True
        best, least, most, score = scan_trees(
            tree.high,
            tree.low,
            tree.sums,
            tree.parent,
            np.where(here[tree.owner], tree.owner, -1),
            self._by_high,
            np.where(here, self._truth, -1),
            self._axes.tops,
            self._axes.bottoms,
            areas,
            self._rule,
            not self._aim.by_case,
        )
        plain = np.array([self._score_of(use, *self._above(use, b)) for b in self._axes.bottoms])
        score[:, areas == 0] = plain  # an area of 0 keeps parts without a sure pixel as well
        better = plain > best + 1e-9
        best = np.where(better, plain, best)
        return best, np.where(better, 0, least), np.where(better, 0, most), score


def _values(
    predicted: NDArray[Any], hits: NDArray[Any], truth: NDArray[Any], rule: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return value and number of cases, as ``scan.part`` does, of whole arrays."""
    below = hits + rule[0] * (predicted - hits) + rule[1] * (truth - hits)
    value = np.divide(hits, below, out=np.zeros(below.shape), where=hits > 0)
    nothing = np.broadcast_to((truth == 0) & (predicted == 0), below.shape)
    return np.where(nothing, rule[2] * rule[3], value), np.where(nothing, rule[3], 1.0)
