"""What training begins with: the data opened and split, before anything is computed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lamina.data.case import Case
from lamina.data.catalogs.pairs import NODATA
from lamina.data.index.index import DataIndex
from lamina.data.layouts.split_folders import other_split
from lamina.data.network_input.normalise import DatasetStats
from lamina.data.prepare.spacing import (
    about_resampling,
    about_spacing,
    check_spacing,
    check_turns,
    check_values,
    common_spacing,
    in_words,
    resampled_shapes,
)
from lamina.data.readers import PassedOver
from lamina.data.readers.file_types import looking_once, not_read
from lamina.data.splits import warnings_of
from lamina.data.units import with_unit
from lamina.data.views.resampling.spacing import spacing_of
from lamina.errors import DataError, RecipeError, listed
from lamina.folders import DATA_INDEX, is_data, remote_url
from lamina.geometry.view import turns
from lamina.machine.collector import full_collection_put_off
from lamina.recipe.recipe import Recipe
from lamina.task import Task


@dataclass(frozen=True)
class OpenedData:
    """Cases with their folds; fold -1 is always training. ``recipe`` has its names filled in."""

    recipe: Recipe
    root: Path
    cases: Sequence[Case]
    folds: Sequence[int]
    quality: Mapping[str, float] = field(default_factory=dict)
    """How alike image and target of each pair are, those left out too; empty: not measured."""

    passed: Sequence[PassedOver] = ()
    """Files in the folders of images and masks that are not read."""

    notes: Sequence[str] = ()
    """What the split says of the cases."""

    @property
    def task(self) -> Task:
        """The task with the names found."""
        return self.recipe.task

    @property
    def numbers(self) -> list[int]:
        """The folds that hold cases out, in order; -1 alone where nothing is held out."""
        return sorted({fold for fold in self.folds if fold >= 0}) or [-1]

    @property
    def holds_out(self) -> bool:
        """Whether any case is held out."""
        return self.numbers != [-1]

    def training(self, fold: int) -> list[Case]:
        """Cases that fold ``fold`` learns from; fold -1 learns from all."""
        return [c for c, f in zip(self.cases, self.folds, strict=True) if f != fold or fold < 0]

    def held_out(self, fold: int) -> list[Case]:
        """Cases that fold ``fold`` never sees; fold -1 sees all."""
        return [c for c, f in zip(self.cases, self.folds, strict=True) if f == fold and fold >= 0]

    def prepared(self, folder: Path) -> OpenedData:
        """Return the same with volumes ready to be sliced in any order.

        What has to be measured, aligned or unpacked for it is the catalog's business; what is
        worth keeping lies in ``folder``.

        Raises:
            ResourceError: the copies do not fit the disk.
            DataError: a volume cannot be read.
        """
        data, cases = self.recipe.data.prepared(self.cases, folder)
        recipe = self.recipe.model_copy(update={"data": data})
        return replace(self, recipe=recipe, cases=cases)

    def warnings(self) -> list[str]:
        """What a person should know before training (L07)."""
        empty = [f"{c.id}: {c.facts[NODATA]:g}" for c in self.cases if NODATA in c.facts]
        said = (
            "images have pixels without data (GDAL_NODATA): these count neither in training nor in "
            "scores, but the network sees their value; fill them first where they are many"
        )
        return [
            *self._own_split(),
            *self.notes,
            *warnings_of(self.cases, self.folds),
            *(about_spacing(self.cases) if self._as_they_are else ()),
            *([] if self.holds_out else self._idle()),
            *([listed(f"{len(empty)} {said}", empty)] if empty else []),
        ]

    def _own_split(self) -> list[str]:
        """Say that somebody's split of the data is not the one of the recipe."""
        split = self.recipe.split
        said = [self.recipe.data.parts_beside(self.root)]
        if not split.by_folder:
            said.append(other_split((case.id for case in self.cases), split.kind))
        return [line for line in said if line is not None]

    def _idle(self) -> list[str]:
        """Say which options of the stages need scores, and have none."""
        return [
            f"stages.{stage.name}.{name} follows validation scores, and nothing is held out: it "
            "has no effect"
            for stage in self.recipe.stages
            for name, used in (
                ("schedule", stage.schedule.by_scores),
                ("patience", stage.patience is not None),
            )
            if used
        ]

    def summary(self) -> dict[str, Any]:
        """Figures for --json."""
        return {
            "cases": len(self.cases),
            "names": list(self.task.names or ()),
            "folds": {str(fold): self.folds.count(fold) for fold in sorted(set(self.folds))},
            "warnings": self.warnings(),
            "quality": dict(self.quality),
            "not_read": {str(one.path): one.reason for one in self.passed},
            "spacing": {case.id: own for case in self.cases if (own := spacing_of(case.image))},
            "resampled": dict(resampled_shapes(self.cases, self.recipe.frame)),
        }

    def lines(self, most: int = 10) -> list[str]:
        """The same for people; of files that are not read ``most`` by name."""
        names = ", ".join(self.task.names or ())
        said = f"{self.root}: {len(self.cases)} cases; classes {names}; "
        return [
            said + self._split_said(),
            *self._spacing_said(),
            *not_read(self.passed, most),
            *self._left_out(),
            *(f"warning: {line}" for line in self.warnings()),
        ]

    def _split_said(self) -> str:
        if not self.holds_out:
            return (
                "nothing is held out: one member learns from every case, and there is no held-out "
                "score"
            )
        sizes = ", ".join(str(self.folds.count(fold)) for fold in self.numbers)
        always = self.folds.count(-1)
        return f"held out per fold {sizes}" + (f"; {always} always training" if always else "")

    def _spacing_said(self) -> list[str]:
        """Say how far voxels of volumes are apart, where files say it."""
        known = {own for case in self.cases if (own := spacing_of(case.image))}
        if not known:
            return []
        ends = [tuple(map(end, zip(*known, strict=True))) for end in (min, max)]
        apart = " to ".join(dict.fromkeys(map(in_words, ends)))
        resampled = list(about_resampling(self.cases, self.recipe.frame))
        said = f"{len(resampled)} of {len(self.cases)} volumes are resampled"
        return [
            f"voxels are {apart} apart (z, y, x)",
            *([listed(said, resampled)] if resampled else []),
        ]

    @property
    def _as_they_are(self) -> bool:
        """Whether blocks of volumes are seen at the volumes' own spacings."""
        return self.recipe.frame.axes == 3 and self.recipe.frame.spacing is None

    def _left_out(self) -> list[str]:
        count = len(self.quality) - len(self.cases)
        if not self.quality:
            return []
        worst = min(self.quality, key=self.quality.__getitem__)
        return [
            f"{count} of {len(self.quality)} pairs left out by data.prepare; the lowest similarity "
            f"is {self.quality[worst]:.3f} of {worst}"
        ]


