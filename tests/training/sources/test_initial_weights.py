"""Stages that start from a bundle: the right member for each fold, or none that has seen it."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from lamina.bundle import Bundle
from lamina.bundle.tensors import fill_what_fits
from lamina.errors import BundleError, LeakError, RecipeError
from lamina.files import digest
from lamina.prediction.run import predict
from lamina.recipe.recipe import Recipe
from lamina.recipe.stage import Stage
from lamina.training.dataset import open_data
from lamina.training.run import train
from lamina.training.sources.initial_weights import Start, open_start
from tests.factories.discs import discs, quick
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


def test_work_18_other_classes_start_with_what_fits_and_what_is_left_out_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Three classes in place of one: all but the head is that of the bundle; the error says how."""
    data = discs(tmp_path / "data", count=4)
    train(quick(tmp_path), data=data, out=tmp_path / "run")
    new = discs(tmp_path / "new", count=4, first=50)
    classes = (
        "task={kind: multilabel, names: [a, b, c]}",
        "data.labels={0: 0, 255: 1}",
        "train.start=bundle",
        "train.optimizer.lr=1e-12",
    )
    refused = quick(tmp_path, *classes)
    with pytest.raises(BundleError, match="start_with to what_fits or encoder"):
        train(refused, data=new, out=tmp_path / "no", start=tmp_path / "run")
    capsys.readouterr()
    asked = quick(tmp_path, *classes, "train.start_with=what_fits")
    train(asked, data=new, out=tmp_path / "next", start=tmp_path / "run")
    said = capsys.readouterr().err
    before = Bundle.load(tmp_path / "run" / "bundle").weights(0)
    after = Bundle.load(tmp_path / "next" / "bundle").weights(0)
    other = [name for name in after if after[name].shape != before[name].shape]
    assert other
    for name in after:
        if name in other:
            assert f"{name} {tuple(after[name].shape)}: {tuple(before[name].shape)} in" in said
        else:
            torch.testing.assert_close(after[name], before[name])
    count = len(after)
    assert f"fold 0 main: {count - len(other)} of {count} tensors from" in said


def test_work_18_the_encoder_alone_may_be_taken_for_another_decoder(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = unlabelled(tmp_path)
    other = steel_recipe(
        folder,
        FROM,
        "train.start_with=encoder",
        "network.decoder.decoder_channels=[16, 8, 4]",
        "train.optimizer.lr=1e-12",
        "train.ema=null",
    )
    train(other, data=data, out=tmp_path / "run", start=folder / "run", folds=[0])
    said = capsys.readouterr().err
    before = Bundle.load(folder / "run" / "bundle").weights(0)
    after = Bundle.load(tmp_path / "run" / "bundle").weights(0)
    for name, value in after.items():
        if name.startswith("encoder.") and value.is_floating_point() and "running" not in name:
            torch.testing.assert_close(value, before[name])
        elif not name.startswith("encoder."):
            assert f"{name} {tuple(value.shape)}: not of the encoder" in said


def test_work_18_nothing_that_fits_is_refused_and_start_with_needs_a_bundle() -> None:
    one, two = torch.nn.Linear(2, 3), torch.nn.Linear(4, 5)
    with pytest.raises(BundleError, match="none of its 2 tensors fits the network"):
        fill_what_fits(one, two.state_dict(), "file")
    with pytest.raises(RecipeError, match="start_with is encoder, which is for weights of a bund"):
        Stage(epochs=1, start_with="encoder")


def test_work_18_other_channels_start_with_all_but_the_first_layer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = discs(tmp_path / "data", count=4)
    train(quick(tmp_path), data=data, out=tmp_path / "run")
    colour = discs(tmp_path / "colour", count=4, first=50)
    for path in (colour / "images").iterdir():
        cv2.imwrite(str(path), cv2.imread(str(path)) // np.array([1, 2, 3], np.uint8))
    capsys.readouterr()
    asked = quick(tmp_path, "frame.channels=3", "train.start=bundle", "train.start_with=what_fits")
    train(asked, data=colour, out=tmp_path / "next", start=tmp_path / "run", folds=[0])
    said = capsys.readouterr().err
    before = Bundle.load(tmp_path / "run" / "bundle").weights(0)
    after = Bundle.load(tmp_path / "next" / "bundle").weights(0)
    (first,) = [name for name in after if after[name].shape != before[name].shape]
    assert f"{first} {tuple(after[first].shape)}: {tuple(before[first].shape)} in the file" in said
    assert f"fold 0 main: {len(after) - 1} of {len(after)} tensors from" in said
