"""From a recipe and data to a bundle: fold after fold, stage after stage."""

from __future__ import annotations

from collections.abc import Sequence

from lamina.errors import RecipeError
from lamina.public import StrPath, as_path
from lamina.recipe.recipe import Recipe
from lamina.refusals import verb
from lamina.training.devices.here import train_here
from lamina.training.devices.options import TrainOptions
from lamina.training.devices.several import several, train_on_devices
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
    spread: str = "auto",
    workers: int | None = None,
    save_minutes: float = 5.0,
    keep_state: bool = False,
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
        spread: ``folds``, ``batches`` or ``auto``: what each of several devices has.
        workers: Loader processes; None: as suits the machine.
        save_minutes: The longest time between two saves of the state, in minutes; it is what a
            killed run loses at most.
        keep_state: Keep the state of finished folds, so that they can be trained for more epochs.
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
        keep_state=keep_state,
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
    return train_on_devices({"": (recipe, out)}, data, chosen, options, spread=spread)[""]
