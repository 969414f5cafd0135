"""How good a prediction is: the metric beside its baseline, and a row for each class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from lamina.data.index.index import DataIndex
from lamina.errors import DataError, PartialError, RecipeError, listed
from lamina.evaluation.breakdown import check_by, group_scores
from lamina.evaluation.cases.score_cases import score_cases
from lamina.evaluation.cases.scorer import CaseScorer, Part
from lamina.evaluation.matching import Matched, match
from lamina.evaluation.score_result import ScoreResult, UnmatchedCases
from lamina.evaluation.score_table import table
from lamina.folders import DATA_INDEX, check_data
from lamina.machine.cores import allowed_cores
from lamina.model.metrics import AnyMetric
from lamina.prediction.folder.predictions import Predictions
from lamina.prediction.quarantine import Quarantine
from lamina.prediction.workers.process_pool import check_workers
from lamina.public import StrPath, as_path
from lamina.recipe.metric_option import metric_of
from lamina.refusals import verb

__all__ = ["Part", "ScoreResult", "score", "table"]


@verb
def score(
    pred: StrPath,
    truth: StrPath,
    *,
    part: Part = "all",
    metric: AnyMetric | str | None = None,
    by: Sequence[str] = (),
    workers: int | Literal["auto"] | None = None,
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
        workers: Processes of one thread each, with the same numbers; ``auto``: as many as there
            are cores for this one; None: this process.
        index: File of what is known of the files of the truth; None: ``index.jsonl`` in ``pred``.
        verify_data: Read all files of the truth again, whatever their size and time say.

    Returns:
        The metric over all cases beside its baseline, the scores of each class, and which cases
        were scored.

    Raises:
        RecipeError: ``part`` or ``by`` is not one of those, the recipe has no sections, or the
            metric is for another kind of task, as are sizes.
        DataError: no case is in both, or none can be scored.
        PartialError: some cases are bad, such as of another shape; all others are scored. Its
            ``result`` is what is returned otherwise.

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
    check_workers(workers)
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
    scorer = CaseScorer(predictions, asked.suited(task), truth, part, by_size="size" in by)
    quarantine = Quarantine(len(matched.pairs))
    count = allowed_cores() if workers == "auto" else workers
    scores = score_cases(scorer, matched.pairs, quarantine, count)
    quarantine.check_any(len(scores.ids), "cases can be scored")
    summary = scores.tallies.summary(None if None in scores.folds else scores.folds)
    if scores.sizes is not None:
        summary["by_size"] = scores.sizes.summary()
    if "group" in by:
        of_cases, of_baseline = scores.tallies.of_cases, scores.tallies.of_baseline
        summary["by_group"] = group_scores(scorer.metric, scores.groups, of_cases, of_baseline)
    result = ScoreResult(
        **summary,
        **_about(predictions, matched, part, scores.ids),
        failed=tuple(quarantine.failed),
    )
    if result.failed:
        raise PartialError(
            listed(
                f"{pred} and {truth}: {len(scores.ids)} cases are scored, "
                f"{len(result.failed)} could not be; correct or remove them, then run the same "
                "command again",
                [input_.why.splitlines()[0] for input_ in result.failed],
            ),
            result,
        )
    return result


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


def _about(
    predictions: Predictions, matched: Matched, part: Part, scored: Sequence[str]
) -> dict[str, Any]:
    known = [predictions.case(id).known for id in scored]
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


def _alone(ids: list[str]) -> UnmatchedCases:
    return UnmatchedCases(len(ids), tuple(ids[:10]))


def _some(ids: list[str]) -> str:
    more = ", ..." if len(ids) > 3 else ""
    return (", ".join(f"'{id}'" for id in ids[:3]) or "none") + more