def index_of(
    recipe: Recipe, folder: Path | None, file: Path | None = None, *, verify: bool = False
) -> DataIndex:
    """Return the index of a recipe's data.

    Args:
        recipe: Says whether the pixels of images are measured.
        folder: A run folder, where the index lies; None: nowhere, or in ``file``.
        file: In place of that.
        verify: Read every file again.
    """
    place = file or (None if folder is None else folder / DATA_INDEX)
    measures = isinstance(recipe.frame.normalise, DatasetStats)
    return DataIndex(place, verify=verify, moments=measures)


def open_data(recipe: Recipe, root: Path, index: DataIndex | None = None) -> OpenedData:
    """List and split the cases below ``root``.

    Args:
        recipe: What to do.
        root: The data folder.
        index: What is known of its files, and learns of others; None: nothing.

    Raises:
        DataError: the folder or a file in it is missing, broken or not what it claims.
        LeakError: one group stands on both sides of the split.
        RecipeError: the recipe names another number of classes than the data hold.
    """
    with full_collection_put_off():
        return _opened(recipe, root, index)


def _opened(recipe: Recipe, root: Path, index: DataIndex | None) -> OpenedData:
    if not is_data(root):
        raise DataError(f"{root}: no such folder; give the folder of the data by --data")
    if remote_url(root) is not None and not recipe.data.reads_remote:
        raise RecipeError(
            f"{remote_url(root)}: data.kind is '{recipe.data.kind}', and only volume_pairs reads "
            "volumes from object storage; copy the data to this machine"
        )
    with looking_once():
        with nullcontext() if index is None else index.used():
            listing = recipe.data.open(root, recipe.task)
        passed = tuple(recipe.data.passed_over(root))
    if not listing.cases:
        raise DataError(f"{root}: no cases found by data.kind '{recipe.data.kind}'")
    task = with_unit(recipe.task.found(listing.names), listing.cases)
    cases, folds = recipe.split.assign(listing.cases, root)
    ids = [case.id for case in cases]
    if len(set(ids)) != len(ids):
        double = sorted(id_ for id_, times in Counter(ids).items() if times > 1)[:10]
        raise DataError(f"{root}: ids name more than one case: {', '.join(double)}")
    recipe = _at_one_spacing(recipe, cases)
    _check_voxels(recipe, cases)
    recipe = recipe.model_copy(update={"task": task})
    notes = recipe.split.notes(listing.cases)
    opened = OpenedData(recipe, root, cases, list(folds), passed=passed, notes=notes)
    return _good(opened)


def _good(opened: OpenedData) -> OpenedData:
    """Return the same without the cases whose image and target the catalog finds too different."""
    data = opened.recipe.data
    quality = data.similarities(opened.cases)
    if not quality:
        return opened
    kept = [
        (case, fold)
        for case, fold in zip(opened.cases, opened.folds, strict=True)
        if data.is_alike(quality[case.id])
    ]
    cases, folds = [case for case, _ in kept], [fold for _, fold in kept]
    return replace(opened, cases=cases, folds=folds, quality=quality)


def _at_one_spacing(recipe: Recipe, cases: Sequence[Case]) -> Recipe:
    """Return the recipe with the spacing that blocks of its volumes are seen at."""
    frame = recipe.frame
    if frame.axes == 2 or frame.spacing is not None or recipe.task.kind == "restore":
        return recipe
    spacing = common_spacing(cases)
    if spacing is None:
        return recipe
    frame = frame.model_copy(update={"spacing": spacing})
    return recipe.model_copy(update={"frame": frame})


def _check_voxels(recipe: Recipe, cases: Sequence[Case]) -> None:
    """Refuse volumes whose voxels lie apart as what the recipe does cannot take."""
    if recipe.frame.axes == 2:
        return
    for case in cases:
        check_spacing(case.image, recipe.frame)
    check_values(cases, recipe.frame, restore=recipe.task.kind == "restore")
    if turns(recipe.predict.views):
        check_turns(cases, f"predict.views={recipe.predict.views}", recipe.frame)
    if any(step.exchanges for step in recipe.transforms):
        check_turns(cases, "a transform such as rot90", recipe.frame)
