"""A metric out of a word or a line of YAML, and what is no metric."""

from __future__ import annotations

import pytest

from lamina.errors import RecipeError
from lamina.model.metrics import DiceScore, TolerantDice
from lamina.recipe.metric_option import metric_of


def test_a_kind_alone_has_its_defaults() -> None:
    assert metric_of("dice") == DiceScore()


def test_yaml_as_in_a_recipe() -> None:
    found = metric_of("{kind: tolerant_dice, tolerance: 2, over: image}")
    assert found == TolerantDice(tolerance=2, over="image")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dicee", r"--metric dicee: metric.kind is 'dicee'; .* did you mean 'dice'"),
        ("{kind: dice, ovr: image}", r"metric.ovr is not an option here; did you mean 'over'"),
        ("{kind: tolerant_dice, tolerance: -1}", "metric.tolerance is -1"),
        ("{kind: dice", "--metric {kind: dice"),
        ("3", "--metric 3: metric is 3"),
    ],
)
def test_what_is_no_metric_is_said(text: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        metric_of(text)
