"""How good a prediction is: the metric beside its baseline, and a row for each class."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from numpy.typing import NDArray

from lamina.data.case import Case
from lamina.data.index.index import DataIndex
from lamina.data.targets.ground_truth import truth as read_truth
from lamina.errors import DataError, RecipeError
from lamina.evaluation.breakdown import SizeTallies, check_by, group_scores
from lamina.evaluation.matching import Matched, match
from lamina.evaluation.score_result import ScoreResult, UnmatchedCases
from lamina.evaluation.score_table import table
from lamina.evaluation.tallies import MaskTallies, ValueTallies, input_parts
from lamina.evaluation.tallies import Part as Tallied
from lamina.folders import DATA_INDEX, check_data
from lamina.geometry.region import Region
from lamina.model.metrics import AnyMetric
from lamina.prediction.folder.manifest import check_place
from lamina.prediction.folder.predictions import PredictedCase, Predictions
from lamina.progress import Bar
from lamina.public import StrPath, as_path
from lamina.recipe.metric_option import metric_of
from lamina.refusals import verb
from lamina.volume import Crop

__all__ = ["Part", "ScoreResult", "score", "table"]

Part = Literal["all", "validate"]


@verb
def score(
    pred: StrPath,
    truth: StrPath,
    *,
    part: Part = "all",
    metric: AnyMetric | str | None = None,
    by: Sequence[str] = (),
    index: StrPath | None = None,
    verify_data: bool = False,
) -> ScoreResult:
    """Compare a prediction with the truth, one case in memory at a time.

    A volume is one case: its voxels are counted together, whatever axes it was cut across. No
    more than a slab of it is in memory where the decision and the metric allow it.

    The truth is opened by the catalog of the recipe that predicted; cases belong together by
    id, or where no id is equal by id without its suffix. Each whole case is decided by the
    prediction's decision.

    Args:
        pred: A folder of ``lamina predict``.
        truth: The data folder that holds the truth.
        part: ``validate``: only the held-out ranges of a recipe that splits by sections.
        metric: The score in place of the recipe's: a metric, its kind, or YAML as in a recipe;
            None: the recipe's.
        by: ``size``: how many objects are found, by class and size, which needs each whole case
            in memory; ``group``: the metric of each group of cases.
        index: File of what is known of the files of the truth; None: ``index.jsonl`` in ``pred``.
        verify_data: Read all files of the truth again, whatever their size and time say.

    Returns:
        The metric over all cases beside its baseline, the scores of each class, and which cases
        were scored.

    Raises:
        RecipeError: ``part`` or ``by`` is not one of those, the recipe has no sections, or the
            metric is for another kind of task, as are sizes.
        DataError: no case is in both, or a case differs in shape.

    Example:
        >>> result = score("pred", "data", metric="iou")
        >>> result.cases, [one.name for one in result.classes]
        (8, ['foreground'])
    """
    pred, truth = as_path(pred, "pred"), as_path(truth, "truth")
    predictions = Predictions.open(pred)
    recipe, task = predictions.info.recipe, predictions.task
    _check_part(part, predictions)
    check_by(by, masks=task.kind != "restore")
    check_data(truth)
    if not predictions.ids:
        raise DataError(
            f"{pred}: is not finished (0 of {len(predictions.info.cases)} cases); run the same "
            "`lamina predict` again to resume"
        )
    place = pred / DATA_INDEX if index is None else as_path(index, "index")
    with DataIndex(place, verify=verify_data).used():
        listing = recipe.data.open(truth, task)
    cases = recipe.frame.chosen(listing.cases, predictions.info.predict.slices)
    matched = match(predictions.ids, {case.id: case for case in cases})
    if not matched.pairs:
        raise DataError(
            f"{pred} and {truth}: no case is in both; predicted are "
            f"{_some(matched.prediction_only)}, the ground truth has {_some(matched.truth_only)}"
        )
    asked = metric_of(metric) if isinstance(metric, str) else metric or recipe.metric
    chosen = asked.suited(task)
    tallies = _tallies(predictions, chosen)
    sizes = SizeTallies(task) if "size" in by else None
    folds: list[Hashable] = []
    groups: list[str] = []
    with Bar("scoring", len(matched.pairs)) as bar:
        for id, case in matched.pairs:
            for box in _boxes(predictions, id, case, truth, part):
                whole = not chosen.adds_up or sizes is not None
                parts = _parts(predictions, id, case, box, whole=whole)
                tallies.add_parts(parts if sizes is None else sizes.passing(parts))
                if isinstance(tallies, ValueTallies) and case.image.channels == task.outputs:
                    tallies.add_input(input_parts(case, box, task, whole=whole))
                folds.append(_fold(predictions.case(id)))
                groups.append(case.group)
            bar.advance()
    summary = tallies.summary(None if None in folds else folds)
    if sizes is not None:
        summary["by_size"] = sizes.summary()
    if "group" in by:
        of_cases, of_baseline = tallies.of_cases, tallies.of_baseline
        summary["by_group"] = group_scores(chosen, groups, of_cases, of_baseline)
    return ScoreResult(**summary, **_about(predictions, matched, part))


def _tallies(predictions: Predictions, metric: AnyMetric) -> MaskTallies | ValueTallies:
    task = predictions.task
    values = task.kind == "restore"
    if not (metric.values if values else metric.masks):
        raise RecipeError(
            f"the metric {metric.kind} is for {'masks' if values else 'values'}, and task.kind is "
            f"{task.kind}; name another one by --metric"
        )
    if values:
        return ValueTallies(metric, task)
    decision = predictions.decision
    return MaskTallies(
        metric,
        task,
        foreground=getattr(decision, "foreground", None),
        foreground_area=getattr(decision, "foreground_area", 0),
    )


def _check_part(part: str, predictions: Predictions) -> None:
    if part not in ("all", "validate"):
        raise RecipeError(f"--part is '{part}'; it must be one of all, validate")
    split = predictions.info.recipe.split
    if part == "validate" and not split.cuts:
        raise RecipeError(
            "--part validate needs a recipe that splits by sections; this one has split.kind "
            f"'{split.kind}', and scores all cases"
        )
    if part == "validate" and not getattr(split, "validation", True):
        raise RecipeError(
            "--part validate scores held-out sections, and split.validate of this recipe names "
            "none; leave --part out"
        )


def _boxes(
    predictions: Predictions, id: str, case: Case, root: Path, part: Part
) -> Iterator[Region]:
    """Yield what counts as one case: the whole of it, or each of its held-out ranges."""
    check_place(predictions.case(id), case.image)
    shape = predictions.case(id).shape
    if shape != case.image.shape:
        raise DataError(
            f"case {id}: the prediction has the shape {shape}, the ground truth "
            f"{case.image.shape} ({case.image.name}); these are not the same images"
        )
    if part == "all":
        yield Region.whole(shape)
        return
    cut, folds = predictions.info.recipe.split.assign([case], root)
    for section, fold in zip(cut, folds, strict=True):
        if fold >= 0 and isinstance(section.image, Crop):
            yield section.image.box


def _parts(
    predictions: Predictions, id: str, case: Case, box: Region, *, whole: bool
) -> Iterator[Tallied]:
    """Yield answer, decided masks and truth inside ``box``, slab by slab unless ``whole``."""
    for region, prob, answer in _decided(predictions, id, whole=whole):
        inside = region.clip_to(box)
        if 0 in inside.shape:
            continue
        at = (slice(None), *inside.shift(tuple(-a for a in region.start)).slices)
        here = case if inside.shape == case.image.shape else case.crop(inside, case.id)
        yield prob[at], answer[at], *read_truth(here, predictions.task)


def _decided(
    predictions: Predictions, id: str, *, whole: bool
) -> Iterator[tuple[Region, NDArray[Any], NDArray[Any]]]:
    if not whole:
        yield from predictions.decided(id)
        return
    prob = predictions.prob(id)
    values = predictions.task.kind == "restore"
    answer = prob if values else predictions.decision(prob)
    yield Region.whole(prob.shape[1:]), prob, answer


def _about(predictions: Predictions, matched: Matched, part: Part) -> dict[str, Any]:
    known = [predictions.case(id).known for id, _ in matched.pairs]
    return {
        "part": part,
        "policy": predictions.info.members,
        "known": {word: known.count(word) for word in sorted(set(known))},
        "decision": predictions.decision,
        "recipe": predictions.info.recipe.name,
        "changes": predictions.info.changes,
        "unfinished": predictions.info.unfinished,
        "truth_only": _alone(matched.truth_only),
        "prediction_only": _alone(matched.prediction_only),
    }


def _fold(case: PredictedCase) -> Hashable:
    """Return what tells folds apart: cases held out together have the same members."""
    return case.members if case.known == "held_out" else None


def _alone(ids: list[str]) -> UnmatchedCases:
    return UnmatchedCases(len(ids), tuple(ids[:10]))


def _some(ids: list[str]) -> str:
    more = ", ..." if len(ids) > 3 else ""
    return (", ".join(f"'{id}'" for id in ids[:3]) or "none") + more
