"""Samples of a stage, and what their batches are on the way to a device."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.data._utils.pin_memory import pin_memory

from lamina.training.stage.loading.loader import batches
from lamina.training.stage.loading.samples import Batch, epoch_of, stacked
from tests.factories.epochs import an_epoch, stage_data

CPU = torch.device("cpu")
RESTORE = (
    "task={kind: restore}",
    "data={kind: synthetic, job: denoise, count: 4, shape: [64, 96], seed: 5}",
    "loss=[{kind: mse}]",
    "monitor={kind: psnr}",
)


def test_another_epoch_draws_anew(tmp_path: Path) -> None:
    first, second = an_epoch(tmp_path, 0), an_epoch(tmp_path, 1)
    assert [draw.region for draw in first.draws] != [draw.region for draw in second.draws]


def test_an_epoch_by_itself_is_that_of_the_stage(tmp_path: Path) -> None:
    data = stage_data(tmp_path)
    own = data.epoch(1)
    made = own.samples
    cases = list(data._cases)
    other = epoch_of(made.recipe, made.task, cases, made.normalise, data.stage, 1)
    assert own.draws == other.draws
    assert np.array_equal(own[2].image, other[2].image)


def test_targets_of_0_and_1_travel_as_bytes_and_arrive_as_float32(tmp_path: Path) -> None:
    epoch = an_epoch(tmp_path, 0)
    (batch,) = batches(epoch, [[0, 1, 2]], workers=0)
    assert (batch.target.dtype, batch.valid.dtype) == (torch.uint8, torch.uint8)
    there = batch.on(CPU, torch.channels_last)
    assert there.image.is_contiguous(memory_format=torch.channels_last)
    assert there.target.is_contiguous(memory_format=torch.channels_last)
    assert there.valid is None  # since every pixel counts
    batch.valid[0, 0, 0, 0] = 0
    there = batch.on(CPU, torch.channels_last)
    for name in ("image", "target", "valid"):
        wanted = np.stack([getattr(epoch[number], name) for number in (0, 1, 2)])
        if name == "valid":
            wanted[0, 0, 0, 0] = 0
        value = getattr(there, name)
        assert value.dtype == torch.float32
        assert np.array_equal(value.numpy(), wanted), name
    assert batch.target.sum() > 0


class Copies(TorchDispatchMode):
    """Counts the tensors that are copied to another device."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(
        self, operator: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        self.count += kwargs.get("device") == torch.device("meta")
        return operator(*args, **kwargs)


@pytest.mark.parametrize(("left_out", "copies"), [(0, 2), (1, 3)])
def test_valid_is_copied_only_where_a_pixel_does_not_count(left_out: int, copies: int) -> None:
    valid = torch.ones(2, 1, 4, 4, dtype=torch.uint8)
    valid.view(-1)[:left_out] = 0
    batch = Batch(torch.zeros(2, 1, 4, 4), torch.zeros(2, 1, 4, 4, dtype=torch.uint8), valid)
    with Copies() as copied:
        there = batch.on(torch.device("meta"), torch.channels_last)
    assert copied.count == copies
    assert (there.valid is None) == (not left_out)


@pytest.mark.parametrize("value", [0.5, -1.0, 2.0, np.nan, np.inf])
def test_other_targets_stay_as_they_are(tmp_path: Path, value: float) -> None:
    sample = an_epoch(tmp_path, 0)[0]
    sample.target[0, 3, 3] = value
    batch = stacked([sample])
    assert batch.target.dtype == torch.float32
    assert np.array_equal(batch.target[0].numpy(), sample.target, equal_nan=True)
    assert batch.valid.dtype == torch.uint8


def test_a_loader_pins_every_part_of_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """A DataLoader pins what it knows, and whatever has a ``pin_memory`` of its own."""
    pinned = []
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda self: pinned.append(self) or self)
    batch = Batch(*(torch.zeros(1, 1, 2, 2) for _ in range(3)))
    result = pin_memory(batch)
    assert isinstance(result, Batch)
    assert [id(one) for one in pinned] == [id(batch.image), id(batch.target), id(batch.valid)]
