"""Training on several devices: which of them has what, and what it all comes to."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import torch

from lamina.errors import RecipeError
from lamina.log import keep_log
from lamina.machine.device_names import DeviceName, devices_of, refuse_missing
from lamina.model.weights import downloads
from lamina.progress import say
from lamina.recipe.recipe import Recipe
from lamina.training.devices.children.batches import BatchSpread
from lamina.training.devices.children.spread import FoldSpread
from lamina.training.devices.options import TrainOptions
from lamina.training.devices.ranks import launched
from lamina.training.process_state import own_accelerator
from lamina.training.run_folder import locked
from lamina.training.sources.prepared_run import PreparedRun
from lamina.training.stage.loading.loader import too_many_workers
from lamina.training.stage.signals import Stop
from lamina.training.stage.steps.sharing import is_split, refuse_sharing
from lamina.training.stage.time_limit import Clock
from lamina.training.stage.trackers import tracker
from lamina.training.train_result import TrainResult


def several(device: str, devices: str | Sequence[str] | None) -> str | list[DeviceName]:
    """Return the one device that is meant, or several.

    Raises:
        RecipeError: both are given, a word means no device, or one is not there.
    """
    if devices is None:
        return device
    if device != "auto":
        raise RecipeError("--device and --devices are both given; leave one of them out")
    if launched():
        raise RecipeError(
            "--devices is given, and a launcher such as torchrun has started a process for each "
            "device already; leave one of the two out"
        )
    found = devices_of(devices)
    refuse_missing(found)
    return found if len(found) > 1 else found[0].here


def train_on_devices(
    recipes: Mapping[str, tuple[Recipe, Path]],
    data: Path,
    devices: Sequence[DeviceName],
    options: TrainOptions,
    *,
    out: Path | None = None,
    spread: str = "auto",
) -> dict[str, TrainResult]:
    """Train the folds of one or several runs on several devices.

    Args:
        recipes: Recipe and run folder by the name of the run; that of a single one is empty.
        data: The folder of the data.
        devices: At least two.
        options: What else the command says.
        out: The folder that keeps the time and the trackers of all; None: that of the single run.
        spread: ``folds``: each trains folds of its own; ``batches``: all train the same fold;
            ``auto``: batches where fewer folds are left than devices, and they can be shared.

    Returns:
        What each run came to, by name.
    """
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
        devices, kind = _spread(runs, devices, spread)
        if line := too_many_workers(options.workers, processes=len(devices)):
            say(line)
        if clock.limit is not None:
            folds = sum(len(run.wanted) for run in runs.values())
            say(clock.said(folds if kind is BatchSpread else math.ceil(folds / len(devices))))
        stop = Stop()
        report = held.enter_context(tracker(accelerator, options.track, out, first))
        held.enter_context(stop.listening())
        working = kind(
            runs=runs,
            devices=devices,
            workers=options.workers,
            saving=options.saving,
            online=options.online,
            track=report,
            stop=stop,
            clock=clock,
        )
        try:
            working.run()
        finally:
            clock.note()
        seconds = time.monotonic() - options.begun
        return {
            name: run.finished([working.results[name, fold] for fold in run.wanted], seconds)
            for name, run in runs.items()
        }


def _spread(
    runs: Mapping[str, PreparedRun], devices: Sequence[DeviceName], spread: str
) -> tuple[Sequence[DeviceName], type[FoldSpread]]:
    """Return the devices that have something to do, and what each of them has."""
    names = ", ".join(map(str, devices))
    folds = sum(len(run.wanted) for run in runs.values())
    remaining = sum(len(run.remaining()) for run in runs.values())
    reason = _reason_against_batches(runs, len(devices)) if spread == "auto" else ""
    if spread == "batches" or (spread == "auto" and 0 < remaining < len(devices) and not reason):
        say(f"devices {names}: all train one fold after another, and share every step")
        return devices, BatchSpread
    if spread == "auto" and 0 < remaining < len(devices):
        say(f"steps are not shared: {reason}")
    devices = devices[: max(folds, 1)]
    say(f"devices {', '.join(map(str, devices))}: a fold on each")
    return devices, FoldSpread


def _reason_against_batches(runs: Mapping[str, PreparedRun], count: int) -> str:
    """Return why stages of the runs cannot be shared by so many processes; empty: they can."""
    try:
        for run in runs.values():
            for stage in run.recipe.stages:
                refuse_sharing(stage, run.recipe.loss, count)
                if is_split(stage, count):
                    return f"accumulate of stage {stage.name} is 1, so that batches would be split"
    except RecipeError as error:
        return str(error)
    return ""
