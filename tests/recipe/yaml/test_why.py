"""Where values come from."""

from __future__ import annotations

from pathlib import Path

import pytest

from lamina.errors import RecipeError
from lamina.recipe.load import why

MINE = """extends: steel-laptop
name: mine
train:
  epochs: 7
stages:
- name: warm
- name: tune
  start: warm
  epochs: 9
loss: [{kind: dice, weight: 2}]
"""


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "mine.yaml").write_text(MINE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return "mine.yaml"


@pytest.mark.parametrize(
    ("key", "lines"),
    [
        (
            "stages.tune.epochs",
            ["stages.tune.epochs = 9", "from mine.yaml:9",
             "Number of passes over the sampler's draws."],
        ),
        ("stages.warm.epochs", ["stages.warm.epochs = 7", "from mine.yaml:4"]),  # out of train
        ("stages.1.epochs", ["stages.1.epochs = 9", "from mine.yaml:9"]),
        ("loss.dice.weight", ["loss.dice.weight = 2.0", "from -s loss.dice.weight=2.0"]),
        ("loss.dice.smooth", ["loss.dice.smooth = 1e-06", "default of Dice.smooth"]),
        ("predict.mean_of.tiles", ["predict.mean_of.tiles = probability",
                                   "default of Predict.mean_of"]),
        ("frame.size", ["frame.size = [256, 256]", "from lamina/recipes/steel-laptop.yaml:12",
                        "Rows and columns of a training sample, in pixels."]),
        ("split.stratify", ["split.stratify = classes",
                            "from lamina/recipes/steel-laptop.yaml:10"]),
        ("deterministic", ["deterministic = false", "default of Recipe.deterministic"]),
    ],
)  # fmt: skip
def test_a_value_says_where_it_is_from(mine: str, key: str, lines: list[str]) -> None:
    found = [line.strip() for line in why(mine, ["loss.dice.weight=2.0"], key).splitlines()]
    assert found[: len(lines)] == lines
    assert len(found) > 2  # and what it means


def test_a_renamed_option_has_the_name_of_recipes() -> None:
    assert why("volume-laptop", [], "split.validate").startswith("split.validate = [[15, 20]]\n")


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("stages.tnue.epochs", "stages.tnue is not an option; did you mean 'tune'?"),
        ("stage", "stage is not an option; did you mean 'stages'?"),
        ("loss.bce", "loss.bce is not an option; options are dice"),
        ("name.x", "name.x is not an option; 'name' has no parts"),
        ("", " is not an option; options are name, seed"),
    ],
)
def test_an_unknown_key_gets_a_proposal(mine: str, key: str, message: str) -> None:
    """G01."""
    with pytest.raises(RecipeError) as caught:
        why(mine, [], key)
    assert str(caught.value).startswith(message)
