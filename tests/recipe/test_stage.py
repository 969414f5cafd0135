"""What stages may say, and what the recipe is in each of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from lamina.errors import RecipeError
from lamina.recipe.load import load_recipe

TWO = """
extends: folder-laptop
name: two
frame: {size: [64, 64]}
stages:
  - {name: small, resize: [96, 128], size: [32, 64]}
  - {name: large, start: best, carry_best: true, member: top, keep: 3}
"""


@pytest.fixture
def two(tmp_path: Path) -> Path:
    path = tmp_path / "two.yaml"
    path.write_text(TWO, encoding="utf-8")
    return path


def test_a_stage_sees_by_its_own_sizes_or_by_those_of_the_frame(two: Path) -> None:
    recipe = load_recipe(two, ["frame.resize=[128, 128]"])
    small, large = recipe.at("small"), recipe.at("large")
    assert (small.frame.resize, small.frame.size, small.tile) == ((96, 128), (32, 64), (32, 64))
    assert (large.frame.resize, large.frame.size, large.tile) == ((128, 128), (64, 64), (64, 64))
    assert small.stages == recipe.stages
    assert recipe.at("none of them") == recipe
    fixed = load_recipe(two, ["predict.tile=[128, 128]"])
    assert fixed.at("small").tile == (128, 128)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("stages.small.size=[40, 64]", r"stages\.small\.size is \[40, 64\]; unet needs multiples"),
        ("stages.small.start=best", r"'small' starts from 'best', which is not an earlier stage"),
        ("stages.small.start=large", r"starts from 'large', which is not an earlier stage"),
        ("stages.small.carry_best=true", r"'small' is the first and has no best to carry"),
        ("stages.large.member=last", r"carry_best keeps the best weights, and member is last"),
        ("stages.small.name=bundle", r"a stage cannot be called 'bundle'"),
        ("stages.small.resize=[0, 8]", r"resize is \[0, 8\]; each number must be at least 1"),
        ("frame.resize=[8, 0]", r"frame\.resize is \[8, 0\]"),
        ("stages.small.parts=[]", r"it needs 1 or more items"),
    ],
)
def test_what_makes_no_sense_is_told_at_its_place(two: Path, change: str, words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        load_recipe(two, [change])


def test_any_stage_may_start_from_a_bundle(two: Path) -> None:
    for name in ("small", "large"):
        assert load_recipe(two, [f"stages.{name}.start=bundle"]) is not None
