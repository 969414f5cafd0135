"""Sizes that fit the memory, and a schedule that fits the minutes: tried until they do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lamina.errors import ResourceError
from lamina.model.networks.strides import strides_of
from lamina.plan.fingerprint.facts import Facts, Machine
from lamina.plan.probe import DoesNotFitError, Probed, probe
from lamina.plan.rules import Setting, Situation, Wanted, settings_of, values_of
from lamina.plan.schedule import Schedule, schedule_of, settings
from lamina.progress import say
from lamina.public import VerbResult

_FREE = 0.85  # of the memory
_LEAST = 64  # rows and columns of a crop
_MULTIPLE = 32
_LEAST_BLOCK = 16  # and the multiple, of the longest side of a block

Probe = Callable[[Mapping[str, Any], Path, str], Probed]


@dataclass(frozen=True)
class Fitted(VerbResult):
    """What was measured, and what follows."""

    probed: Probed
    schedule: Schedule
    folds: int
    """Folds of the split."""

    tried: tuple[str, ...]
    """Sizes that took too much, with what they took."""


def fitted(
    facts: Facts, machine: Machine, wanted: Wanted, root: Path, trial: Probe = probe
) -> tuple[list[Setting], Fitted]:
    """Return the settings of a recipe that fits, and what was measured.

    Args:
        facts: Of the data.
        machine: Where it is trained.
        wanted: What was asked for.
        root: The data folder.
        trial: What measures a recipe.

    Raises:
        ResourceError: no size fits.
    """
    found = settings_of(facts, machine, wanted)
    tried: list[str] = []
    while True:
        values = values_of(found)
        values["stages"] = [{**values.pop("train"), "epochs": 1}]
        batch, size = _sizes(found)
        said = f"batch {batch} of {' x '.join(map(str, size))}"
        try:
            probed = trial(values, root, machine.device)
            if probed.memory <= _FREE * machine.memory:
                break
            tried.append(f"{said} took {_giga(probed.memory)} of {_giga(machine.memory)} GB")
        except DoesNotFitError as error:
            tried.append(f"{said}: {error}")
        say(tried[-1])
        found = _smaller(found, tried)
    folds = _folds(values)
    now = Situation(facts, machine, wanted, {one.key: one.value for one in found})
    schedule = schedule_of(now, probed, folds)
    took = f"batch {batch} took {_giga(probed.memory)} of {_giga(machine.memory)} GB"
    found = _laid_over(found, settings(now, probed, schedule), took)
    return found, Fitted(probed, schedule, folds, tuple(tried))


def _sizes(found: Sequence[Setting]) -> tuple[int, list[int]]:
    values = {one.key: one.value for one in found}
    return int(values["train.batch"]), list(values["frame.size"])


def _smaller(found: list[Setting], tried: Sequence[str]) -> list[Setting]:
    """Return the settings with half the batch, or else smaller crops.

    Raises:
        ResourceError: there is nothing smaller.
    """
    batch, size = _sizes(found)
    why = tried[-1]
    if batch > 2:
        return _with(found, {"train.batch": batch // 2}, why)
    half = _shorter(size)
    if half == size:
        raise ResourceError(
            f"no size fits the memory: {why}; free memory, or pass a larger --memory"
        )
    update: dict[str, Any] = {"frame.size": half}
    if any(one.key == "frame.resize" for one in found):
        update["frame.resize"] = half
    if len(half) == 3:
        values = {one.key: one.value for one in found}
        blocks = values["network.blocks"]
        levels = len(strides_of(half, values["network.spacing"], len(blocks)))
        update["network.blocks"] = blocks[:levels]
    return _with(found, update, why)


def _shorter(size: Sequence[int]) -> list[int]:
    """Return smaller crops: of images both sides, of blocks the longest; the same at the least."""
    if len(size) == 2:
        return [max(_LEAST, n // 2 // _MULTIPLE * _MULTIPLE) if n > _LEAST else n for n in size]
    longest = max(size)
    shorter = max(_LEAST_BLOCK, 2 * longest // 3 // _LEAST_BLOCK * _LEAST_BLOCK)
    return [min(n, shorter) if n == longest else n for n in size]


def _with(found: list[Setting], update: Mapping[str, Any], why: str) -> list[Setting]:
    return [
        replace(one, value=update[one.key], why=f"{one.why}; {why}") if one.key in update else one
        for one in found
    ]


def _laid_over(found: list[Setting], new: Sequence[Setting], took: str) -> list[Setting]:
    """Return the settings with what was measured; the schedule goes before batch and sampler."""
    over = {one.key: one for one in new}
    kept = []
    for one in found:
        if one.key == "train.batch":
            kept += [over.pop(key) for key in ("train.epochs", "train.validate_every")]
            one = replace(one, why=f"{one.why}; {took}")
        later = over.pop(one.key, None)
        kept.append(one if later is None else replace(one, value=later.value))
    return [*kept, *over.values()]


def _folds(values: Mapping[str, Any]) -> int:
    split = values["split"]
    if split["kind"] != "folds":
        return 1
    return max(1, int(split.get("count", 5)))


def _giga(count: int) -> str:
    return f"{count / 1e9:.2g}"
