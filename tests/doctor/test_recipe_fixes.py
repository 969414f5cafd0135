"""Fixes in a recipe: comments stay, what is written loads, and nothing else is overwritten."""

from __future__ import annotations

from pathlib import Path

import pytest

from lamina.data.catalogs import VolumePairs
from lamina.doctor.recipe_fixes import fixed_text, write_fixes
from lamina.errors import RecipeError
from lamina.recipe.load import load_recipe, text_of

FIXES = [{"transpose": {"v1": "yzx"}}, {"transpose": {"v2": "xyz"}}]


def transpose(path: Path) -> dict[str, object]:
    data = load_recipe(path).data
    assert isinstance(data, VolumePairs)
    return dict(data.transpose)


def test_a_file_is_changed_in_place_and_keeps_all_else(tmp_path: Path) -> None:
    path, text = tmp_path / "mine.yaml", text_of("faults-laptop") + "# the end\n"
    path.write_text(text)
    write_fixes(path, FIXES, path)
    assert transpose(path) == {"v1": "yzx", "v2": "xyz"}
    lines = path.read_text().splitlines()
    assert [line for line in lines if line not in text.splitlines()] == [
        "  transpose:",
        "    v1: yzx",
        "    v2: xyz",
    ]
    assert set(text.splitlines()) <= set(lines)
    assert [one.name for one in tmp_path.iterdir()] == ["mine.yaml"]


def test_a_built_in_recipe_becomes_a_file(tmp_path: Path) -> None:
    write_fixes("faults-laptop", FIXES, tmp_path / "new.yaml")
    assert transpose(tmp_path / "new.yaml") == {"v1": "yzx", "v2": "xyz"}


def test_what_was_there_stays_behind_what_is_new(tmp_path: Path) -> None:
    """The first name that fits counts, so that a fix of one volume stands before a pattern."""
    path = tmp_path / "mine.yaml"
    path.write_text("extends: faults-laptop\ndata:\n  transpose: {v1: zyx, 'v*': xyz}\n")
    write_fixes(path, FIXES[:1], path)
    assert list(transpose(path).items()) == [("v1", "yzx"), ("v*", "xyz")]


def test_numbers_stay_numbers() -> None:
    text = fixed_text("name: a\ndata: {kind: folder}\n", [{"labels": {0: 0, 255: 1}}])
    assert text == "name: a\ndata: {kind: folder, labels: {0: 0, 255: 1}}\n"


def test_what_a_recipe_extends_is_named_from_its_new_place(tmp_path: Path) -> None:
    base, mine = tmp_path / "base" / "volumes.yaml", tmp_path / "base" / "mine.yaml"
    base.parent.mkdir()
    base.write_text(text_of("faults-laptop"))
    mine.write_text("# of volumes.yaml\nextends: volumes.yaml\n")
    target = tmp_path / "fixed" / "mine.yaml"
    write_fixes(mine, FIXES, target)
    assert "extends: ../base/volumes.yaml" in target.read_text()
    assert target.read_text().startswith("# of volumes.yaml\n")
    assert transpose(target) == {"v1": "yzx", "v2": "xyz"}


def test_another_file_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "there.yaml"
    path.write_text("mine")
    with pytest.raises(RecipeError, match=r"there\.yaml: is there already"):
        write_fixes("faults-laptop", FIXES, path)
    assert path.read_text() == "mine"


def test_a_fix_that_makes_no_sound_recipe_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="not written, the fix would make an invalid recipe"):
        write_fixes("steel-laptop", FIXES, tmp_path / "new.yaml")
    assert list(tmp_path.iterdir()) == []
