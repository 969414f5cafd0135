"""What a recipe fills in for itself, and that nothing else of it moves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lamina.model.metrics import DiceScore
from lamina.recipe.load import load_recipe
from lamina.recipe.recipe import Recipe

EARLIER = Path(__file__).parents[1] / "data" / "earlier_run" / "run"
EXCLUSIVE = ["task.kind=multiclass", "data.labels=null", "loss=[{kind: cross_entropy}]"]


def first_left_out(recipe: Recipe) -> tuple[bool | None, bool | None]:
    assert isinstance(recipe.monitor, DiceScore)
    assert isinstance(recipe.metric, DiceScore)
    return recipe.monitor.ignore_first, recipe.metric.ignore_first


@pytest.mark.parametrize("kind", ["binary", "multilabel"])
def test_the_first_class_counts_where_it_is_no_background(kind: str) -> None:
    recipe = load_recipe("folder-laptop", [f"task.kind={kind}", "data.labels=null"])
    assert first_left_out(recipe) == (False, False)


def test_the_background_of_exclusive_classes_counts_only_where_asked_for() -> None:
    assert first_left_out(load_recipe("folder-laptop", EXCLUSIVE)) == (True, True)
    asked = [*EXCLUSIVE, "metric.ignore_first=false"]
    assert first_left_out(load_recipe("folder-laptop", asked)) == (True, False)
    other = load_recipe("folder-laptop", [*EXCLUSIVE, "monitor={kind: iou}", "metric={kind: mse}"])
    assert other.monitor.model_dump()["ignore_first"] is True
    again = Recipe.model_validate_json(other.model_dump_json())
    assert again == other
    assert again.digest() == other.digest()


def test_recipes_of_before_keep_their_digests() -> None:
    stored = json.loads((EARLIER / "recipe.json").read_text(encoding="utf-8"))
    index = json.loads((EARLIER / "bundle" / "bundle.json").read_text(encoding="utf-8"))
    assert Recipe.model_validate(stored).digest() == index["recipe_digest"]


@pytest.mark.parametrize(
    ("change", "range_"),
    [
        ({"seed": 2**64}, "seed"),
        ({"seed": -1}, "seed"),
        ({"stages": [{"epochs": 10**18}]}, "epochs"),
        ({"stages": [{"epochs": 0}]}, "epochs"),
    ],
)
def test_trust_10_numbers_beyond_reason_are_refused(
    make: Any, change: dict[str, Any], range_: str
) -> None:
    """TRUST-10, G08: a seed that fits 63 bits, and at most a million epochs."""
    with pytest.raises(ValueError, match=range_):
        make.recipe(**change)
    assert make.recipe(seed=2**63 - 1).seed == 2**63 - 1
