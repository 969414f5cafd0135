"""Wrong arguments of components, in the words that recipes get."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

import lamina
from lamina.data.transforms import OneOf
from lamina.errors import LaminaError, OptionError, RecipeError
from lamina.model.losses import Bce, Dice
from lamina.model.metrics import DiceScore
from lamina.recipe.recipe import Recipe
from lamina.recipe.stage import Stage


def recipe(**changes: Any) -> Recipe:
    values = lamina.load_recipe("folder-laptop")
    return Recipe(**{name: getattr(values, name) for name in Recipe.model_fields} | changes)


SAID: list[tuple[Callable[[], Any], str]] = [
    (lambda: Dice(smoth=1), "Dice: 'smoth' is not an option; did you mean 'smooth'?"),  # type: ignore[call-arg]
    (lambda: Dice(smooth="x"), "Dice: smooth is 'x'; input should be a number"),  # type: ignore[arg-type]
    (lambda: Dice(smooth=-1), "Dice: smooth is -1; input should be greater than or equal to 0"),
    (
        lambda: DiceScore(over="pooledd"),  # type: ignore[arg-type]
        "DiceScore: over is 'pooledd'; it must be one of image, image_class, pooled, foreground; "
        "did you mean 'pooled'?",
    ),
    (lambda: Dice(kind="bce"), "Dice: kind is 'bce'; it must be dice"),  # type: ignore[arg-type]
    (lambda: Stage(), "Stage: epochs is missing"),  # type: ignore[call-arg]
    (
        lambda: recipe(loss=[{"kind": "dicee"}]),
        "Recipe: loss.0.kind is 'dicee'; it must be one of bce, charbonnier, cross_entropy, dice, "
        "focal, jaccard, l1, lovasz, mse, ssim; did you mean 'dice'?",
    ),
    (
        lambda: recipe(loss=[Bce(), {"kind": "dice", "smoth": 1}], seed=-1),
        "Recipe: seed is -1; input should be greater than or equal to 0\n"
        "Recipe: 'loss.dice.smoth' is not an option; did you mean 'smooth'?",
    ),
    (lambda: recipe(loss=[object()]), "Recipe: loss.0 is <object object at 0x"),
    (lambda: recipe(epochs=3), "Recipe: 'epochs' is not an option; options are name, seed, "),
    (
        lambda: recipe(frame={"size": [33, 33]}),
        "Recipe: frame.size is [33, 33]; unet needs multiples of 32",
    ),
    (lambda: OneOf(of=()), "OneOf: of is []; it needs 1 or more items"),
]


@pytest.mark.parametrize(("call", "said"), SAID, ids=[said[:40] for _, said in SAID])
def test_a_wrong_argument_is_named_with_what_it_may_be(call: Callable[[], Any], said: str) -> None:
    with pytest.raises(OptionError) as caught:
        call()
    assert str(caught.value).startswith(said)
    assert "pydantic" not in str(caught.value)
    assert isinstance(caught.value.__cause__, ValidationError)


def test_the_error_is_one_of_recipes_and_a_value_error_too() -> None:
    for kind in (LaminaError, RecipeError, ValueError):
        with pytest.raises(kind, match="did you mean 'smooth'"):
            Dice(smoth=1)  # type: ignore[call-arg]
    error = pickle.loads(pickle.dumps(OptionError("Dice: smooth is -1")))
    assert (str(error), error.exit_code) == ("Dice: smooth is -1", 2)


def test_parts_are_made_without_it_and_keep_the_place_in_their_errors() -> None:
    with pytest.raises(ValidationError) as caught:
        Recipe.model_validate({"loss": [{"kind": "dice", "smoth": 1}]})
    assert ("loss", 0, "dice", "smoth") in [error["loc"] for error in caught.value.errors()]
