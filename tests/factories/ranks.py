"""Processes that share a training, forked from a server that has imported everything."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from lamina.data.index.index import DataIndex
from lamina.errors import LaminaError
from lamina.progress import Level, showing
from lamina.recipe.recipe import Recipe
from lamina.training.devices.children.child import train_fold_of
from lamina.training.devices.children.messages import Setup, Work
from lamina.training.devices.failures import Failed
from lamina.training.devices.ranks import Ranks, RankSetup, joined
from lamina.training.run_folder import locked
from lamina.training.saving.state import Saving
from lamina.training.sources.prepared_run import prepare_run
from lamina.training.stage.signals import Stop
from lamina.training.train_result import FoldResult
from tests.factories.processes import PROCESSES

CPU = torch.device("cpu")


def _work(rank: int, size: int, meeting: str, told: Any, act: Any, args: Sequence[Any]) -> None:
    torch.set_num_threads(1)
    try:
        with joined(RankSetup(rank, size, meeting), CPU) as ranks:
            told.put((rank, act(ranks, *args)))
    except LaminaError as error:
        told.put((rank, Failed.of(error)))
    except BaseException:  # noqa: BLE001 - the test tells it
        told.put((rank, traceback.format_exc()))
    else:
        return
    told.close()
    told.join_thread()
    os._exit(1)


class Team:
    """So many ranks that run a function of a module, each in its process."""

    def __init__(self, size: int, folder: Path, act: Callable[..., Any], *args: Any) -> None:
        self.told = PROCESSES.Queue()
        meeting = str(folder / f"meeting-{os.urandom(4).hex()}")
        self.processes = [
            PROCESSES.Process(target=_work, args=(rank, size, meeting, self.told, act, args))
            for rank in range(size)
        ]
        for process in self.processes:
            process.start()

    def results(self, count: int | None = None) -> dict[int, Any]:
        """What ranks return, or the errors that they raise, of the first that say it."""
        found = dict(self.told.get(timeout=120) for _ in range(count or len(self.processes)))
        for process in self.processes:
            process.join(60)
        return {
            rank: one.error() if isinstance(one, Failed) else one for rank, one in found.items()
        }


def on_ranks(size: int, folder: Path, act: Callable[..., Any], *args: Any) -> list[Any]:
    """Return what a function returns on each rank; what it raises is raised."""
    found = Team(size, folder, act, *args).results()
    for one in found.values():
        if isinstance(one, Exception):
            raise one
        assert not isinstance(one, str) or "Traceback" not in one, one
    return [found[rank] for rank in range(size)]


def work_of(recipe: Recipe, data: Path, out: Path, fold: int = 0) -> Work:
    """Return the work of a fold of a run that is begun in ``out``."""
    with locked(out), showing(Level.QUIET):
        run = prepare_run(
            recipe,
            data,
            out,
            folds=None,
            accept_changes=False,
            pseudo=None,
            start=None,
            index=DataIndex(None),
        )
        return Work(fold, run.fold(fold), 0.0, None)


def fold_on(ranks: Ranks, work: Work, save_minutes: float = 5.0) -> FoldResult:
    """Train a fold as one of several ranks, or alone."""
    saving = Saving(save_minutes)
    setup = Setup("cpu", "cpu:0", ranks.size, 0, saving, online=False, level=Level.QUIET)
    stop = Stop()
    with showing(Level.QUIET), stop.listening():
        return train_fold_of(setup, work, stop, ranks, lambda message: None)
