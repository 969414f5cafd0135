"""A bundle that stages may start from, checked so that no fold begins with what it holds out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from lamina import files
from lamina.bundle import Bundle, SeenCases, indirect_cases, load_bundles
from lamina.bundle.tensors import fill, fill_what_fits
from lamina.errors import BundleError, LeakError, RecipeError, listed
from lamina.progress import say
from lamina.recipe.recipe import Recipe
from lamina.recipe.stage import Stage
from lamina.training.dataset import OpenedData
from lamina.training.run_folder import has_begun

USED = "start.json"
"""What a run folder keeps of the bundle it starts from."""


@dataclass(frozen=True)
class Origin:
    """One member of a bundle; its weights are read when a stage starts."""

    bundle: Bundle
    number: int

    def fill(self, network: nn.Module, stage: Stage, title: str) -> None:
        """Put the member's weights into a network, as the stage says; tell what was left out.

        Args:
            network: As it would start by itself.
            stage: Its ``start_with`` says what is taken.
            title: What messages call the fold.

        Raises:
            BundleError: they are damaged, or do not belong to it; every difference is listed.
        """
        weights: dict[str, Tensor] = self.bundle.weights(self.number)
        member = self.bundle.members[self.number]
        place = f"{self.bundle.store.where}: {member.file}"
        if stage.start_with == "all":
            _fill_all(network, weights, place, stage)
            return
        left = fill_what_fits(network, weights, place, encoder=stage.start_with == "encoder")
        count = len(network.state_dict())
        headline = f"{title} {stage.name}: {count - len(left)} of {count} tensors from {place}"
        say(listed(f"{headline}; the network's own are", left, most=count) if left else headline)


@dataclass(frozen=True)
class Start:
    """The bundle given by ``--start`` and the member for each fold; None: none was given."""

    bundle: Bundle | None = None
    path: Path | None = None
    numbers: Mapping[int, int] = field(default_factory=dict)

    def of(self, fold: int) -> Origin | None:
        """Return the member that a fold may start from."""
        return None if self.bundle is None else Origin(self.bundle, self.numbers[fold])

    def known(self, own: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
        """Return what a bundle says of cases that trained the start and are none of the run's."""
        rows: dict[str, dict[str, Any]] = {}
        for training in self.bundle.trainings if self.bundle is not None else ():
            rows |= indirect_cases(training.cases, own, "start")
        return rows


def _fill_all(network: nn.Module, weights: Mapping[str, Tensor], place: str, stage: Stage) -> None:
    try:
        fill(network, weights, place)
    except BundleError as error:
        headline, _, differences = str(error).partition("\n")
        raise BundleError(
            f"{headline}; to begin with those that fit, set stages.{stage.name}.start_with to "
            f"what_fits or encoder\n{differences}"
        ) from None


def open_start(
    recipe: Recipe,
    path: Path | None,
    opened: OpenedData,
    known: Mapping[str, Mapping[str, Any]],
    folds: Sequence[int],
) -> Start:
    """Open the bundle that stages start from and choose a member for each fold.

    A fold gets the member of the same fold, or else the first, among those that never saw a case
    it holds out, by id and by content.

    Args:
        recipe: Its stages say whether one is used.
        path: A bundle or run folder, or None.
        opened: The run's cases and folds.
        known: Digests of each case by id, as ``record_data`` returns.
        folds: Those that will be trained.

    Raises:
        RecipeError: a stage asks for a bundle and none is given, or the other way round.
        BundleError: it cannot be read.
        LeakError: every member has seen a case that a fold holds out.
    """
    users = [stage.name for stage in recipe.stages if stage.start == "bundle"]
    if path is None and not users:
        return Start()
    if path is None:
        raise RecipeError(
            f"stage {', '.join(users)} starts from a bundle; name one by --start, or set its start "
            "to null"
        )
    if not users:
        raise RecipeError(
            "--start is given, but no stage uses it; say which, such as -s "
            f"stages.{recipe.stages[0].name}.start=bundle"
        )
    bundle = load_bundles([path])[0]
    if bundle.task.names != opened.task.names:
        say(
            f"{path}: its outputs are {', '.join(bundle.task.names or ())}, and here they are "
            f"{', '.join(opened.task.names or ())}: weights of outputs that fit start the others"
        )
    numbers = {}
    for fold in folds:
        held_out = {case.id: known[case.id]["sha256"] for case in opened.held_out(fold)}
        numbers[fold] = _choose(bundle, fold, held_out, path)
    return Start(bundle, path, numbers)


def record_start(out: Path, start: Start) -> None:
    """Write which bundle a run starts from; refuse to go on with another (C09).

    Raises:
        RecipeError: folds of the run have begun with another bundle, or with none.
    """
    path = out / USED
    now = None if start.bundle is None else start.bundle.weights_digest()
    before = files.read_object(path, "bundle")["bundle"] if path.is_file() else None
    if has_begun(out) and before != now:
        raise RecipeError(
            f"{out}: began from {'another' if before else 'no'} bundle; choose another --out, or "
            "give by --start what it began with"
        )
    if start.path is not None:
        files.write_json(path, {"path": str(start.path.resolve()), "bundle": now})


def _choose(bundle: Bundle, fold: int, held_out: Mapping[str, Sequence[str]], path: Path) -> int:
    numbers = range(len(bundle.members))
    first_leak = ""
    for number in sorted(numbers, key=lambda number: bundle.members[number].fold != fold):
        member = bundle.members[number]
        leaks = SeenCases.of_member(bundle, number).leaks(member.fold, held_out)
        if not leaks:
            return number
        example = next(iter(leaks))
        first_leak = first_leak or f"{member.name} has seen {len(leaks)}, such as '{example}'"
    raise LeakError(
        f"{path}: no leak-free starting weights for fold {fold}: every member has seen cases it "
        f"({first_leak}); give a bundle of the same folds by --start, or the same folds by "
        "split.path"
    )
