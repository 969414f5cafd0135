"""The samples of a stage and batches of them; each is named by (seed, stage, epoch, index)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from lamina.data.case import Case
from lamina.data.network_input.make_sample import make_sample
from lamina.data.network_input.normalise import AnyNormalise
from lamina.data.network_input.sample import Draw, Sample
from lamina.data.views.resized import resized
from lamina.recipe.recipe import Recipe
from lamina.recipe.stage import Stage
from lamina.seeding import rng
from lamina.task import Task


@dataclass(frozen=True)
class Batch:
    """Stacked samples: image (B, C, H, W), target (B, K, H, W), valid (B, 1, H, W).

    Of blocks all have a depth D before H. The image is float32. Target and valid are uint8 where
    every value is 0 or 1, a quarter of the bytes on the way to a device, else float32; ``on`` gives
    float32.
    """

    image: Tensor
    target: Tensor
    valid: Tensor

    def pin_memory(self) -> Batch:
        """Return the batch in memory that GPUs copy from by themselves; loaders call it."""
        return Batch(*(part.pin_memory() for part in (self.image, self.target, self.valid)))

    def on(self, device: torch.device, layout: torch.memory_format) -> DeviceBatch:
        """Return the batch on a device, float32; image and target in a memory layout.

        Bytes are copied as they are, without waiting where they are pinned, and converted there.
        Where every pixel counts, which the host's copy says, ``valid`` is not copied.
        """
        image, target = (part.to(device, non_blocking=True) for part in (self.image, self.target))
        # One memory layout for answer and target: a mixed pair costs the loss twice its time.
        image, target = (part.to(torch.float32, memory_format=layout) for part in (image, target))
        if bool(self.valid.numpy().all()):
            return DeviceBatch(image, target, None)
        return DeviceBatch(image, target, self.valid.to(device, non_blocking=True).float())


class DeviceBatch(NamedTuple):
    """A batch on a device, all of it float32."""

    image: Tensor
    target: Tensor
    valid: Tensor | None
    """None: every pixel counts."""


Request = tuple[int, int, Draw]
"""What names a sample of a stage: the number of the epoch, of the sample in it, and its draw."""


@dataclass(frozen=True)
class StageSamples(Dataset[Any]):
    """The samples of one stage, in all its epochs; it holds no state."""

    recipe: Recipe
    task: Task
    cases: Sequence[Case]
    """As the stage sees them, without the places of their classes."""
    normalise: AnyNormalise
    stage: str

    def __getitem__(self, request: Request) -> Sample:
        epoch, number, draw = request
        return make_sample(
            self.cases[draw.case],
            draw,
            self.recipe.frame,
            self.normalise,
            self.recipe.transforms,
            self.task,
            rng(self.recipe.seed, self.stage, epoch, number),
        )


@dataclass(frozen=True)
class Epoch(Dataset[Any]):
    """The samples of one epoch by number."""

    samples: StageSamples
    number: int
    draws: Sequence[Draw]

    def __len__(self) -> int:
        return len(self.draws)

    def __getitem__(self, index: int) -> Sample:
        return self.samples[self.request(index)]

    def request(self, index: int) -> Request:
        """Return what names a sample to whoever makes it."""
        return self.number, index, self.draws[index]


class StageData:
    """What a stage draws from: prepared once, for all its epochs."""

    def __init__(
        self,
        recipe: Recipe,
        task: Task,
        cases: Sequence[Case],
        normalise: AnyNormalise,
        stage: Stage,
    ) -> None:
        """Take the cases of a fold as the stage sees them."""
        restore = task.kind == "restore"
        self._cases = [resized(case, recipe.frame.resize, restore=restore) for case in cases]
        bare = [replace(case, places=None) for case in self._cases]  # loader processes need none
        self._samples = StageSamples(recipe, task, bare, normalise, stage.name)
        self.stage = stage

    def epoch(self, number: int) -> Epoch:
        """Return the samples of an epoch, counted from 0."""
        recipe, stage = self._samples.recipe, self.stage
        draws = stage.sampler.draws(
            self._cases,
            size=recipe.frame.size,
            batch=stage.batch,
            epoch=number,
            rng=rng(recipe.seed, stage.name, number, "draws"),
        )
        return Epoch(self._samples, number, draws)


def epoch_of(
    recipe: Recipe,
    task: Task,
    cases: Sequence[Case],
    normalise: AnyNormalise,
    stage: Stage,
    epoch: int,
) -> Epoch:
    """Return the samples of epoch ``epoch`` (from 0) of ``stage``; ``cases`` as it sees them."""
    return StageData(recipe, task, cases, normalise, stage).epoch(epoch)


def stacked(samples: Sequence[Sample]) -> Batch:
    """Return samples of one shape as a batch."""
    image, target, valid = (
        np.stack([getattr(sample, name) for sample in samples])
        for name in ("image", "target", "valid")
    )
    return Batch(*(torch.from_numpy(part) for part in (image, _packed(target), _packed(valid))))


def _packed(values: NDArray[np.float32]) -> NDArray[Any]:
    """Return values that are all 0 or 1 as uint8; others as they are."""
    ones: NDArray[np.bool_] = values == 1
    if np.count_nonzero(ones) + np.count_nonzero(values == 0) < values.size:
        return values
    return ones.view(np.uint8)
