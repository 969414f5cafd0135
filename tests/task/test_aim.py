"""The aim of a search has the values of the metric that names it."""

from __future__ import annotations

import numpy as np
import pytest

from lamina.errors import RecipeError
from lamina.model.metrics import (
    CountMetric,
    DiceScore,
    FBeta,
    Iou,
    MseScore,
    Precision,
    Psnr,
    Recall,
    SoftDice,
    Ssim,
    TolerantDice,
)
from lamina.model.metrics.base import Metric
from lamina.result.search.threshold import Tables
from lamina.task import Aim


@pytest.mark.parametrize("over", ["image", "image_class", "pooled", "foreground"])
@pytest.mark.parametrize("empty", ["one", "zero", "skip"])
@pytest.mark.parametrize("metric", [DiceScore, Iou, FBeta])
def test_the_decision_scores_what_the_search_promised(
    metric: type[CountMetric], empty: str, over: str
) -> None:
    rng = np.random.default_rng(11)
    chosen = metric.model_validate({"over": over, "empty": empty})
    tables = Tables(2)
    cases = []
    for number in range(6):
        truth = rng.random((2, 5, 5)) < 0.3 * (number % 3)
        prob = (0.6 * truth + 0.4 * rng.random((2, 5, 5))).astype(np.float16)
        cases.append((prob, truth))
        tables.add(prob, truth, fold=number % 2)
    found = tables.best(chosen.aim(2))
    decide = found.decision()
    scored = chosen.score([chosen.tally(decide(prob), truth) for prob, truth in cases])
    nothing = chosen.score([chosen.tally(prob > 1, truth) for prob, truth in cases])
    if empty == "skip" and over == "image_class":
        # the metric weighs pairs alike, the search classes alike
        assert scored.classes == pytest.approx([class_.score for class_ in found.classes])
        return
    assert scored.value == pytest.approx(found.score)
    assert found.score >= nothing.value - 1e-12
    nested = [found.decision(fold=number % 2)(prob) for number, (prob, _) in enumerate(cases)]
    again = chosen.score([chosen.tally(m, t) for m, (_, t) in zip(nested, cases, strict=True)])
    assert again.value == pytest.approx(found.cross)


def test_one_class_may_have_a_minimum_area_in_any_scope() -> None:
    assert DiceScore(over="image").aim(1).over == "case"
    assert DiceScore(over="image").aim(4).over == "case_foreground"


@pytest.mark.parametrize(
    ("metric", "label", "why"),
    [
        (DiceScore(), "Dice", None),
        (Iou(), "IoU", None),
        (FBeta(beta=0.5), "F0.5", None),
        (FBeta(beta=2), "F2", None),
        (Precision(), "Dice", "precision alone is highest where next to nothing is predicted"),
        (Recall(), "Dice", "recall alone is highest where everything is predicted"),
        (TolerantDice(), "Dice", "the search counts pixels one by one and measures no distances"),
        (TolerantDice(tolerance=0), "Dice", None),  # Dice itself
    ],
)
def test_work_2_an_aim_that_is_not_the_metric_says_why(
    metric: Metric, label: str, why: str | None
) -> None:
    aim = metric.aim(2)
    assert (aim.label, aim.instead) == (label, why)
    assert aim.model_copy(update={"instead": None}).over == "case"


@pytest.mark.parametrize("metric", [Psnr(), MseScore(), Ssim(), SoftDice()])
def test_what_no_decision_changes_has_nothing_to_tune(metric: Metric) -> None:
    with pytest.raises(RecipeError, match=r"no decision (to tune|changes them)"):
        metric.aim(1)


def test_weights_of_no_name_are_called_by_their_inventor() -> None:
    assert Aim(false_positive=0.3, false_negative=0.3).label == "Tversky index"
