"""The aim of a search has its metric's values."""

from __future__ import annotations

import numpy as np
import pytest

from lamina.errors import RecipeError
from lamina.model.metrics import CountMetric, DiceScore, FBeta, Iou, Psnr, TolerantDice
from lamina.prediction.aims import aim_of
from lamina.result.search.threshold import Tables


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
        tables.add(prob, truth)
    found = tables.best(aim_of(chosen, outputs=2))
    decide = found.decision()
    scored = chosen.score([chosen.tally(decide(prob), truth) for prob, truth in cases])
    nothing = chosen.score([chosen.tally(prob > 1, truth) for prob, truth in cases])
    if empty == "skip" and over == "image_class":
        # the metric weighs pairs alike, the search classes alike
        assert scored.classes == pytest.approx([one.score for one in found.classes])
    else:
        assert scored.value == pytest.approx(found.score)
        assert found.score >= nothing.value - 1e-12


def test_one_class_may_have_a_minimum_area_in_any_scope() -> None:
    assert aim_of(DiceScore(over="image"), outputs=1).over == "case"
    assert aim_of(DiceScore(over="image"), outputs=4).over == "case_foreground"


def test_dice_with_a_tolerance_is_tuned_as_dice() -> None:
    assert aim_of(TolerantDice(over="pooled"), outputs=2) == aim_of(
        DiceScore(over="pooled"), outputs=2
    )


def test_values_have_nothing_to_tune() -> None:
    with pytest.raises(RecipeError, match="no decision to tune"):
        aim_of(Psnr(), outputs=1)
