"""Options found by the last words of their name."""

from __future__ import annotations

import pytest

from lamina.options.elsewhere import OptionNames
from lamina.recipe.recipe import Recipe
from lamina.recipe.yaml.resolve import resolve


@pytest.mark.parametrize(
    ("words", "first"),
    [
        (["epochs"], "train.epochs"),
        (["batch"], "train.batch"),
        (["lr"], "train.optimizer.lr"),
        (["optimizer", "lr"], "train.optimizer.lr"),
        (["encoder"], "network.encoder"),
        (["dice", "weight"], "loss.dice.weight"),
        (["threshold"], "decide.threshold"),
        (["groups"], "split.groups"),
    ],
)
def test_options_of_a_built_in_recipe(words: list[str], first: str) -> None:
    names = OptionNames(Recipe, resolve("steel-laptop").root)
    assert names.ending(words)[0] == first


def test_what_is_found_can_be_set() -> None:
    """Every name that is proposed is one that ``-s`` takes."""
    names = OptionNames(Recipe, resolve("steel-laptop").root)
    for name in names.ending(["p"]) + names.ending(["weight"]) + names.ending(["size"]):
        changed = resolve("steel-laptop", [f"{name}=1"])
        assert changed.problems == ()


def test_words_that_are_nearly_right() -> None:
    names = OptionNames(Recipe, resolve("steel-laptop").root)
    assert names.ending(["epoch"]) == []
    assert names.like("epoch") == ["train.epochs"]
    assert names.like("qqqq") == []
