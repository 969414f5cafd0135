"""TRUST-10: weights of an earlier training by ``network.weights``: the rule of ``--start``."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from lamina.bundle import Bundle
from lamina.errors import LeakError
from lamina.files import read_json
from lamina.recipe.recipe import Recipe
from lamina.training.run import train
from lamina.training.sources.weights_file import BEHIND, TrainedFile, record_weights, trained_files
from tests.factories.training import known, steel_recipe, unlabelled


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data and a run on them."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("weights")
    train(steel_recipe(folder), data=known(folder), out=folder / "run")
    return folder


def beginning(folder: Path, path: Path, *changes: str) -> Recipe:
    return steel_recipe(folder, f"network.weights={path}", "train.optimizer.lr=1e-12", *changes)


def of_fold(folder: Path, fold: int) -> list[Path]:
    """Return where the weights of a fold lie: in the bundle, and as the run's checkpoint."""
    row = read_json(folder / "run" / f"fold{fold}" / "member.json")
    return [
        folder / "run" / "bundle" / "members" / f"fold{fold}.safetensors",
        folder / "run" / f"fold{fold}" / row["member"],
    ]


def only(path: Path, asked: Recipe) -> TrainedFile:
    (found,) = trained_files(asked)
    assert found.path == path
    return found


def test_a_member_starts_only_the_fold_that_it_held_out(folder: Path, tmp_path: Path) -> None:
    for path in of_fold(folder, 0):
        asked = beginning(folder, path)
        with pytest.raises(LeakError, match=r"seen 4 of 4 cases that fold 1 holds out.*--start"):
            train(asked, data=folder / "known", out=tmp_path / "all")
    done = train(asked, data=folder / "known", out=tmp_path / "one", folds=[0])
    assert [row.fold for row in done.folds] == [0]


def test_other_folds_of_the_same_images_are_refused_under_any_name(
    folder: Path, tmp_path: Path
) -> None:
    data = shutil.copytree(folder / "known", tmp_path / "renamed")
    table = (data / "train.csv").read_text()
    for path in sorted((data / "train_images").iterdir()):
        path.rename(path.with_name(f"new_{path.name}"))
        table = table.replace(path.name, f"new_{path.name}")
    (data / "train.csv").write_text(table)
    member = of_fold(folder, 0)[0]
    with pytest.raises(LeakError, match=r"new_\S+ \(there "):
        train(beginning(folder, member, "split.seed=2"), data=data, out=tmp_path / "run")


def test_new_images_may_start_from_it_and_the_bundle_remembers_the_old_ones(
    folder: Path, tmp_path: Path
) -> None:
    asked = beginning(folder, of_fold(folder, 1)[0], "train.ema=null")
    train(asked, data=unlabelled(tmp_path), out=tmp_path / "run", folds=[0])
    old = Bundle.load(folder / "run" / "bundle").weights(1)
    bundle = Bundle.load(tmp_path / "run" / "bundle")
    for name, value in bundle.weights(0).items():
        if "running" not in name and value.is_floating_point():
            torch.testing.assert_close(value, old[name])
    earlier = {id for id, case in bundle.cases.items() if case.labels == "behind"}
    assert len(earlier) == 8
    assert all(id.startswith("weights/") for id in earlier)
    # where the file is gone, the run still knows
    gone = beginning(folder, tmp_path / "gone.safetensors")
    assert set(record_weights(tmp_path / "run", gone, [], {})) == earlier
    assert set(read_json(tmp_path / "run" / BEHIND)) == earlier


def test_only_files_of_a_training_that_are_used_count(folder: Path, tmp_path: Path) -> None:
    member, checkpoint = of_fold(folder, 1)
    assert only(member, beginning(folder, member)).fold == 1
    assert only(checkpoint, beginning(folder, checkpoint)).fold == 1
    copy = shutil.copy(member, tmp_path / "copy.safetensors")
    assert trained_files(beginning(folder, Path(copy))) == []
    assert trained_files(steel_recipe(folder)) == []
    assert trained_files(beginning(folder, member, "stages.main.start=bundle")) == []
    fusion = f"network={{kind: slice_fusion, window: 1, step: 1, network: {{weights: {member}}}}}"
    assert only(member, steel_recipe(folder, fusion)).fold == 1
