"""What training begins with: the data opened and split, before anything is computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lamina.data.case import Case
from lamina.data.catalogs import Fragments, VolumePairs
from lamina.data.flatten import align
from lamina.data.flatten.summary import CURVES
from lamina.data.prepare.unpack import unpacked
from lamina.data.prepare.value_ranges import measure
from lamina.data.splits import warnings_of
from lamina.data.units import with_unit
from lamina.errors import DataError
from lamina.recipe.recipe import Recipe
from lamina.task import Task

UNPACKED = "unpacked"
RANGES = "ranges.json"


@dataclass(frozen=True)
class Opened:
    """Cases with their folds; fold -1 is always training. ``recipe`` has its names filled in."""

    recipe: Recipe
    root: Path
    cases: Sequence[Case]
    folds: Sequence[int]
    quality: Mapping[str, float] = field(default_factory=dict)
    """How alike image and target of each pair are, those left out too; empty: not measured."""

    @property
    def task(self) -> Task:
        """The task with the names found."""
        return self.recipe.task

    @property
    def numbers(self) -> list[int]:
        """The folds that hold cases out, in order."""
        return sorted({fold for fold in self.folds if fold >= 0})

    def training(self, fold: int) -> list[Case]:
        """Cases that fold ``fold`` learns from."""
        return [c for c, f in zip(self.cases, self.folds, strict=True) if f != fold]

    def held_out(self, fold: int) -> list[Case]:
        """Cases that fold ``fold`` never sees."""
        return [c for c, f in zip(self.cases, self.folds, strict=True) if f == fold]

    def prepared(self, folder: Path) -> Opened:
        """Return the same with volumes ready to be sliced in any order.

        Fragments are aligned as ``data.prepare`` says; what is measured for it is kept in
        ``folder``/curves, and the curve of the reference goes into the recipe. Volumes in packed
        chunks are read from copies in ``folder``/unpacked; ranges of stretched volumes are
        measured, and remembered in ``folder``/ranges.json.

        Raises:
            ResourceError: the copies do not fit the disk.
            DataError: a volume cannot be read.
        """
        recipe, data, cases = self.recipe, self.recipe.data, self.cases
        if not isinstance(data, Fragments | VolumePairs):
            return self
        if isinstance(data, Fragments) and (how := align(cases, folder / CURVES)) is not None:
            data = data.model_copy(update={"prepare": how})
            recipe = recipe.model_copy(update={"data": data})
        if data.unpack == "once":
            cases = unpacked(cases, folder / UNPACKED)
        measure(cases, folder / RANGES)
        return replace(self, recipe=recipe, cases=cases)

    def warnings(self) -> list[str]:
        """What a person should know before training (L07)."""
        return warnings_of(self.cases, self.folds)

    def summary(self) -> dict[str, Any]:
        """Figures for --json."""
        return {
            "cases": len(self.cases),
            "names": list(self.task.names or ()),
            "folds": {str(fold): self.folds.count(fold) for fold in sorted(set(self.folds))},
            "warnings": self.warnings(),
            "quality": dict(self.quality),
        }

    def lines(self) -> list[str]:
        """The same for people."""
        names = ", ".join(self.task.names or ())
        sizes = ", ".join(str(self.folds.count(fold)) for fold in self.numbers)
        always = self.folds.count(-1)
        said = f"{self.root}: {len(self.cases)} cases; classes {names}; held out per fold {sizes}"
        return [
            said + (f"; {always} always training" if always else ""),
            *self._left_out(),
            *(f"warning: {line}" for line in self.warnings()),
        ]

    def _left_out(self) -> list[str]:
        count = len(self.quality) - len(self.cases)
        if not self.quality:
            return []
        worst = min(self.quality, key=self.quality.__getitem__)
        return [
            f"{count} of {len(self.quality)} pairs left out by data.prepare; the lowest similarity "
            f"is {self.quality[worst]:.3f} of {worst}"
        ]


def open_data(recipe: Recipe, root: Path) -> Opened:
    """List and split the cases below ``root``.

    Raises:
        DataError: the folder or a file in it is missing, broken or not what it claims.
        LeakError: one group stands on both sides of the split.
        RecipeError: the recipe names another number of classes than the data hold.
    """
    if not root.is_dir():
        raise DataError(f"{root}: no such folder; give the folder of the data by --data")
    listing = recipe.data.open(root, recipe.task)
    if not listing.cases:
        raise DataError(f"{root}: no cases found by data.kind '{recipe.data.kind}'")
    task = with_unit(recipe.task.found(listing.names), listing.cases)
    cases, folds = recipe.split.assign(listing.cases, root)
    ids = [case.id for case in cases]
    if len(set(ids)) != len(ids):
        double = sorted({one for one in ids if ids.count(one) > 1})[:10]
        raise DataError(f"{root}: ids stand for more than one case: {', '.join(double)}")
    opened = Opened(recipe.model_copy(update={"task": task}), root, cases, list(folds))
    return _good(opened)


def _good(opened: Opened) -> Opened:
    """Return the same without the pairs that the recipe's ``prepare`` leaves out (NOISE-3)."""
    data = opened.recipe.data
    if not isinstance(data, VolumePairs) or data.prepare is None:
        return opened
    quality = data.prepare.measured(opened.cases)
    kept = [
        (case, fold)
        for case, fold in zip(opened.cases, opened.folds, strict=True)
        if quality[case.id] > data.prepare.above
    ]
    cases, folds = [case for case, _ in kept], [fold for _, fold in kept]
    return replace(opened, cases=cases, folds=folds, quality=quality)
