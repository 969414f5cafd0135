"""The exact search for thresholds and minimum areas, from one pass over the maps.

Every case leaves a sparse histogram of its float16 probabilities; from these, every threshold
that makes a difference and every minimum area are tried. Nothing is sampled, and predicting
nothing is one of the choices, so that the result is never below it. Where connected parts are
searched as well, every case leaves its parts at 255 thresholds, and every minimum part is tried
with every minimum area at each; the better of both searches is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.result.search.case_sums import above, per_code, values
from lamina.result.search.components.threshold import PartColumn
from lamina.result.search.components.tree import Parts, find_parts
from lamina.result.search.histogram import (
    CODES,
    VALUES,
    Counts,
    auc,
    code_of,
    count,
    highest,
    thin,
)
from lamina.result.search.image_gate import Gates
from lamina.result.search.kept_counts import KeptCounts
from lamina.result.search.min_area import part, scan
from lamina.result.search.result import Choice, ClassFound, Curve, FoldNumbers, Found
from lamina.task import Aim

_EMPTY = {"one": (1.0, 1.0), "zero": (0.0, 1.0), "skip": (0.0, 0.0)}
_SAME = 1e-9  # scores that differ by less differ by rounding
_NEVER = CODES - 1  # the code of 1.0: no probability is above

Curves = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]
"""Best score, score without minimum area, best minimum area (-1: none) of each threshold."""


class Tables:
    """What is kept of the maps: one sparse histogram for each case and class."""

    def __init__(
        self,
        classes: int,
        *,
        exclusive: bool = False,
        parts: bool = False,
        folder: Path | None = None,
    ) -> None:
        """Where classes are ``exclusive``, class 0 is background and no part of the foreground.

        With ``parts`` the least connected part is searched too, where a class stands for itself.
        Histograms that exceed a little memory are kept in files without names in ``folder``.
        """
        self._classes, self._background = classes, int(exclusive)
        self._parts: list[list[Parts]] | None = [[] for _ in range(classes)] if parts else None
        self._columns = [KeptCounts(folder) for _ in range(classes + 1)]
        self._folds: list[int] = []
        self._thinned: list[KeptCounts] = []

    def __len__(self) -> int:
        return len(self._folds)

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
            prob: (K, *S) probabilities in 0..1; float32 is rounded to float16.
            target: (K, *S) True where the class is.
            valid: (*S) True where a pixel counts; None: all count.
            fold: Which fold held the case out, for ``cross``.

        Raises:
            ValueError: the number of classes or a shape differs.
        """
        if len(prob) != self._classes or prob.shape != target.shape:
            raise ValueError(
                f"prob {prob.shape} and target {target.shape} must both have {self._classes} "
                "classes and the same size"
            )
        for k in range(self._classes):
            self._columns[k].append(count(prob[k], target[k], valid))
            if self._parts is not None:
                self._parts[k].append(find_parts(prob[k], target[k], valid))
        if self._classes - self._background == 1:
            self._columns[-1].append(self._columns[self._background][-1])
        else:
            seen = slice(self._background, None)
            shown = np.asarray(target[seen].any(axis=0))
            self._columns[-1].append(count(highest(prob[seen], 0), shown, valid))
        self._folds.append(fold)
        self._thinned = []

    @property
    def counts(self) -> Sequence[Sequence[Counts]]:
        """The histograms of each class and, last, of any; cases in the order they were added."""
        return self._columns

    def thinned(self) -> list[KeptCounts]:
        """Return the histograms of each class and, last, of any, in few bins; cases in order."""
        if not self._thinned:
            self._thinned = [column.changed(thin) for column in self._columns]
        return self._thinned

    def columns(
        self, counts: Sequence[Sequence[Counts]], aim: Aim, numbers: Sequence[int]
    ) -> list[SearchColumn]:
        """Return what choices are searched on, with the thinned histograms.

        Args:
            counts: As ``thinned`` returns them.
            aim: What is searched for.
            numbers: Classes, or -1 alone: any.
        """
        found = []
        for k in numbers:
            each = aim
            if k >= 0:
                each = aim.model_copy(update={"over": "case" if aim.by_case else "class"})
            parts = self._parts[k] if self._parts is not None and k >= 0 else None
            found.append(SearchColumn(counts[k], each, parts))
        return found

    def best(self, aim: Aim | None = None) -> Found:
        """Return the best threshold and minimum area of each class.

        Where several thresholds are equally good, the middle of their widest run is taken.

        Raises:
            ValueError: no case was added.
        """
        if not self._folds:
            raise ValueError("no case was added")
        aim = aim or Aim()
        folds = np.asarray(self._folds)
        single = "case" if aim.by_case else "class"
        union = aim if aim.any_class else Aim(over="foreground")
        each = aim.model_copy(update={"over": single})
        parts = self._parts is not None and not aim.any_class
        classes = tuple(
            _best(column, folds, each, self._parts[k] if self._parts and parts else None)
            for k, column in enumerate(self._columns[:-1])
        )
        foreground = _best(self._columns[-1], folds, union)
        gate = None
        if not aim.any_class and len(classes) - self._background > 1:
            weights = {name: getattr(union, name) for name in ("false_positive", "false_negative")}
            gate = Gates(self._columns[-1], **weights).best(folds)
        counted: Sequence[ClassFound] = classes[self._background :]
        if aim.any_class:
            counted = [foreground]
        crosses = [one.cross for one in counted if one.cross is not None]
        return Found(
            aim=aim,
            parts=parts,
            classes=classes,
            foreground=foreground,
            gate=gate,
            score=_mean([one.score for one in counted]),
            empty=_mean([one.empty for one in counted]),
            default=_mean([one.default for one in counted]),
            cross=_mean(crosses) if crosses else None,
        )


