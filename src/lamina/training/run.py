"""From a recipe and data to a bundle: fold after fold, stage after stage."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from lamina import files
from lamina.errors import RecipeError
from lamina.log import keep_log
from lamina.model.weights import downloads
from lamina.prediction.tiling.memory import keep_memory
from lamina.prediction.tiling.precision import choose, choose_device, name_of
from lamina.progress import say
from lamina.public import StrPath, as_path, at_least
from lamina.recipe.recipe import Recipe
from lamina.refusals import verb
from lamina.training.dataset import index_of
from lamina.training.devices.complete_fold import complete_fold
from lamina.training.devices.names import DeviceName, devices_of, refuse_missing
from lamina.training.devices.spread import FoldSpread
from lamina.training.process_state import (
    deterministic_algorithms,
    own_accelerator,
    own_random_state,
    refuse_launcher,
)
from lamina.training.run_folder import environment, locked
from lamina.training.sources.prepared_run import PreparedRun, prepare_run
from lamina.training.stage.context import FoldContext
from lamina.training.stage.loader import default_workers, too_many_workers
from lamina.training.stage.signals import Stop
from lamina.training.stage.time_limit import Clock
from lamina.training.stage.trackers import tracker
from lamina.training.train_result import TrainResult


@verb
def train(
    recipe: Recipe,
    *,
    data: StrPath,
    out: StrPath,
    folds: Sequence[int] | None = None,
    device: str = "auto",
    devices: str | Sequence[str] | None = None,
    workers: int | None = None,
    save_minutes: float = 10.0,
    max_minutes: float | None = None,
    track: Sequence[str] = (),
    accept_changes: bool = False,
    pseudo: StrPath | None = None,
    start: StrPath | None = None,
    online: bool = False,
    index: StrPath | None = None,
    verify_data: bool = False,
) -> TrainResult:
    """Train the recipe's folds on the data and write the run folder with its bundle.

    A run folder that an interrupted run left goes on where it stopped. The bundle holds the
    members of all folds finished so far.

    Args:
        recipe: What to do.
        data: The folder that holds the data; only read.
        out: The run folder.
        folds: Only these folds; None: all of the split.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.
        devices: Several, such as ``"0,1"`` or ``"cpu:4"``; None: ``device``.
        workers: Loader processes; None: as suits the machine.
        save_minutes: The state is saved every epoch and at least this often, in minutes.
        max_minutes: End the training of all folds after about so many minutes, those before an
            interruption included, with the best weights so far; None: train every epoch.
        track: Trackers of accelerate besides ``metrics.jsonl``: tensorboard, wandb, mlflow.
        accept_changes: Go on although stages or decisions of the recipe changed.
        pseudo: A folder of ``lamina pseudo`` for the stages that mix its labels in.
        start: A bundle or run folder for the stages whose start is ``bundle``.
        online: Download published weights that the recipe names and this machine lacks.
        index: File of what is known of the files of the data; None: ``index.jsonl`` in ``out``.
        verify_data: Read all files of the data again, whatever their size and time say.

    Returns:
        Run folder, bundle, and per fold the epoch, score and number of held-out cases.

    Raises:
        RecipeError, DataError, LeakError, BundleError: as their messages say.
        StoppedError: a signal asked to stop; everything is saved.
    """
    options = TrainOptions.of(
        folds=folds,
        workers=workers,
        save_minutes=save_minutes,
        max_minutes=max_minutes,
        track=track,
        accept_changes=accept_changes,
        pseudo=pseudo,
        start=start,
        online=online,
        index=index,
        verify_data=verify_data,
    )
    data, out = as_path(data, "data"), as_path(out, "out")
    if recipe.members:
        raise RecipeError(
            f"recipe {recipe.name} is for several members; train it by lamina.train, or one of "
            "them by its recipe.member(name)"
        )
    chosen = several(device, devices)
    if isinstance(chosen, str):
        return train_here(recipe, data, out, chosen, options)
    return train_on_devices({"": (recipe, out)}, data, chosen, options)[""]


@dataclass(frozen=True)
class TrainOptions:
    """What a command says of a training besides recipe, data and folder; see ``train``."""

    folds: Sequence[int] | None
    workers: int | None
    save_minutes: float
    max_minutes: float | None
    track: Sequence[str]
    accept_changes: bool
    pseudo: Path | None
    start: Path | None
    online: bool
    index: Path | None
    verify_data: bool
    begun: float = field(default_factory=time.monotonic)

    @classmethod
    def of(
        cls,
        *,
        pseudo: StrPath | None,
        start: StrPath | None,
        index: StrPath | None,
        **values: Any,
    ) -> TrainOptions:
        """Return them checked.

        Raises:
            RecipeError: a value cannot be used.
        """
        found = cls(
            pseudo=None if pseudo is None else as_path(pseudo, "pseudo"),
            start=None if start is None else as_path(start, "start"),
            index=None if index is None else as_path(index, "index"),
            **values,
        )
        at_least(
            0,
            workers=found.workers,
            save_minutes=found.save_minutes,
            max_minutes=found.max_minutes,
        )
        return found

    def prepared(self, recipe: Recipe, data: Path, out: Path) -> PreparedRun:
        """Return a run of a recipe, opened and written down in its locked folder."""
        return prepare_run(
            recipe,
            data,
            out,
            folds=self.folds,
            accept_changes=self.accept_changes,
            pseudo=self.pseudo,
            start=self.start,
            index=index_of(recipe, out, self.index, verify=self.verify_data),
        )


def several(device: str, devices: str | Sequence[str] | None) -> str | list[DeviceName]:
    """Return the one device that is meant, or several.

    Raises:
        RecipeError: both are given, a word means no device, or one is not there.
    """
    if devices is None:
        return device
    if device != "auto":
        raise RecipeError("--device and --devices are both given; leave one of them out")
    found = devices_of(devices)
    refuse_missing(found)
    return found if len(found) > 1 else found[0].here


def train_here(
    recipe: Recipe, data: Path, out: Path, device: str, options: TrainOptions
) -> TrainResult:
    """Train the folds one after another in this process."""
    refuse_launcher()
    where = choose_device(device)
    precision = choose(recipe.precision, where)
    workers = options.workers
    with (
        locked(out),
        keep_log(out),
        own_random_state(where),
        deterministic_algorithms(recipe.deterministic),
        own_accelerator(where, precision) as accelerator,
        downloads(allowed=options.online),
    ):
        clock = Clock(out, minutes=options.max_minutes, begun=options.begun)
        run = options.prepared(recipe, data, out)
        files.write_json(out / "env.json", environment(str(where), name_of(precision)))
        keep_memory()
        say(f"device {where}, {name_of(precision)}")
        if line := too_many_workers(workers):
            say(line)
        stop = Stop()
        with stop.listening(), tracker(accelerator, options.track, out, recipe) as report:
            if clock.limit is not None:
                say(clock.said(len(run.wanted)))
            rows = []
            for at, fold in enumerate(run.wanted):
                job = FoldContext.of(
                    run.fold(fold, folds_left=len(run.wanted) - at),
                    accelerator=accelerator,
                    precision=precision,
                    workers=default_workers(where) if workers is None else workers,
                    stop=stop,
                    track=report,
                    clock=clock,
                )
                rows.append(complete_fold(job, fold, save_minutes=options.save_minutes))
            clock.note()
        return run.finished(rows, time.monotonic() - options.begun)


def train_on_devices(
    recipes: Mapping[str, tuple[Recipe, Path]],
    data: Path,
    devices: Sequence[DeviceName],
    options: TrainOptions,
    *,
    out: Path | None = None,
) -> dict[str, TrainResult]:
    """Train the folds of one or several runs on several devices.

    Args:
        recipes: Recipe and run folder by the name of the run; that of a single one is empty.
        data: The folder of the data.
        devices: At least two.
        options: What else the command says.
        out: The folder that keeps the time and the trackers of all; None: that of the single run.

    Returns:
        What each run came to, by name.
    """
    refuse_launcher()
    out = out or next(folder for _, folder in recipes.values())
    first = next(recipe for recipe, _ in recipes.values())
    with ExitStack() as held:
        for _, folder in recipes.values():
            held.enter_context(locked(folder))
        held.enter_context(keep_log(out))
        held.enter_context(downloads(allowed=options.online))
        accelerator = held.enter_context(own_accelerator(torch.device("cpu"), None))
        clock = Clock(out, minutes=options.max_minutes, begun=options.begun)
        runs: dict[str, PreparedRun] = {}
        for name, (recipe, folder) in recipes.items():
            if name:
                say(f"member {name}")
            runs[name] = options.prepared(recipe, data, folder)
        jobs = sum(len(run.wanted) for run in runs.values())
        devices = devices[:jobs]
        say(f"devices {', '.join(map(str, devices))}: a fold on each")
        if line := too_many_workers(options.workers, processes=len(devices)):
            say(line)
        if clock.limit is not None:
            say(clock.said(math.ceil(jobs / len(devices))))
        stop = Stop()
        report = held.enter_context(tracker(accelerator, options.track, out, first))
        held.enter_context(stop.listening())
        spread = FoldSpread(
            runs=runs,
            devices=devices,
            workers=options.workers,
            save_minutes=options.save_minutes,
            online=options.online,
            track=report,
            stop=stop,
            clock=clock,
        )
        try:
            spread.run()
        finally:
            clock.note()
        seconds = time.monotonic() - options.begun
        return {
            name: run.finished([spread.results[name, fold] for fold in run.wanted], seconds)
            for name, run in runs.items()
        }
