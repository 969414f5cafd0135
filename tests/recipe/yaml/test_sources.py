"""Chains of recipes: by name, by path, in circles, and missing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lamina.errors import RecipeError
from lamina.options.nodes import Where, plain_value
from lamina.recipe.yaml.sources import read_chain


def recipes(folder: Path, **texts: str) -> Path:
    for name, text in texts.items():
        path = folder / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def test_the_upper_recipe_lies_over_the_lower(tmp_path: Path) -> None:
    recipes(
        tmp_path,
        top="extends: sub/middle.yaml\nx: {a: top}",
        **{"sub/middle": "extends: ../low.yaml\nx: {a: middle, b: middle}\nl: [1]"},
        low="x: {a: low, b: low, c: low}\nl: [2, 3]",
    )
    root, problems = read_chain(tmp_path / "top.yaml")
    assert problems == []
    assert plain_value(root) == {"x": {"a": "top", "b": "middle", "c": "low"}, "l": [1]}
    assert isinstance(root.value, dict)
    assert root.value["l"].where == Where(str(tmp_path / "sub" / "middle.yaml"), 3)


def test_a_built_in_recipe_is_extended_by_name(tmp_path: Path) -> None:
    recipes(tmp_path, mine="extends: steel-laptop\nname: mine")
    found = plain_value(read_chain(tmp_path / "mine.yaml")[0])
    assert (found["name"], found["task"]["kind"]) == ("mine", "multilabel")


def test_windows_separators_are_read(tmp_path: Path) -> None:
    """G10."""
    recipes(tmp_path, top="extends: sub\\low.yaml", **{"sub/low": "a: 1"})
    assert plain_value(read_chain(tmp_path / "top.yaml")[0]) == {"a": 1}


def test_a_circle_is_refused_with_its_chain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipes(tmp_path, a="x: 1\nextends: b.yaml", b="extends: ./c.yaml", c="\nextends: b.yaml")
    monkeypatch.chdir(tmp_path)
    message = "c.yaml:2: extends runs in a circle: a.yaml -> b.yaml -> c.yaml -> b.yaml"
    with pytest.raises(RecipeError, match=re.escape(message)):
        read_chain("a.yaml")


@pytest.mark.parametrize(
    ("extends", "message"),
    [
        (
            "stel",
            "a.yaml:1: extends is 'stel', which is neither a built-in recipe (",
        ),
        ("~/low.yaml", "/~/low.yaml"),  # neither the home folder nor a variable (G10)
        ("$HOME/low.yaml", "/$HOME/low.yaml"),
        ("no/../../x.yaml", "nor a file at /"),
        ("x" * 5000, "nor a file at"),
        ("[a]", "a.yaml:1: extends is ['a']; it must be the name of a built-in recipe"),
        ("", "a.yaml:1: extends is null; it must be the name of a built-in recipe"),
        (".", "is a folder"),
    ],
)
def test_what_cannot_be_extended_is_named_with_where_it_was_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, extends: str, message: str
) -> None:
    recipes(tmp_path, a=f"extends: {extends}")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RecipeError, match=re.escape(message)):
        read_chain("a.yaml")


def test_a_misspelt_name_gets_a_proposal() -> None:
    with pytest.raises(RecipeError, match=r"^stel: neither a file nor .* did you mean 'steel'\?$"):
        read_chain("stel")


def test_problems_of_all_files_are_gathered(tmp_path: Path) -> None:
    recipes(tmp_path, a="extends: b.yaml\nx: 1\nx: 2", b="y: 1\ny: 2")
    problems = read_chain(tmp_path / "a.yaml")[1]
    assert [problem.message for problem in problems] == [
        "'x' is set twice; first on line 2",
        "'y' is set twice; first on line 1",
    ]
