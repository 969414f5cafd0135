"""From a data folder to a recipe, its fingerprint and what training it will take."""

from __future__ import annotations

import json
import math
import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

from lamina import files
from lamina.doctor.finding import counted
from lamina.errors import DataError, RecipeError
from lamina.plan.fingerprint.facts import Facts, Machine
from lamina.plan.fingerprint.label_values import READINGS
from lamina.plan.fingerprint.machine import machine_of
from lamina.plan.fingerprint.measure import Wishes, fingerprint
from lamina.plan.fingerprint.options import data_options
from lamina.plan.fit import Fitted, fitted
from lamina.plan.layouts import chosen
from lamina.plan.rules import Dims, Setting, Wanted, values_of
from lamina.plan.summary import baseline_of, header, table
from lamina.plan.tree import Tree
from lamina.plan.write import recipe_text
from lamina.progress import say
from lamina.public import StrPath, VerbResult, as_path
from lamina.refusals import verb

if TYPE_CHECKING:
    from lamina.recipe.recipe import Recipe

_QUICK = 1.0  # minutes


@dataclass(frozen=True)
class PlanResult(VerbResult):
    """A planned recipe with the reason of every value."""

    text: str
    """The recipe's YAML."""

    settings: tuple[Setting, ...]
    """Every value with its reason."""

    facts: Facts
    machine: Machine

    fit: Fitted
    """What was measured in training, and the schedule that follows."""

    doing_nothing: float | None
    """Score of the metric for empty masks on the cases that were read; None: it has none."""

    recipe: Path | None
    """Where the recipe was written; None: nowhere."""

    command: str
    """The command that trains it."""

    seconds: float
    """Time that the plan took."""

    def load(self) -> Recipe:
        """Return the recipe, checked."""
        from lamina.recipe.recipe import Recipe

        return Recipe.model_validate(complete(self.settings))

    def __str__(self) -> str:
        """Return the table for people."""
        return table(self)


@verb
def plan(
    data: StrPath,
    *,
    minutes: float = 20.0,
    device: str = "auto",
    memory: int | None = None,
    dims: str = "auto",
    spacing: Sequence[float] | None = None,
    layout: str | None = None,
    groups: str | None = None,
    metric: Mapping[str, Any] | None = None,
    quick: bool = False,
    changes: Sequence[str] = (),
    out: StrPath | None = None,
) -> PlanResult:
    """Plan a recipe for a data folder: measure the data, settle every value, try three steps.

    Nothing is written into the data folder.

    Args:
        data: The data folder.
        minutes: Time that ``lamina train`` is to take.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        memory: Bytes that training may use; None: those that are free.
        dims: ``auto``, ``2d``, ``2.5d`` or ``3d``: what the network sees of a volume.
        spacing: Steps along the stored axes; None: as files say.
        layout: How the folder is laid out; None: as its files tell.
        groups: A table below the folder, or a regular expression with one part in brackets.
        metric: Options of the metric; None: as the data suggest.
        quick: A minute of training, to see that all works.
        changes: Options of the data, such as ``data.dicom.frame=0``; they are laid over what the
            layout says.
        out: Where to write the recipe; beside it goes ``NAME.facts.json``. None: nowhere.

    Returns:
        The recipe and why it is so.

    Raises:
        LayoutError: the folder can be read in several ways; the message names the commands.
        DataError: the data cannot be read.
        RecipeError: an option does not suit the data, or ``out`` is there already.
        ResourceError: no size fits the memory.
    """
    begun = time.monotonic()
    root = as_path(data, "data")
    target = None if out is None else as_path(out, "out")
    _check(root, target, minutes, dims)
    steps, said = _steps(spacing), data_options(changes)
    wanted = Wanted(_QUICK if quick else minutes, cast(Dims, dims), metric)
    machine = machine_of(device, memory)
    tree = Tree.of(root)
    name, reading = _choice(layout)
    match = chosen(tree, name)
    say(f"{root}: layout {match.choice}: {match.evidence}")
    facts = fingerprint(tree, match, Wishes(groups, steps, reading, said))
    what = f"{counted(facts.cases, 'case')} in {counted(facts.groups, 'group')}"
    say(f"{what}; trying the recipe on {machine.device}")
    settings, fit = fitted(facts, machine, wanted, root)
    text = recipe_text(settings, header(facts, machine, wanted))
    if target is not None:
        files.write_text(target, text)
        about = {"facts": facts.to_dict(), "machine": machine.to_dict(), "fit": fit.to_dict()}
        facts_file = target.with_name(f"{target.stem}.facts.json")
        files.write_text(facts_file, json.dumps(about, indent=1, sort_keys=True) + "\n")
    found = PlanResult(
        text=text,
        settings=tuple(settings),
        facts=facts,
        machine=machine,
        fit=fit,
        doing_nothing=baseline_of(facts, values_of(settings)),
        recipe=target,
        command=_command(root, target, facts, fit),
        seconds=0.0,
    )
    return replace(found, seconds=round(time.monotonic() - begun, 1))


def complete(settings: Sequence[Setting]) -> dict[str, Any]:
    """Return the values of a recipe with ``train`` as its one stage."""
    values = values_of(settings)
    values["stages"] = [values.pop("train")]
    return values


def _steps(spacing: Sequence[float] | None) -> tuple[float, ...] | None:
    if spacing is None:
        return None
    if not all(0 < one < math.inf for one in spacing):
        said = ",".join(f"{one:g}" for one in spacing)
        raise RecipeError(f"--spacing is '{said}'; each number must be above 0")
    return tuple(spacing)


def _choice(layout: str | None) -> tuple[str | None, str | None]:
    """Return the layout, and the reading of masks that may stand behind its last ``+``."""
    name, _, reading = (layout or "").rpartition("+")
    return (name, reading) if name and reading in READINGS else (layout, None)


def _check(root: Path, target: Path | None, minutes: float, dims: str) -> None:
    if not root.is_dir():
        raise DataError(f"{root}: no such folder; give the folder of the data")
    if dims not in get_args(Dims):
        raise RecipeError(f"--dims is '{dims}'; it must be {', '.join(get_args(Dims))}")
    if not 0 < minutes < 1e6:
        raise RecipeError(f"--minutes is {minutes:g}; give the minutes that training may take")
    if target is None:
        return
    if target.resolve().is_relative_to(root.resolve()):
        raise RecipeError(f"{target}: lies in the data folder, which is only read; name another")
    for path in (target, target.with_name(f"{target.stem}.facts.json")):
        if path.exists():
            raise RecipeError(f"{path}: is there already; name another file, or delete it")


def _command(root: Path, target: Path | None, facts: Facts, fit: Fitted) -> str:
    name = target or Path("recipe.yaml")
    words = ["lamina", "train", str(name), "--data", str(root), "--out", f"runs/{name.stem}"]
    if fit.folds > fit.schedule.folds:
        words += ["--folds", "0"]
    return shlex.join(words)
