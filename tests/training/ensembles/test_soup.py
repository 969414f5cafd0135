"""The mean of weights against torch, and its batch statistics against means by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from lamina.files import read_json
from lamina.training.dataset import open_data
from lamina.training.devices.ranks import Ranks
from lamina.training.ensembles.soup import _by_itself, mean_of
from lamina.training.run import train
from lamina.training.stage.loading.loader import batches
from lamina.training.stage.loading.samples import epoch_of
from tests.factories.ranks import on_ranks
from tests.factories.training import tiny


def test_the_mean_is_that_of_every_tensor_and_counters_are_the_first_ones(tmp_path: Path) -> None:
    paths, values = [], [torch.randn(3, 4, generator=torch.Generator().manual_seed(0))]
    values += [values[0] * 3 + 1, values[0] - 2]
    for number, value in enumerate(values):
        paths.append(tmp_path / f"{number}.safetensors")
        save_file({"w": value, "steps": torch.tensor(number + 5)}, paths[-1])
    found = mean_of(paths)
    torch.testing.assert_close(found["w"], torch.stack(values).mean(0))
    assert found["steps"] == 5


def test_a_stage_leaves_the_mean_of_its_best_with_statistics_of_its_own(tmp_path: Path) -> None:
    recipe = tiny(tmp_path, "train.epochs=2", "train.keep=2", "train.member=soup", "train.ema=null")
    train(recipe, data=tmp_path, out=tmp_path / "run", folds=(0,))
    fold = tmp_path / "run" / "fold0"
    row = read_json(fold / "member.json")
    assert (row["name"], row["member"]) == ("fold0", "main/soup.safetensors")
    soup = load_file(fold / row["member"])
    epochs = [load_file(fold / "main" / f"epoch-000{n}.safetensors") for n in (0, 1)]
    for name, value in soup.items():
        if "running" not in name and value.is_floating_point():
            torch.testing.assert_close(value, (epochs[0][name] + epochs[1][name]) / 2)

    opened, stage = open_data(recipe, tmp_path), recipe.stages[0]
    normalise = recipe.frame.normalise
    samples = epoch_of(opened.recipe, opened.task, opened.training(0), normalise, stage, 2)
    groups = stage.sampler.groups(len(samples), stage.batch)
    means, spreads = [], []
    for batch in batches(samples, groups, workers=0):
        answer = torch.nn.functional.conv2d(
            batch.image, soup["encoder.model.conv1.0.weight"], stride=2, padding=1
        )
        means.append(answer.mean((0, 2, 3)))
        spreads.append(answer.var((0, 2, 3)))
    first = "encoder.model.conv1.1.running"
    for name, wanted in (("mean", means), ("var", spreads)):
        torch.testing.assert_close(
            soup[f"{first}_{name}"], torch.stack(wanted).mean(0), rtol=1e-4, atol=1e-5
        )


def _statistics(ranks: Ranks) -> bool:
    """Whether the main rank takes batch statistics without the other one."""
    if not ranks.is_main:
        return True
    one, other = nn.SyncBatchNorm(3), nn.BatchNorm2d(3)
    x = torch.randn(2, 3, 4, 4)
    with pytest.raises(ValueError, match="SyncBatchNorm"):
        one(x)  # that of all ranks: of GPUs alone
    one.reset_running_stats()
    with _by_itself([one, other]):
        torch.testing.assert_close(one(x), other(x))
    states = [norm.state_dict() for norm in (one, other)]
    return "forward" not in vars(one) and all(
        torch.equal(v, states[1][k]) for k, v in states[0].items()
    )


@pytest.mark.slow
def test_norms_that_ranks_share_take_the_statistics_of_the_main_rank_alone(tmp_path: Path) -> None:
    assert on_ranks(2, tmp_path, _statistics) == [True, True]
