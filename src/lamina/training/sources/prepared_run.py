"""What a run begins with, opened, checked and written down; and what it ends with, its bundle."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from safetensors.torch import load_file

from lamina import files
from lamina.bundle import Bundle, KnownCase, MemberWeights, write_prepared
from lamina.data.image_types.image_kind import ImageKind, kind_of
from lamina.data.index.index import DataIndex
from lamina.data.network_input.normalise import AnyNormalise
from lamina.data.prepare.pair_quality import write_quality
from lamina.data.prepare.unpack import UNPACKED
from lamina.errors import BundleError, RecipeError
from lamina.folders import BUNDLE, QUALITY, TUNED, fold_name
from lamina.progress import say
from lamina.recipe.load import resolved_text
from lamina.recipe.recipe import Recipe
from lamina.training.dataset import OpenedData, open_data
from lamina.training.run_folder import members_of, record_data, record_recipe
from lamina.training.saving.class_pixels import weighed
from lamina.training.saving.class_places import with_places
from lamina.training.sources.initial_weights import Start, open_start, record_start
from lamina.training.sources.pseudo_labels import Labels, open_labels, record_labels
from lamina.training.sources.weights_file import check_weights, record_weights, trained_files
from lamina.training.stage.context import FoldData
from lamina.training.train_result import FoldResult, TrainResult

RESULT = "member.json"
"""What a fold's folder keeps of its result; written when the fold is finished."""


@dataclass(frozen=True)
class PreparedRun:
    """A run folder whose recipe and data are settled, before its folds are trained."""

    out: Path
    opened: OpenedData
    known: Mapping[str, Mapping[str, Any]]
    """Digests and fold of each case."""
    behind: Mapping[str, Mapping[str, Any]]
    """The same of cases behind labels and starting weights."""
    images: ImageKind | None
    labels: Labels
    start: Start
    wanted: Sequence[int]
    """The folds to train, in order."""
    index: DataIndex
    """What is known of the files of the data."""

    @property
    def recipe(self) -> Recipe:
        """The recipe, with the names of its classes."""
        return self.opened.recipe

    def fold(self, number: int, *, folds_left: int = 1) -> FoldData:
        """Return what a fold is trained with; its normalisation is fitted and written down.

        Raises:
            DataError: a training case cannot be read.
        """
        held_out = self.opened.held_out(number)
        training, folder = self.opened.training(number), self.out / fold_name(number)
        title = f"fold {number}" if number >= 0 else "all cases"
        normalise = self.recipe.frame.fit(training)
        files.write_json(folder / "normalise.json", normalise.model_dump(mode="json"))
        return FoldData(
            recipe=self.recipe,
            task=self.opened.task,
            folder=folder,
            title=title,
            cases=with_places(self.recipe, self.recipe.frame.cases(training), self.out),
            held_out=held_out,
            normalise=normalise,
            made=self.labels.of(number),
            origin=self.start.of(number),
            losses=weighed(self.recipe, self.opened.task, training, self.out, title),
            digests=self.index.known_digests(name for case in held_out for name in case.files),
            folds_left=folds_left,
        )

    def remaining(self) -> list[int]:
        """Return the folds that no earlier run finished."""
        return [n for n in self.wanted if not (self.out / fold_name(n) / RESULT).is_file()]

    def finished(self, folds: Sequence[FoldResult], seconds: float) -> TrainResult:
        """Write the bundle of every finished fold and return what the run came to."""
        shutil.rmtree(self.out / UNPACKED, ignore_errors=True)
        bundle = _bundle(self.opened, self.out, {**self.known, **self.behind}, self.images)
        _keep_tuned(self.out, bundle).save(self.out / BUNDLE)
        return TrainResult(
            run=self.out,
            bundle=self.out / BUNDLE,
            recipe_digest=self.recipe.digest(),
            folds=tuple(folds),
            seconds=round(seconds, 1),
        )


def prepare_run(
    recipe: Recipe,
    data: Path,
    out: Path,
    *,
    folds: Sequence[int] | None,
    accept_changes: bool,
    pseudo: Path | None,
    start: Path | None,
    index: DataIndex,
) -> PreparedRun:
    """Open the data of a run and write down what it is trained with, in a locked folder.

    Raises:
        RecipeError, DataError, LeakError, BundleError: as their messages say.
    """
    opened = open_data(recipe, data, index)
    wanted = _wanted(opened, folds)
    record_recipe(out, opened.recipe, resolved_text(recipe), accept_changes=accept_changes)
    for line in opened.lines():
        say(line)
    images = kind_of([case.image for case in opened.cases])
    known = record_data(
        out, data, opened.task.names or (), opened.cases, opened.folds, images, index
    )
    if opened.quality:
        write_quality(out / QUALITY, opened.quality, {case.id for case in opened.cases})
    labels = open_labels(opened.recipe, pseudo, opened, known, wanted)
    record_labels(out, labels)
    begin = open_start(opened.recipe, start, opened, known, wanted)
    record_start(out, begin)
    weights = trained_files(opened.recipe)
    check_weights(weights, opened, known, wanted)
    earlier = record_weights(out, opened.recipe, weights, known) | begin.known(known)
    opened = opened.prepared(out)
    behind = {**labels.known(known), **earlier}
    write_prepared(out, opened.recipe, behind)
    return PreparedRun(out, opened, known, behind, images, labels, begin, wanted, index)


def _wanted(opened: OpenedData, folds: Sequence[int] | None) -> list[int]:
    if folds is None:
        return opened.numbers
    strange = sorted(set(folds) - set(opened.numbers))
    if strange and not opened.holds_out:
        raise RecipeError(
            f"--folds names {strange}, and the split holds nothing out; leave --folds out, or set "
            "split.count to 2 or more"
        )
    if strange:
        raise RecipeError(f"--folds names {strange}; the split has folds {opened.numbers}")
    return sorted(set(folds))


def _keep_tuned(out: Path, bundle: Bundle) -> Bundle:
    """Return the bundle with what ``lamina tune`` found for these very members, or forget it."""
    try:
        earlier = Bundle.load(out / BUNDLE, verify=False)
    except BundleError:  # none yet, or damaged and about to be written anew
        earlier = None
    if earlier is not None and earlier.weights_digest() == bundle.digest():
        return replace(bundle, index=earlier.index)
    if (out / TUNED).is_file():
        (out / TUNED).unlink()
        say(
            f"decision not tuned: {out} has other members now, and the decision tuned for the "
            f"earlier ones was dropped; run `lamina tune {out}` again"
        )
    return bundle


def _bundle(
    opened: OpenedData, out: Path, known: Mapping[str, Any], images: ImageKind | None
) -> Bundle:
    """Gather the members of every finished fold."""
    members, scores = [], {}
    for fold in opened.numbers:
        folder = out / fold_name(fold)
        record = folder / RESULT
        if not record.is_file():
            continue
        fold_row = files.read_object(record, "normalise")
        normalise: AnyNormalise = TypeAdapter(AnyNormalise).validate_python(fold_row["normalise"])
        for row in members_of(folder):
            members.append(
                MemberWeights(
                    name=row["name"],
                    weights=load_file(folder / row["member"]),
                    fold=fold,
                    stage=row["stage"],
                    score=row["score"],
                    normalise=normalise,
                )
            )
            scores[row["name"]] = row["score"]
    cases = {name: KnownCase.model_validate(row) for name, row in known.items()}
    return Bundle.make(
        opened.recipe,
        members,
        cases=cases,
        scores={"monitor": scores},
        images=images,
        sampled_stores=True,
    )
