"""From a folder to a recipe: for every layout it is checked and trained; nothing is left behind."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest

from lamina.errors import LayoutError, RecipeError
from lamina.plan.fingerprint.measure import Wishes, fingerprint
from lamina.plan.fit import fitted
from lamina.plan.layouts import chosen
from lamina.plan.probe import _measured
from lamina.plan.rules import Dims, Wanted
from lamina.plan.run import _choice, complete, plan
from lamina.plan.summary import header
from lamina.plan.tree import Tree
from lamina.plan.write import recipe_text
from lamina.recipe.load import check_networks, load_recipe
from lamina.recipe.recipe import Recipe
from lamina.training.run import train
from tests.factories.data_folders import TREES, folder, tiff_volume
from tests.factories.facts import CPU

QUICK = ("folder", "severstal", "nnunet", "images_only")
"""Trees that are tried in every run of the tests; the others take longer."""


VOLUMES = ("tiff_volume", "faults", "noise", "nifti", "zarr_stores", "hdf5", "segy", "dicom")
"""Trees of volumes: blocks are planned for each, of the first in every run of the tests."""


def planned(root: Path, dims: Dims = "auto") -> tuple[str, Any, Any]:
    """Return the recipe of a folder, with its steps tried in this process."""
    tree = Tree.of(root)
    facts = fingerprint(tree, chosen(tree, None), Wishes())
    settings, fit = fitted(facts, CPU, Wanted(minutes=0.5, dims=dims), root, _measured)
    return recipe_text(settings, header(facts, CPU, Wanted())), settings, fit


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name in QUICK else [pytest.mark.slow]) for name in TREES],
)
def test_every_layout_becomes_a_recipe_that_trains(tmp_path: Path, name: str) -> None:
    """The probe takes real training steps and validates a real case."""
    TREES[name][0](tmp_path / "data")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "data").rglob("*")}
    text, settings, fit = planned(tmp_path / "data")
    path = tmp_path / "recipe.yaml"
    path.write_text(text, encoding="utf-8")
    recipe = load_recipe(path)
    assert recipe == Recipe.model_validate(complete(settings))
    check_networks(recipe)
    assert fit.probed.step > 0
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "data").rglob("*")} == before
    values = [line for line in text.splitlines() if ": " in line and not line.startswith("#")]
    assert all(" # " in line for line in values)


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] if k else []) for k, name in enumerate(VOLUMES)],
)
def test_blocks_are_planned_for_every_layout_of_volumes(tmp_path: Path, name: str) -> None:
    """The probe takes real training steps of the network of three axes."""
    TREES[name][0](tmp_path / "data")
    text, settings, fit = planned(tmp_path / "data", "3d")
    path = tmp_path / "recipe.yaml"
    path.write_text(text, encoding="utf-8")
    recipe = load_recipe(path)
    assert len(recipe.frame.size) == 3
    assert recipe == Recipe.model_validate(complete(settings))
    check_networks(recipe)
    assert fit.probed.step > 0
    assert fit.probed.validation > 0


def test_the_order_of_files_changes_nothing(tmp_path: Path) -> None:
    folder(tmp_path / "a" / "data")
    (tmp_path / "b").mkdir()
    for path in sorted((tmp_path / "a" / "data").rglob("*.png"), reverse=True):
        copy = tmp_path / "b" / path.relative_to(tmp_path / "a")
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    facts = [
        fingerprint(tree, chosen(tree, None), Wishes())
        for tree in (Tree.of(tmp_path / name / "data") for name in "ab")
    ]
    assert facts[0] == facts[1]


@pytest.mark.slow
def test_a_planned_recipe_is_written_once_and_trained(tmp_path: Path) -> None:
    folder(tmp_path / "data")
    out = tmp_path / "mine.yaml"
    found = plan(tmp_path / "data", minutes=0.2, out=out)
    assert out.read_text(encoding="utf-8") == found.text
    about = json.loads((tmp_path / "mine.facts.json").read_text(encoding="utf-8"))
    assert about["facts"]["cases"] == 6
    assert (
        found.command == f"lamina train {out} --data {tmp_path / 'data'} --out runs/mine --folds 0"
    )
    assert str(found).splitlines()[-1] == found.command
    assert found.doing_nothing == 0
    with pytest.raises(RecipeError, match="is there already"):
        plan(tmp_path / "data", out=out)
    recipe = load_recipe(out, ["train.epochs=1", "train.sampler.count=8"])
    assert train(recipe, data=tmp_path / "data", out=tmp_path / "run", folds=[0]).folds


def test_every_way_that_is_named_can_be_chosen(tmp_path: Path) -> None:
    """With two images beside a label volume the name of a way holds a plus."""
    tiff_volume(tmp_path)
    shutil.copy(tmp_path / "raw.tif", tmp_path / "other.tif")
    with pytest.raises(LayoutError, match="2 ways") as caught:
        plan(tmp_path)
    commands = [line for line in str(caught.value).splitlines() if "--layout" in line]
    choices = [_choice(shlex.split(line)[-1]) for line in commands]
    assert choices == [("volumes/other.tif+rods.tif", None), ("volumes/raw.tif+rods.tif", None)]
    for name, _ in choices:
        assert chosen(Tree.of(tmp_path), name).choice == name
    both = "volumes/raw.tif+rods.tif+ignore255"
    assert _choice(both) == ("volumes/raw.tif+rods.tif", "ignore255")


def test_what_cannot_be_planned_is_refused(tmp_path: Path) -> None:
    folder(tmp_path / "data")
    with pytest.raises(RecipeError, match="lies in the data folder, which is only read"):
        plan(tmp_path / "data", out=tmp_path / "data" / "r.yaml")
    with pytest.raises(RecipeError, match="--dims is '4d'"):
        plan(tmp_path / "data", dims="4d")
    with pytest.raises(RecipeError, match="--minutes is 0"):
        plan(tmp_path / "data", minutes=0)
    shutil.copytree(tmp_path / "data" / "masks", tmp_path / "data" / "labels")
    with pytest.raises(LayoutError, match="2 ways") as caught:
        plan(tmp_path / "data")
    assert caught.value.exit_code == 3
