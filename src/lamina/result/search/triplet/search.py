"""The exact search for triplets, from one pass over the maps.

Every case leaves how many of its pixels lie above each threshold (and, where areas are asked of
connected parts, the tree of its parts); from these, every pair of thresholds is tried with every
area. Nothing is sampled, and predicting nothing is one of the choices. How this grows: N images
and L thresholds take N * L numbers of memory and N * L * L additions.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lamina.result.decisions import Triplet
from lamina.result.search.triplet.columns import Axes, Cases, ImageColumn, PartColumn
from lamina.result.search.triplet.component_tree import Tree, find_tree
from lamina.result.search.triplet.landscape import Landscape
from lamina.result.search.triplet.result import (
    NEVER,
    FoldTriplet,
    Peak,
    Triple,
    TripletClass,
    TripletFound,
)
from lamina.task import Aim

ByFold = dict[int, tuple[Cases, Triple]]
"""The cases of each fold and the triplet that they are judged by."""


class TripletTables:
    """What is kept of the maps: counts above the thresholds for each case and class."""

    def __init__(self, classes: int, decide: Triplet | None = None) -> None:
        """What is tried follows ``decide.unit`` and ``decide.search``."""
        self._decide = decide or Triplet()
        self._axes = _axes(self._decide)
        self._tables: list[list[NDArray[np.uint32]]] = [[] for _ in range(classes)]
        self._trees: list[list[Tree]] = [[] for _ in range(classes)]
        self._folds: list[int] = []

    def __len__(self) -> int:
        return len(self._folds)

    @property
    def choice(self) -> Literal["best", "flat"]:
        """Which triplet is taken; see ``TripletSearch.choice``."""
        return self._decide.search.choice

    def add(
        self,
        prob: NDArray[Any],
        target: NDArray[np.bool_],
        *,
        valid: NDArray[np.bool_] | None = None,
        fold: int = 0,
    ) -> None:
        """Count one case.

        Args:
            prob: (K, *S) probabilities in 0..1, float16 or float32.
            target: (K, *S) True where the class is.
            valid: (*S) True where a pixel counts; None: all count. Areas count all pixels.
            fold: Which fold held the case out, for ``cross``.

        Raises:
            ValueError: the number of classes or a shape differs.
        """
        classes = len(self._tables)
        if len(prob) != classes or prob.shape != target.shape:
            raise ValueError(
                f"prob {prob.shape} and target {target.shape} must both have {classes} classes "
                "and the same size"
            )
        for k in range(classes):
            found = self._axes.rungs.count(prob[k], target[k], valid)
            self._tables[k].append(found.astype(np.uint32))
            if self._decide.unit == "component":
                self._trees[k].append(find_tree(prob[k], target[k], self._axes.rungs, valid))
        self._folds.append(fold)

    def best(self, aim: Aim | None = None) -> TripletFound:
        """Return the triplets of each class, chosen as ``decide.search.choice`` says.

        Raises:
            ValueError: no case was added, or the aim is any class, which has no triplet.
        """
        aim = aim or Aim()
        if not self._folds:
            raise ValueError("no case was added")
        if aim.any_class:
            raise ValueError(f"a triplet belongs to one class, and the aim is {aim.over}")
        classes = tuple(self._class(k, aim) for k in range(len(self._tables)))
        crosses = [class_.chosen.cross for class_ in classes if class_.chosen.cross is not None]
        return TripletFound(
            aim=aim,
            unit=self._decide.unit,
            tried=self._words(),
            classes=classes,
            score=float(np.mean([one.chosen.score for one in classes])),
            empty=float(np.mean([one.empty for one in classes])),
            default=float(np.mean([one.default for one in classes])),
            cross=float(np.mean(crosses)) if crosses else None,
        )

    def scores(self, k: int, aim: Aim | None = None) -> NDArray[np.float64]:
        """Return the aim of class ``k`` over tops, areas and bottoms, (T, G, B), all ascending.

        Where areas are listed and asked of images, the numbers are those of the plain loop over
        triplets and images, bit for bit.
        """
        return self.column(k, aim or Aim()).landscape(np.arange(len(self))).score

    def column(self, k: int, aim: Aim) -> ImageColumn:
        """Return what triplets of class ``k`` are judged on."""
        if self._decide.unit == "component":
            return PartColumn(self._tables[k], self._trees[k], aim, self._axes)
        return ImageColumn(self._tables[k], aim, self._axes)

    def _class(self, k: int, aim: Aim) -> TripletClass:
        column = self.column(k, aim)
        everything = np.arange(len(self))
        land = column.landscape(everything)
        empty = column.score([(everything, NEVER)])
        best, flat = land.highest(empty), land.flattest(empty)
        best_by_fold, flat_by_fold = self._by_fold(column)
        threshold, threshold_score = column.plain(everything)
        return TripletClass(
            best=_peak(column, land, everything, best, best_by_fold),
            flat=_peak(column, land, everything, flat, flat_by_fold),
            choice=self._decide.search.choice,
            empty=empty,
            default=column.score([(everything, Triple(0.5, 0, 0.5))]),
            threshold=threshold,
            threshold_score=threshold_score,
            cases=len(self),
            present=int(np.count_nonzero(column.truth)),
            surface=land.surface(),
        )

    def _by_fold(self, column: ImageColumn) -> tuple[ByFold, ByFold]:
        """Return triplets for each fold, chosen on the others: by the best and the flat rule."""
        folds = np.asarray(self._folds)
        names = np.unique(folds)
        best: ByFold = {}
        flat: ByFold = {}
        for name in names if names.size > 1 else ():
            own, others = np.flatnonzero(folds == name), np.flatnonzero(folds != name)
            land = column.landscape(others)
            empty = column.score([(others, NEVER)])
            best[int(name)] = own, land.highest(empty)
            flat[int(name)] = own, land.flattest(empty)
        return best, flat

    def _words(self) -> str:
        axes, many = self._axes, self._decide.search.levels
        areas = "all areas" if axes.areas is None else f"{axes.areas.size} areas"
        if axes.allowed is not None:
            areas = f"{int(axes.allowed.sum())} pairs of top and area"
        return (
            f"{axes.tops.size} upper and {axes.bottoms.size} lower thresholds"
            f"{'' if self._listed() else f' (steps of 1/{many})'} with {areas}"
        )

    def _listed(self) -> bool:
        search = self._decide.search
        return search.bottom is not None and (search.top or search.pairs) is not None


def _axes(decide: Triplet) -> Axes:
    search = decide.search
    # at 0 nearly every pixel would belong to a single part, at many times the cost
    first = int(decide.unit == "component")
    levels = [i / search.levels for i in range(first, search.levels + 1 - first)]
    tops, areas = search.top or levels, search.area
    if search.pairs is not None:
        tops = [top for top, _ in search.pairs]
        areas = tuple(area for _, area in search.pairs)
    return Axes(tops, search.bottom or levels, areas, search.pairs)


def _peak(
    column: ImageColumn, land: Landscape, use: Cases, triple: Triple, by_fold: ByFold
) -> Peak:
    score = column.score([(use, triple)])
    mean, least = (score, score) if triple == NEVER else land.ground(triple)
    return Peak(
        top=triple.top,
        area=triple.area,
        bottom=triple.bottom,
        score=score,
        cross=column.score(list(by_fold.values())) if by_fold else None,
        folds=tuple(FoldTriplet(fold=fold, **one._asdict()) for fold, (_, one) in by_fold.items()),
        around=mean,
        around_least=least,
    )
