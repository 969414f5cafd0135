"""What is mixed suits the task."""

from __future__ import annotations

import pytest

from lamina.errors import RecipeError
from lamina.recipe.load import load_recipe


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        (
            "denoise-gray-laptop",
            ["stages.main.mix=[{kind: copy_paste}]"],
            "copy_paste, which is for masks, and task.kind is restore",
        ),
        (
            "folder-laptop",
            ["stages.main.mix=[{kind: blind_spots}]"],
            "blind_spots, which is for values, and task.kind is binary",
        ),
        ("denoise-gray-laptop", ["data.noise=[]"], "would learn to repeat its input"),
        (
            "denoise-gray-laptop",
            ["stages.main.mix=[{kind: cutmix}]", "stages.main.batch=1"],
            "set it to 2 or more",
        ),
    ],
)
def test_what_does_not_suit_is_refused(name: str, changes: list[str], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        load_recipe(name, changes)


def test_one_noisy_image_at_a_time_is_enough() -> None:
    assert load_recipe("denoise-noisy-laptop", ["stages.main.batch=1"]).stages[0].batch == 1
