"""Stages that start from a bundle: the right member for each fold, or none that has seen it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from lamina.bundle import Bundle
from lamina.errors import BundleError, LeakError, RecipeError
from lamina.files import digest
from lamina.prediction.run import predict
from lamina.recipe.recipe import Recipe
from lamina.training.dataset import open_data
from lamina.training.run import train
from lamina.training.sources.initial_weights import Start, open_start
from tests.factories.training import known, steel_recipe, unlabelled

FROM = "stages.main.start=bundle"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data and a run on them."""
    folder = tmp_path_factory.mktemp("start")
    train(steel_recipe(folder), data=known(folder), out=folder / "run")
    return folder


def begin(asked: Recipe, data: Path, run: Path | None) -> Start:
    opened = open_data(asked, data)
    rows = {case.id: {"sha256": [digest(Path(case.files[0]))]} for case in opened.cases}
    return open_start(asked, run, opened, rows, [0, 1])


def test_a_fold_starts_from_the_member_that_held_the_same_cases_out(folder: Path) -> None:
    found = begin(steel_recipe(folder, FROM), folder / "known", folder / "run")
    assert found.numbers == {0: 0, 1: 1}
    assert found.known({}) != {}


def test_other_folds_of_the_same_images_are_refused_under_any_name(
    folder: Path, tmp_path: Path
) -> None:
    other = steel_recipe(folder, FROM, "split.seed=2")
    with pytest.raises(
        LeakError, match=r"no leak-free starting weights for fold 0.*fold0 has seen"
    ):
        begin(other, folder / "known", folder / "run")
    shutil.copytree(folder / "known", tmp_path / "renamed")
    names = tmp_path / "renamed" / "train.csv"
    table = names.read_text()
    for path in sorted((tmp_path / "renamed" / "train_images").iterdir()):
        path.rename(path.with_name(f"new_{path.name}"))
        table = table.replace(path.name, f"new_{path.name}")
    names.write_text(table)
    with pytest.raises(LeakError, match="such as 'new_"):
        begin(other, tmp_path / "renamed", folder / "run")


def test_new_images_may_start_from_any_member_and_the_bundle_remembers_the_old_ones(
    folder: Path, tmp_path: Path
) -> None:
    data = unlabelled(tmp_path)
    asked = steel_recipe(folder, FROM, "train.optimizer.lr=1e-12", "train.ema=null")
    train(asked, data=data, out=tmp_path / "run", start=folder / "run" / "bundle")
    before, after = Bundle.load(folder / "run" / "bundle"), Bundle.load(tmp_path / "run" / "bundle")
    for number in (0, 1):
        old, new = before.weights(number), after.weights(number)
        for name, value in old.items():
            if "running" not in name and value.is_floating_point():
                torch.testing.assert_close(new[name], value)
    behind = [case for case in after.cases.values() if case.labels == "behind"]
    assert (len(after.cases), len(behind)) == (4 + 8, 8)
    summary = predict(
        [tmp_path / "run"], [folder / "known" / "train_images"], tmp_path / "pred", device="cpu"
    )
    assert summary.known == {"seen": 8}
    with pytest.raises(RecipeError, match="began from another bundle"):
        train(asked, data=data, out=tmp_path / "run", start=tmp_path / "run" / "bundle")


def test_the_option_and_the_recipe_must_agree(folder: Path) -> None:
    with pytest.raises(RecipeError, match="starts from a bundle; name one by --start"):
        begin(steel_recipe(folder, FROM), folder / "known", None)
    with pytest.raises(RecipeError, match=r"no stage uses it.*stages\.main\.start=bundle"):
        begin(steel_recipe(folder), folder / "known", folder / "run")
    assert begin(steel_recipe(folder), folder / "known", None).of(0) is None


def test_weights_of_another_network_are_refused_with_the_differences(
    folder: Path, tmp_path: Path
) -> None:
    other = steel_recipe(folder, FROM, "network.decoder.decoder_channels=[16, 8, 4]")
    with pytest.raises(BundleError, match="do not belong to the recipe's network"):
        train(other, data=folder / "known", out=tmp_path / "run", start=folder / "run")
