"""How good a prediction is: the recipe's metric beside predicting nothing, and class by class."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from numpy.typing import NDArray

from lamina.data.case import Case
from lamina.data.splits import Sections
from lamina.data.truth import truth as read_truth
from lamina.errors import DataError, RecipeError
from lamina.predict.matching import Matched, match
from lamina.predict.predictions import Predictions
from lamina.predict.score_table import table
from lamina.predict.tallies import MaskTallies, ValueTallies
from lamina.progress import Bar
from lamina.volume import Crop

__all__ = ["Part", "score", "table"]

Part = Literal["all", "validate"]


def score(pred: Path, truth: Path, *, part: Part = "all") -> dict[str, Any]:
    """Compare a prediction with the truth, one case in memory at a time.

    The truth is opened by the catalog of the recipe that predicted; cases belong together by
    id, or where no id is equal by id without its suffix. Each whole case is decided by the
    prediction's decision.

    Args:
        pred: A folder of ``lamina predict``.
        truth: The data folder that holds the truth.
        part: ``validate``: only the held-out ranges of a recipe that splits by sections.

    Returns:
        JSON values: ``metric`` (its title), ``value``, ``baseline_empty`` (the same for
        predicting nothing), ``empty_rule``, ``foreground_dice`` and ``pooled_dice``,
        (any class, all pixels pooled: by the decision's ``foreground`` threshold where it has
        one, and ``foreground_dice_of_masks`` by the union of its masks), ``foreground_dice_best``
        with the threshold that reaches it on these cases, ``auc``, ``classes``,
        ``cases``, ``policy`` and ``known`` (who answered, and whether they had seen the case),
        ``truth_only`` and ``prediction_only``. For restore: metric, value and channels.

    Raises:
        RecipeError: ``part`` is not one of those, or the recipe has no sections.
        DataError: no case is in both, or a case differs in shape.
    """
    predictions = Predictions.open(pred)
    recipe, task = predictions.info.recipe, predictions.task
    _check_part(part, predictions)
    if not truth.is_dir():
        raise DataError(f"{truth}: no such folder; give the data folder that holds the truth")
    listing = recipe.data.open(truth, task)
    matched = match(predictions.ids, {case.id: case for case in listing.cases})
    if not matched.pairs:
        raise DataError(
            f"{pred} and {truth}: no case is in both; predicted is such as "
            f"{_some(matched.prediction_only)}, the truth has {_some(matched.truth_only)}"
        )
    tallies: MaskTallies | ValueTallies
    if task.kind == "restore":
        tallies = ValueTallies(recipe.metric, task)
    else:
        foreground = getattr(predictions.decision, "foreground", None)
        tallies = MaskTallies(recipe.metric, task, foreground=foreground)
    with Bar("scoring", len(matched.pairs)) as bar:
        for id, case in matched.pairs:
            for prob, answer, box in _parts(predictions, id, case, truth, part):
                tallies.add(prob, answer, *read_truth(box, task))
            bar.advance()
    return {**tallies.summary(), **_about(predictions, matched, part)}


def _check_part(part: str, predictions: Predictions) -> None:
    if part not in ("all", "validate"):
        raise RecipeError(f"--part is '{part}'; it must be one of all, validate")
    split = predictions.info.recipe.split
    if part == "validate" and not isinstance(split, Sections):
        raise RecipeError(
            "--part validate needs a recipe that splits by sections; this one has split.kind "
            f"'{split.kind}', and scores all cases"
        )


def _parts(
    predictions: Predictions, id: str, case: Case, root: Path, part: Part
) -> Iterator[tuple[NDArray[Any], NDArray[Any], Case]]:
    """Yield probabilities, the decided answer and the case: as a whole, or its held-out ranges."""
    prob = predictions.prob(id)
    if prob.shape[1:] != case.image.shape:
        raise DataError(
            f"case {id}: predicted is {prob.shape[1:]}, the truth {case.image.shape} "
            f"({case.image.name}); these are not the same images"
        )
    answer = prob if predictions.task.kind == "restore" else predictions.decision(prob)
    if part == "all":
        yield prob, answer, case
        return
    cut, folds = predictions.info.recipe.split.assign([case], root)
    for section, fold in zip(cut, folds, strict=True):
        if fold >= 0 and isinstance(section.image, Crop):
            box = (slice(None), *section.image.box.slices)
            yield prob[box], answer[box], section


def _about(predictions: Predictions, matched: Matched, part: Part) -> dict[str, Any]:
    known = [predictions.case(id).known for id, _ in matched.pairs]
    return {
        "part": part,
        "policy": predictions.info.members,
        "known": {word: known.count(word) for word in sorted(set(known))},
        "decision": predictions.decision.model_dump(mode="json"),
        "recipe": predictions.info.recipe.name,
        "truth_only": {"count": len(matched.truth_only), "first": matched.truth_only[:10]},
        "prediction_only": {
            "count": len(matched.prediction_only),
            "first": matched.prediction_only[:10],
        },
    }


def _some(ids: list[str]) -> str:
    return ", ".join(f"'{id}'" for id in ids[:3]) or "nothing"
