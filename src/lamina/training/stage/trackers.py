"""Trackers besides the files: tensorboard, wandb, mlflow, through accelerate."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from accelerate import Accelerator
from accelerate.tracking import GeneralTracker, filter_trackers, get_available_trackers
from accelerate.utils import LoggerType

from lamina.errors import RecipeError
from lamina.progress import say
from lamina.recipe.recipe import Recipe

LOGS = "track"
"""Folder below the run's for trackers that write files."""

Report = Callable[[dict[str, float], int], None]


@contextmanager
def tracker(
    accelerator: Accelerator, names: Sequence[str], out: Path, recipe: Recipe
) -> Iterator[Report]:
    """Yield a function that hands one row of numbers and its step to every tracker.

    A tracker that fails is switched off with one line; training and the files go on (C14).

    Raises:
        RecipeError: a tracker's library is not installed.
    """
    if not names:
        yield lambda row, step: None
        return
    _must_be_there(names)
    accelerator.project_configuration.logging_dir = str(out / LOGS)
    try:
        accelerator.log_with = filter_trackers(list(names), out / LOGS)
        accelerator.init_trackers(
            "lamina", config={"recipe": recipe.name, "digest": recipe.digest()}
        )
    except (ImportError, ValueError) as error:
        raise RecipeError(
            f"--track {' '.join(names)}: {error}; install the tracker, or leave --track out"
        ) from error
    alive: list[GeneralTracker] = list(accelerator.trackers)

    def report(row: dict[str, float], step: int) -> None:
        for one in list(alive):
            try:
                one.log(row, step=step)
            except Exception as error:  # noqa: BLE001 - whatever a tracker raises is not our loss
                alive.remove(one)
                say(f"tracker {one.name} failed and is switched off: {error}")

    try:
        yield report
    finally:  # a stopped run too has its last rows written
        accelerator.end_training()


def _must_be_there(names: Sequence[str]) -> None:
    # accelerate itself drops a tracker that is not installed without a word
    known = {one.value for one in LoggerType} - {"all"}
    here = {one.value for one in get_available_trackers()}
    for name in names:
        if name not in known:
            raise RecipeError(f"--track is '{name}'; it must be one of {', '.join(sorted(known))}")
        if name not in here:
            raise RecipeError(
                f"--track {name}: {name} is not installed here; install it, or leave --track out"
            )
