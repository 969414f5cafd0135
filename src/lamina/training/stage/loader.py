"""From draws to batches; every sample is named by (seed, stage, epoch, index)."""

from __future__ import annotations

import multiprocessing
import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.context import BaseContext
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from lamina.data.case import Case
from lamina.data.network_input.make_sample import make_sample
from lamina.data.network_input.normalise import AnyNormalise
from lamina.data.network_input.sample import Draw, Sample
from lamina.data.views.resized import resized
from lamina.recipe.recipe import Recipe
from lamina.recipe.stage import Stage
from lamina.seeding import rng
from lamina.task import Task

_IMPORTED_TO_READ = ("numba", "zarr", "lamina.data.transforms.lookup")
"""What reading and changing samples imports only when it is needed: once for all workers."""


@dataclass(frozen=True)
class Batch:
    """Stacked samples: image (B, C, H, W), target (B, K, H, W), valid (B, 1, H, W), float32."""

    image: Tensor
    target: Tensor
    valid: Tensor


@dataclass(frozen=True)
class Epoch(Dataset[Any]):
    """The samples of one epoch by number; made anew for each, so workers hold no state."""

    recipe: Recipe
    task: Task
    cases: Sequence[Case]
    normalise: AnyNormalise
    stage: str
    epoch: int
    draws: Sequence[Draw]

    def __len__(self) -> int:
        return len(self.draws)

    def __getitem__(self, index: int) -> Sample:
        draw = self.draws[index]
        return make_sample(
            self.cases[draw.case],
            draw,
            self.recipe.frame,
            self.normalise,
            self.recipe.transforms,
            self.task,
            rng(self.recipe.seed, self.stage, self.epoch, index),
        )


def epoch_of(
    recipe: Recipe,
    task: Task,
    cases: Sequence[Case],
    normalise: AnyNormalise,
    stage: Stage,
    epoch: int,
) -> Epoch:
    """Return the samples of epoch ``epoch`` (from 0) of ``stage``; ``cases`` have two axes."""
    restore = task.kind == "restore"
    cases = [resized(case, recipe.frame.resize, restore=restore) for case in cases]
    draws = stage.sampler.draws(
        cases,
        size=recipe.frame.size,
        batch=stage.batch,
        epoch=epoch,
        rng=rng(recipe.seed, stage.name, epoch, "draws"),
    )
    return Epoch(recipe, task, cases, normalise, stage.name, epoch, draws)


def batches(epoch: Epoch, groups: Sequence[list[int]], *, workers: int) -> Iterator[Batch]:
    """Yield the batches of ``groups`` in order, made by ``workers`` processes (0: in this one)."""
    with warnings.catch_warnings():  # too many workers are told once, by ``too_many_workers``
        warnings.filterwarnings("ignore", "This DataLoader will create", UserWarning)
        loader: DataLoader[Batch] = DataLoader(
            epoch,
            batch_sampler=groups,
            num_workers=workers,
            collate_fn=_stack,
            worker_init_fn=_one_thread,
            multiprocessing_context=_processes() if workers else None,
            generator=torch.Generator(),  # its own, so that resuming draws none from the global one
        )
        made = iter(loader)
    yield from made


def too_many_workers(workers: int | None) -> str:
    """Return a line about more loader processes than this process has cores; else ''."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    if workers is None or cores is None or workers <= cores:
        return ""
    return (
        f"--workers {workers}: more loader processes than the {cores} cores of this machine, which "
        f"may slow training down; {cores} or fewer suit it"
    )


def default_workers(device: torch.device) -> int:
    """Return how many loader processes suit this machine.

    On a CPU the network wants every core: two threads that share a core with a loader run four
    to six times slower, while a sample costs a tenth of its training step.
    """
    return 0 if device.type == "cpu" else max(min(8, (os.cpu_count() or 1) - 1), 0)


def _processes() -> BaseContext:
    # A fork of a clean server that has imported everything starts in milliseconds, and inherits
    # neither threads nor the GPU; systems without fork import anew.
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, *_IMPORTED_TO_READ])
    return context


def _stack(samples: list[Sample]) -> Batch:
    return Batch(
        *(
            torch.from_numpy(np.stack([getattr(sample, name) for sample in samples]))
            for name in ("image", "target", "valid")
        )
    )


def _one_thread(worker: int) -> None:
    del worker
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
