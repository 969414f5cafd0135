"""The recipes that come with the package."""

from __future__ import annotations

from pathlib import Path

import pytest

from lamina.errors import RecipeError
from lamina.recipe.builtin import SCHEMA, about, described, names, save_schema, text_of
from lamina.recipe.load import load_recipe, resolved_text


def test_these_recipes_are_shipped() -> None:
    steel = {"steel", "steel-laptop", "steel-released"}
    assert steel | {"folder-laptop", "volume-laptop"} <= set(names())


@pytest.mark.parametrize("name", names())
def test_a_built_in_recipe_is_sound_and_carries_its_own_name(name: str) -> None:
    assert load_recipe(name).name == name


@pytest.mark.parametrize("name", names())
def test_its_networks_can_be_built(name: str) -> None:
    """``check_networks`` leaves them out for that reason."""
    recipe = load_recipe(name)
    for member in [recipe.member(member.name) for member in recipe.members] or [recipe]:
        member.network.check(member.frame.inputs, member.outputs)


@pytest.mark.parametrize("name", names())
def test_written_out_it_loads_to_an_equal_recipe(name: str, tmp_path: Path) -> None:
    recipe = load_recipe(name)
    path = tmp_path / "whole.yaml"
    path.write_text(resolved_text(recipe), encoding="utf-8")
    again = load_recipe(path)
    assert again == recipe
    assert again.digest() == recipe.digest()


@pytest.mark.parametrize("name", names())
def test_what_lamina_new_prints_is_the_same_recipe_and_names_the_schema(
    name: str, tmp_path: Path
) -> None:
    path = tmp_path / "mine.yaml"
    for schema in (None, Path("schemas/recipe.schema.json")):
        path.write_text(text_of(name, schema), encoding="utf-8")
        assert load_recipe(path) == load_recipe(name)
    assert text_of(name, schema).startswith(
        "# yaml-language-server: $schema=schemas/recipe.schema.json\n"
    )
    assert str(SCHEMA.parent) not in text_of(name)
    assert f"lamina new {name} --schema recipe.schema.json" in text_of(name).splitlines()[0]


def test_the_schema_is_written_for_editors_and_replaces_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "recipe.schema.json"
    save_schema(path)
    assert path.read_bytes() == SCHEMA.read_bytes()
    path.write_text('{"$schema": "of an earlier lamina"}', encoding="utf-8")
    save_schema(path)
    assert path.read_bytes() == SCHEMA.read_bytes()
    path.write_text("name: mine", encoding="utf-8")
    with pytest.raises(RecipeError, match="is another file already"):
        save_schema(path)


@pytest.mark.parametrize("name", names())
def test_it_says_of_itself_what_it_is_in_one_line(name: str) -> None:
    line = about(name)
    assert line.endswith(".")
    assert 30 <= len(line) <= 100
    assert described()[name] == line


def test_an_unknown_name_gets_a_proposal() -> None:
    with pytest.raises(RecipeError, match=r"did you mean 'steel-laptop'\?"):
        text_of("steel-latop")


def test_steel_is_the_published_pipeline_as_its_author_meant_it() -> None:
    steel = load_recipe("steel").model_dump(mode="json")
    (stage,) = steel["stages"]
    assert steel["frame"]["normalise"] == {
        "kind": "fixed", "mean": 0.3439, "std": 0.1957, "scale": 255.0,
    }  # fmt: skip
    assert [(part["kind"], part["weight"]) for part in steel["loss"]] == [
        ("bce", 0.6),
        ("dice", 0.4),
    ]  # STEEL-11
    optimizer = stage["optimizer"]
    assert (optimizer["kind"], optimizer["lr"], optimizer["encoder_lr"]) == ("radam", 3e-3, 7e-5)
    assert (optimizer["weight_decay"], optimizer["encoder_weight_decay"]) == (3e-4, 3e-5)
    assert steel["decide"] == {
        "kind": "threshold", "threshold": 0.5, "min_area": 3500, "min_component": 20,
        "overlap": "largest", "foreground": None, "foreground_area": 0,
    }  # fmt: skip


@pytest.mark.parametrize("name", [name for name in names() if name.endswith("-laptop")])
def test_a_laptop_recipe_needs_no_downloaded_weights(name: str) -> None:
    assert load_recipe(name).model_dump(mode="json")["network"]["weights"] == "none"