class SearchColumn:
    """The histograms of one class as flat arrays, and the two ways to judge them."""

    def __init__(
        self, counts: Sequence[Counts], aim: Aim, parts: Sequence[Parts] | None = None
    ) -> None:
        kept = KeptCounts.of(counts)
        self._starts = kept.starts
        self._codes = kept.joined("codes", np.uint16)
        self._area, self._predicted, self._positives = (
            kept.joined(name, np.uint32) for name in ("area", "predicted", "positives")
        )
        self._truth = kept.truth
        self._rule = np.asarray([aim.false_positive, aim.false_negative, *_EMPTY[aim.empty]])
        self._by_case, self._no_area = aim.by_case, aim.any_class
        self._parts: PartColumn | None = None
        if parts is not None:
            self._parts = PartColumn(parts, self._rule, by_case=aim.by_case)

    def choose(
        self, use: NDArray[np.int64], curves: Curves | None = None, *, areas: bool = True
    ) -> Choice:
        """Return what is best on the cases ``use``, whose curves may be known already.

        Without ``areas`` neither minimum areas nor minimum parts are searched.
        """
        found = curves or self.curves(use)
        if not areas:
            return _choose((found[1], found[1], np.zeros(CODES, np.int64)))
        plain = _choose(found)
        if self._parts is None:
            return plain
        score, choice = self._parts.best(use)
        # a minimum part is one more number to be wrong about: it must gain something
        return choice if score > self.score([(use, plain)]) + _SAME else plain

    def curves(self, use: NDArray[np.int64]) -> Curves:
        """Judge all CODES thresholds on the cases ``use``."""
        return self._scanned(use)[0] if self._by_case else self._pooled_curves(use)

    def curves_by_fold(self, folds: NDArray[np.int64]) -> list[Curves]:
        """Judge all CODES thresholds on all cases, and on all without each fold.

        Args:
            folds: (N,) the fold of each case, 0 to F - 1.

        Returns:
            1 + F curves, those of all cases first; the very numbers of ``curves``, in one walk.
        """
        everything, names = np.arange(folds.size), range(int(folds.max(initial=-1)) + 1)
        if self._by_case:
            return self._scanned(everything, folds, len(names))
        rest = [np.flatnonzero(folds != name) for name in names]
        return [self._pooled_curves(use) for use in (everything, *rest)]

    def _scanned(
        self, use: NDArray[np.int64], fold: NDArray[np.int64] | None = None, folds: int = 0
    ) -> list[Curves]:
        """Return the curves of ``use``, and of these without each fold (n,)."""
        columns = (self._codes, self._area, self._predicted, self._positives, self._truth)
        fold = np.zeros(0, np.int64) if fold is None else fold
        found = scan(self._starts, *columns, use, fold, folds, self._rule)
        if self._no_area:  # a minimum area belongs to one class, and the foreground is several
            return [(plain, plain, np.zeros(CODES, np.int64)) for plain in found[1]]
        return list(zip(*found, strict=True))

    def _pooled_curves(self, use: NDArray[np.int64]) -> Curves:
        predicted, hits, truth = self._pooled(use)
        found, cases = values(predicted, hits, np.full(CODES, truth), self._rule)
        scores = np.where(cases > 0, found, 1.0)
        return scores, scores, np.where(predicted > 0, 0, -1)

    def taken(
        self, use: NDArray[np.int64], choice: Choice
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Return predicted, right and true pixels of the cases ``use`` by a choice, (n,) each."""
        if self._parts is not None and choice.min_component:
            each = [self._parts.counts(i, choice) for i in use]
            rows = np.asarray(each, np.int64).reshape(-1, 3)
        else:
            columns = (self._codes, self._area, self._predicted, self._positives)
            rows = above(self._starts, *columns, use, choice.code)
        rows[rows[:, 0] < choice.min_area] = 0
        predicted, hits = rows[:, 1:].T.astype(np.float64)
        return predicted, hits, self._truth[use].astype(np.float64)

    def score(self, choices: Sequence[tuple[NDArray[np.int64], Choice]]) -> float:
        """Return the aim when each group of cases is decided by its own choice."""
        if self._by_case:
            parts = [values(*self.taken(use, choice), self._rule) for use, choice in choices]
            found, counted = (np.concatenate(each) for each in zip(*parts, strict=True))
            cases = counted.sum()
            return float(found.sum() / cases) if cases else 1.0
        totals = np.zeros(3)
        for use, choice in choices:
            if self._parts is not None and choice.min_component:
                sums = [self._parts.counts(i, choice)[1:] for i in use]
                totals += (*np.sum(sums, axis=0), self._truth[use].sum())
                continue
            predicted, hits, truth = self._pooled(use)
            totals += (predicted[choice.code], hits[choice.code], truth)
        return self._value(*totals)

    def _value(self, predicted: float, hits: float, truth: float) -> float:
        value, cases = part(predicted, hits, truth, self._rule)
        return value if cases else 1.0

    def _pooled(
        self, use: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
        """Return predicted and hit pixels at each threshold, (CODES,) each, and the true ones."""
        found = []
        for weights in (self._predicted, self._positives):
            above_each = np.cumsum(per_code(self._starts, self._codes, weights, use)[::-1])[::-1]
            found.append(np.append(above_each[1:], 0.0))
        return found[0], found[1], float(self._truth[use].sum())


def _best(
    counts: Sequence[Counts],
    folds: NDArray[Any],
    aim: Aim,
    parts: Sequence[Parts] | None = None,
) -> ClassFound:
    column = SearchColumn(counts, aim, parts)
    everything = np.arange(len(counts))
    names, fold = np.unique(folds, return_inverse=True)
    curves, *without = (
        column.curves_by_fold(fold) if names.size > 1 else [column.curves(everything)]
    )
    choice = column.choose(everything, curves)
    cross, by_fold = _cross(column, names, fold, without)
    present = [one.truth > 0 for one in counts]
    return ClassFound(
        threshold=float(VALUES[choice.code]),
        min_area=choice.min_area,
        min_component=choice.min_component,
        score=column.score([(everything, choice)]),
        empty=column.score([(everything, Choice(_NEVER, 0))]),
        default=column.score([(everything, Choice(code_of(0.5), 0))]),
        cross=cross,
        folds=by_fold,
        auc=auc([one.highest for one in counts], present),
        cases=len(counts),
        present=sum(present),
        curve=_thin(curves),
    )


def _choose(curves: Curves) -> Choice:
    best, _, least = curves
    good = best >= best.max() - _SAME
    if good[_NEVER]:
        return Choice(_NEVER, 0)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], good, [False]]).astype(np.int8)))
    runs = [(int(a), int(b) - 1) for a, b in edges.reshape(-1, 2)]
    # a run reaches from its first threshold up to the one after its last
    first, last = max(runs, key=lambda run: VALUES[run[1] + 1] - VALUES[run[0]])
    middle = code_of((VALUES[first] + VALUES[last + 1]) / 2)
    return Choice(middle, max(int(least[middle]), 0))


def _cross(
    column: SearchColumn,
    names: NDArray[Any],
    fold: NDArray[np.int64],
    without: Sequence[Curves],
) -> tuple[float | None, tuple[FoldNumbers, ...]]:
    """Return the aim by numbers that are chosen on the other folds, and these numbers.

    Args:
        column: Of all cases.
        names: (F,) of the folds.
        fold: (N,) 0 to F - 1, the fold of each case.
        without: The curves of all cases without each fold; none of a single fold.
    """
    if not without:
        return None, ()
    choices, numbers = [], []
    for number, (name, curves) in enumerate(zip(names, without, strict=True)):
        others = np.flatnonzero(fold != number)
        choice = column.choose(others, curves)
        choices.append((np.flatnonzero(fold == number), choice))
        thin = _thin(curves)
        numbers.append(
            FoldNumbers(
                fold=int(name),
                threshold=float(VALUES[choice.code]),
                min_area=choice.min_area,
                min_component=choice.min_component,
                single=thin.threshold[int(np.argmax(thin.plain))],
            )
        )
    return column.score(choices), tuple(numbers)


def _thin(curves: Curves) -> Curve:
    thresholds = np.linspace(0, 1, 101)
    at = [code_of(threshold) for threshold in thresholds]
    best, plain = (curve[at].round(6) for curve in curves[:2])
    return Curve(
        threshold=tuple(thresholds.round(2).tolist()),
        best=tuple(best.tolist()),
        plain=tuple(plain.tolist()),
    )


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))
