"""Members of a recipe: what they change is laid over the recipe, and each is a recipe itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from lamina.errors import RecipeError
from lamina.recipe.load import load_recipe, resolved_text

TWO = """
extends: folder-laptop
name: two
train: {epochs: 8, batch: 4, optimizer: {kind: adamw, lr: 1e-3}}
members:
  - {name: one}
  - name: other
    frame: {turn: 3}
    network: {encoder: resnet34}
    train: {epochs: 3, optimizer: {lr: 1e-4}}
"""


def _file(folder: Path, text: str) -> Path:
    path = folder / "two.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_member_changes_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    recipe = load_recipe(_file(tmp_path, TWO))
    one, other = recipe.member("one"), recipe.member("other")
    assert one == recipe.model_copy(update={"members": ()})
    assert other.network == recipe.network.model_copy(update={"encoder": "resnet34"})
    assert other.frame == recipe.frame.model_copy(update={"turn": 3})
    (stage,), (base,) = other.stages, recipe.stages
    assert (stage.epochs, stage.batch) == (3, 4)
    assert stage.optimizer.lr == 1e-4
    assert stage.optimizer == base.optimizer.model_copy(update={"lr": 1e-4})
    kept = {"members", "network", "frame", "stages"}
    assert other.model_dump(exclude=kept) == recipe.model_dump(exclude=kept)


def test_a_recipe_with_members_written_out_is_the_same_recipe(tmp_path: Path) -> None:
    recipe = load_recipe(_file(tmp_path, TWO))
    assert load_recipe(_file(tmp_path, resolved_text(recipe))) == recipe


def test_members_are_changed_by_their_names(tmp_path: Path) -> None:
    path = _file(tmp_path, TWO)
    changes = ("members.other.network.encoder=resnet50", "network.encoder=resnet26d")
    recipe = load_recipe(path, changes)
    assert recipe.member("other").network.encoder == "resnet50"  # type: ignore[union-attr]
    assert recipe.member("one").network.encoder == "resnet26d"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("frame: {size: [33, 33]}", "member 'other': frame.size is .* needs multiples of"),
        ("name: one", "members need different names"),
        ("losss: []", "losss"),
    ],
)
def test_a_member_that_makes_no_recipe_is_refused(tmp_path: Path, wrong: str, message: str) -> None:
    text = TWO.replace("frame: {turn: 3}", wrong)
    if wrong.startswith("name"):
        text = TWO.replace("name: other", wrong)
    with pytest.raises(RecipeError, match=message):
        load_recipe(_file(tmp_path, text))
