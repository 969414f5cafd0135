"""Training in this process: folds one after another, alone or as one rank of a launcher."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

import torch

from lamina import files
from lamina.log import keep_log
from lamina.model.weights import downloads
from lamina.prediction.tiling.memory import keep_memory
from lamina.prediction.tiling.precision import choose, choose_device, name_of
from lamina.progress import Level, say, showing
from lamina.recipe.recipe import Recipe
from lamina.training.devices.children.messages import Work
from lamina.training.devices.complete_fold import complete_fold
from lamina.training.devices.options import TrainOptions
from lamina.training.devices.ranks import (
    ALONE,
    Ranks,
    device_of_launcher,
    is_main_process,
    joined_by_launcher,
    launched,
)
from lamina.training.process_state import (
    arithmetic,
    own_accelerator,
    own_random_state,
)
from lamina.training.run_folder import environment, locked
from lamina.training.sources.prepared_run import PreparedRun
from lamina.training.stage.context import FoldContext
from lamina.training.stage.loading.loader import default_workers, too_many_workers
from lamina.training.stage.signals import Stop
from lamina.training.stage.time_limit import Clock
from lamina.training.stage.trackers import tracker
from lamina.training.train_result import FoldResult, TrainResult


def train_here(
    recipe: Recipe, data: Path, out: Path, device: str, options: TrainOptions
) -> TrainResult:
    """Train the folds one after another in this process, or as one of those of a launcher."""
    with ranks_of(device) as (where, ranks):
        return _train_here(recipe, data, out, where, options, ranks)


@contextmanager
def ranks_of(device: str) -> Iterator[tuple[torch.device, Ranks]]:
    """Yield the device of this process, and the ranks where a launcher started several."""
    if not launched():
        yield choose_device(device), ALONE
        return
    where = choose_device(device_of_launcher(device))
    quiet = nullcontext() if is_main_process() else showing(Level.QUIET)
    with quiet, joined_by_launcher(where) as ranks:
        yield where, ranks


def _train_here(
    recipe: Recipe,
    data: Path,
    out: Path,
    where: torch.device,
    options: TrainOptions,
    ranks: Ranks,
) -> TrainResult:
    precision = choose(recipe.precision, where)
    if not ranks.is_main:
        return _follow(recipe, where, precision, options, ranks)
    workers = options.workers
    with (
        locked(out),
        keep_log(out),
        arithmetic(where, recipe.precision, deterministic=recipe.deterministic),
        own_random_state(where),
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
                sent = run.fold(fold, folds_left=len(run.wanted) - at)
                limit = None if clock.limit is None else clock.limit / 60
                work = Work(fold, sent, clock.used, limit)
                ranks.tell(work)
                job = FoldContext.of(
                    sent,
                    accelerator=accelerator,
                    precision=precision,
                    workers=_workers(options, where, ranks),
                    stop=stop,
                    track=report,
                    clock=clock,
                    ranks=ranks,
                )
                rows.append(complete_fold(job, fold, options.saving))
            clock.note()
        return ranks.on_main(lambda: _end(ranks, run, rows, options))


def _end(
    ranks: Ranks, run: PreparedRun, rows: Sequence[FoldResult], options: TrainOptions
) -> TrainResult:
    """Tell the other ranks that no fold is left, and finish the run."""
    ranks.tell(None)
    return run.finished(rows, time.monotonic() - options.begun)


def _workers(options: TrainOptions, where: torch.device, ranks: Ranks) -> int:
    here = int(os.environ.get("LOCAL_WORLD_SIZE", "1")) if ranks.size > 1 else 1
    return default_workers(where, processes=here) if options.workers is None else options.workers


def _follow(
    recipe: Recipe,
    where: torch.device,
    precision: torch.dtype | None,
    options: TrainOptions,
    ranks: Ranks,
) -> TrainResult:
    """Train what the main rank sends, and return what it comes to."""
    stop = Stop()
    keep_memory()
    with (
        arithmetic(where, recipe.precision, deterministic=recipe.deterministic),
        own_random_state(where),
        own_accelerator(where, precision) as accelerator,
        downloads(allowed=options.online),
        stop.listening(),
    ):
        while (work := ranks.on_main(_work)) is not None:
            job = FoldContext.of(
                work.data,
                accelerator=accelerator,
                precision=precision,
                workers=_workers(options, where, ranks),
                stop=stop,
                track=lambda numbers, step: None,
                clock=Clock(None, minutes=work.minutes, used=work.used),
                ranks=ranks,
            )
            complete_fold(job, work.fold, options.saving)
    return ranks.on_main(_result)


def _work() -> Work | None:
    raise ValueError("only the main rank has it")


def _result() -> TrainResult:
    raise ValueError("only the main rank has it")
