"""Recipes of several networks: each is trained as a run of its own, then all are joined."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lamina.errors import RecipeError
from lamina.files import make_folder
from lamina.folders import BUNDLE, DATA_INDEX
from lamina.log import keep_log
from lamina.options.near_words import did_you_mean
from lamina.progress import say
from lamina.public import StrPath, as_path
from lamina.recipe.load import recipe_of
from lamina.recipe.recipe import Recipe
from lamina.refusals import verb
from lamina.training.devices.options import TrainOptions
from lamina.training.devices.several import several, train_on_devices
from lamina.training.ensembles.ensemble import MEANS, MEMBERS, ensemble
from lamina.training.run import train as train_one
from lamina.training.stage.time_limit import seconds_used
from lamina.training.train_result import TrainResult


@verb
def train(
    recipe: Recipe | StrPath,
    *,
    data: StrPath,
    out: StrPath,
    member: str | None = None,
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
    """Train a recipe; one with members (FAULT-7) member by member, each in ``out/members/NAME``.

    ``out`` then holds their ensemble, laid out as any run. The same call again goes on where an
    interrupted one stopped.

    Args:
        recipe: What to do: a recipe, its file, or the name of a built-in.
        data: The folder that holds the data; only read.
        out: The run folder.
        member: Train only this one and join nothing, such as one on each of several machines.
        folds: Only these folds; None: all of the split.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.
        devices: Several in place of ``device``: ``"0,1"``, ``"all"``, ``"cpu:4"``, or a sequence
            such as ``("cuda:0", "cuda:1")``.
        spread: ``folds``: each device trains folds of its own, with the results of one device;
            ``batches``: all train the same fold and share every step; ``auto``: batches where fewer
            folds are left than devices, and sharing changes nothing but rounding.
        workers: Loader processes; None: as suits the machine.
        save_minutes: The longest time between two saves of the state, in minutes; it is what a
            killed run loses at most.
        keep_state: Keep the state of finished folds, so that they can be trained for more epochs.
        max_minutes: End the training after about so many minutes, those before an interruption
            included, with the best weights so far. Folds, stages and members share them, schedules
            follow the time. At least one step is taken in every stage. None: train every epoch.
        track: Trackers of accelerate besides ``metrics.jsonl``: tensorboard, wandb, mlflow.
        accept_changes: Resume although stages or decisions of the recipe changed.
        pseudo: A folder of ``lamina pseudo`` for the stages that mix its labels in.
        start: A bundle or run folder for the stages whose start is ``bundle``.
        online: Download published weights that the recipe names and this machine lacks.
        index: File of what is known of the files of the data, such as one that several runs
            share; None: ``index.jsonl`` in ``out``.
        verify_data: Read all files of the data again, whatever their size and time say.

    Returns:
        Run folder, bundle, and what each fold or each member came to.

    Raises:
        RecipeError: the recipe or an option cannot be used, or there is no such member.
        DataError: the data cannot be read.
        LeakError: one group stands on both sides of the split.
        BundleError: starting weights, or saved ones, are damaged or do not fit.
        ResourceError: the disk is full.
        StoppedError: a signal asked to stop; everything is saved.

    Example:
        >>> result = train("recipe.yaml", data="data", out="run")
        >>> [fold.cases for fold in result.folds]
        [4, 4]
    """
    recipe = recipe_of(recipe)
    data, out = as_path(data, "data"), as_path(out, "out")
    options: dict[str, Any] = {
        "folds": folds,
        "device": device,
        "workers": workers,
        "save_minutes": save_minutes,
        "keep_state": keep_state,
        "track": track,
        "accept_changes": accept_changes,
        "pseudo": pseudo,
        "start": start,
        "online": online,
        "index": out / DATA_INDEX if index is None else index,
        "verify_data": verify_data,
    }
    names = [one.name for one in recipe.members]
    chosen = several(device, devices) if names else None
    if member is not None and member not in names:
        has = f"; it has {', '.join(names)}" if names else " and has none"
        raise RecipeError(
            f"recipe {recipe.name} has no member '{member}'{did_you_mean(member, names) or has}"
        )
    if not names:
        return train_one(
            recipe,
            data=data,
            out=out,
            max_minutes=max_minutes,
            devices=devices,
            spread=spread,
            **options,
        )
    if member is not None:
        options |= {"devices": devices, "spread": spread}
        return _train_member(recipe, member, data, out, options, max_minutes)
    begun = time.monotonic()
    make_folder(out)
    with keep_log(out):
        if isinstance(chosen, list):
            del options["device"]
            wishes = TrainOptions.of(max_minutes=max_minutes, **options)
            recipes = {name: (recipe.member(name), _folder(out, name)) for name in names}
            rows = train_on_devices(recipes, data, chosen, wishes, out=out, spread=spread)
        else:
            options["device"] = chosen
            rows = {
                name: _train_member(
                    recipe, name, data, out, options, _minutes(out, names, at, max_minutes)
                )
                for at, name in enumerate(names)
            }
    mean = {pool: word for word, pool in MEANS.items()}[recipe.predict.mean_of.members]
    joined = ensemble([_folder(out, name) for name in names], out, mean=mean, renew=True)
    return TrainResult(
        run=out,
        bundle=out / BUNDLE,
        recipe_digest=recipe.digest(),
        members=rows,
        ensemble=joined,
        seconds=round(time.monotonic() - begun, 1),
    )


def _minutes(out: Path, names: Sequence[str], at: int, whole: float | None) -> float | None:
    """Return the minutes of the member number ``at``: its own so far, and its share of the rest."""
    if whole is None:
        return None
    used = [seconds_used(_folder(out, name)) / 60 for name in names]
    return used[at] + max(whole - sum(used), 0.0) / (len(names) - at)


def _train_member(
    recipe: Recipe,
    name: str,
    data: Path,
    out: Path,
    options: dict[str, Any],
    minutes: float | None,
) -> TrainResult:
    say(f"member {name}")
    return train_one(
        recipe.member(name), data=data, out=_folder(out, name), max_minutes=minutes, **options
    )


def _folder(out: Path, name: str) -> Path:
    return out / MEMBERS / name
