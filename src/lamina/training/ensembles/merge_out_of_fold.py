"""Out-of-fold answers of several runs as one, by the mean that their ensemble takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lamina
from lamina import files
from lamina.bundle import Bundle, Part, versions
from lamina.data.tables.folds import read_folds
from lamina.errors import DataError
from lamina.folders import OUT_OF_FOLD, fold_name
from lamina.prediction.folder.manifest import Info, PredictedCase
from lamina.prediction.folder.predictions import HEADER, Predictions, one_digest
from lamina.prediction.tiling.averaging import combine
from lamina.progress import Bar
from lamina.training.run_folder import members_of


@dataclass
class MergedCases:
    """Cases with merged answers by the number of runs behind them, and what was left out."""

    answers: dict[int, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Stored:
    """Where a run keeps its answer to a case it held out."""

    predictions: Predictions
    weight: float
    members: tuple[str, ...]


def merge(runs: Sequence[Path], parts: Sequence[Part], bundle: Bundle, out: Path) -> MergedCases:
    """Write the mean of the stored answers to ``out``, fold by fold of the first run.

    A fold is written as a whole, or left out where a case of it has no answer.

    Args:
        runs: The run folders, in the order of ``parts``.
        parts: Their bundles and weights.
        bundle: What they were joined to.
        out: A folder that already has the ``data.json`` of the first run.

    Raises:
        DataError: a run's answers are missing, damaged, or not by the member in its bundle.
    """
    stored: dict[tuple[str, str], list[_Stored]] = {}
    for run, part in zip(runs, parts, strict=True):
        for key, one in _stored(run, part):
            stored.setdefault(key, []).append(one)
    rows = files.read_object(out / "data.json", "cases")["cases"]
    merged = MergedCases()
    if all(row["fold"] < 0 for row in rows):
        merged.notes.append(f"{runs[0]} holds nothing out: there are no out-of-fold predictions")
    with Bar("merging out-of-fold predictions", len(rows)) as bar:
        for fold in sorted({row["fold"] for row in rows if row["fold"] >= 0}):
            keys = [(row["id"], one_digest(row["sha256"])) for row in rows if row["fold"] == fold]
            found = [key for key in keys if key in stored]
            if len(found) < len(keys):
                merged.notes.append(
                    f"fold {fold}: {len(found)} of {len(keys)} cases have out-of-fold answers; "
                    "the fold is left out"
                )
                continue
            _merge_fold({key: stored[key] for key in keys}, bundle, out / f"fold{fold}", bar)
            for key in keys:
                count = len(stored[key])
                merged.answers[count] = merged.answers.get(count, 0) + 1
    return merged


def _stored(run: Path, part: Part) -> list[tuple[tuple[str, str], _Stored]]:
    """Return the finished answers of a run, only those that its bundle's members gave."""
    found = []
    folds = read_folds(run / "folds.csv")
    for fold in sorted({member.fold for member in part.bundle.members}):
        here = run / fold_name(fold)
        folder = here / OUT_OF_FOLD
        if not (folder / HEADER).is_file():
            continue
        predictions = Predictions.open(folder).with_calibration(part.bundle.calibration)
        trained = members_of(here)
        if predictions.info.bundles != tuple(one["sha256"] for one in trained):
            raise DataError(
                f"{folder}: its predictions are not by the members in the bundle; run the same "
                "`lamina train` again"
            )
        names = tuple(f"{part.name}-{one['name']}" for one in trained)
        for id in predictions.ids:
            if folds.get(id) == fold:
                key = (id, predictions.case(id).sha256)
                found.append((key, _Stored(predictions, part.weight, names)))
    return found


def _merge_fold(
    cases: dict[tuple[str, str], list[_Stored]], bundle: Bundle, folder: Path, bar: Bar
) -> None:
    recipe = bundle.recipe
    listed = []
    for (id, _), answers in cases.items():
        case = answers[0].predictions.case(id)
        names = tuple(name for answer in answers for name in answer.members)
        listed.append(case.model_copy(update={"members": names}))
    merged = Predictions.create(folder / OUT_OF_FOLD, _info(bundle, listed, cases))
    for (id, _), answers in cases.items():
        if not merged.finished(id):
            merged.add(
                id,
                combine(
                    [one.predictions.prob(id) for one in answers],
                    [one.weight for one in answers],
                    recipe.task.kind,
                    recipe.predict.mean_of.members,
                ),
            )
        bar.advance()


def _info(bundle: Bundle, listed: Sequence[PredictedCase], cases: dict[Any, list[_Stored]]) -> Info:
    recipe = bundle.recipe
    behind = [answer.predictions.info for answers in cases.values() for answer in answers]
    return Info(
        lamina=lamina.__version__,
        recipe=recipe,
        recipe_digest=recipe.digest(),
        bundles=(bundle.digest(),),
        members="out_of_fold",
        predict=recipe.predict,
        tile=recipe.tile,
        precision=", ".join(sorted({info.precision for info in behind})),
        device=", ".join(sorted({info.device for info in behind})),
        versions=versions(),
        decision=recipe.decide,
        cases=tuple(listed),
    )
