"""Distances of voxels that the command line says become those of the recipe."""

from __future__ import annotations

from pathlib import Path

import pytest

from lamina.errors import DataError, RecipeError
from lamina.plan.fingerprint.facts import Facts
from lamina.plan.fingerprint.measure import Wishes, fingerprint
from lamina.plan.layouts import chosen
from lamina.plan.rules import Wanted, settings_of
from lamina.plan.run import complete
from lamina.plan.tree import Tree
from lamina.recipe.recipe import Recipe
from tests.factories.data_folders import dicom, nifti, segy, tiff_volume
from tests.factories.facts import CPU


def facts_of(root: Path, wishes: Wishes) -> Facts:
    tree = Tree.of(root)
    return fingerprint(tree, chosen(tree, None), wishes)


def test_they_are_written_into_the_recipe_as_z_y_x(tmp_path: Path) -> None:
    tiff_volume(tmp_path / "a")
    facts = facts_of(tmp_path / "a", Wishes(spacing=(50, 4.6, 4.6)))
    assert (facts.axes, facts.spacing) == ("zyx", (50, 4.6, 4.6))
    assert facts.data["spacing"] == [50, 4.6, 4.6]
    assert facts.uneven == ("zy", "zx")
    (why,) = (one.why for one in settings_of(facts, CPU, Wanted()) if one.key == "data.spacing")
    assert why == "along z, y and x, as --spacing says"
    recipe = Recipe.model_validate(
        complete(settings_of(facts, CPU, Wanted())) | {"stages": [{"epochs": 1}]}
    )
    assert recipe.data.model_dump()["spacing"] == (50, 4.6, 4.6)
    nifti(tmp_path / "b")
    facts = facts_of(tmp_path / "b", Wishes(spacing=(1.5, 1, 4)))
    assert (facts.axes, facts.spacing) == ("xyz", (1.5, 1, 4))
    assert facts.data["spacing"] == [4, 1, 1.5]
    assert facts.cut == "z"


def test_the_coarse_axis_is_the_one_that_is_said(tmp_path: Path) -> None:
    tiff_volume(tmp_path)
    assert facts_of(tmp_path, Wishes(spacing=(1, 1, 9))).cut == "x"


def test_what_files_say_is_compared_for_turns(tmp_path: Path) -> None:
    dicom(tmp_path)
    facts = facts_of(tmp_path, Wishes())
    assert "spacing" not in facts.data
    assert len(facts.uneven) == 3  # 2.5 x 0.5 x 0.75


def test_lines_and_milliseconds_are_not_compared(tmp_path: Path) -> None:
    """Four milliseconds are not further apart than two lines are: no time slices are seen."""
    segy(tmp_path)
    facts = facts_of(tmp_path, Wishes())
    assert (facts.axes, facts.spacing, facts.cut, facts.time) == ("zyx", None, "z", "x")
    assert facts.uneven == ("zy", "zx", "yx")
    said = facts_of(tmp_path, Wishes(spacing=(25, 12.5, 10)))
    assert (said.spacing, said.data["spacing"], said.cut) == ((25, 12.5, 10), [25, 12.5, 10], "z")


def test_they_are_said_once_and_for_each_axis(tmp_path: Path) -> None:
    tiff_volume(tmp_path)
    with pytest.raises(DataError, match="--spacing has 2 numbers"):
        facts_of(tmp_path, Wishes(spacing=(1, 1)))
    wishes = Wishes(spacing=(1, 1, 1), data={"spacing": [2, 1, 1]})
    with pytest.raises(RecipeError, match="both say how far voxels are apart"):
        facts_of(tmp_path, wishes)
