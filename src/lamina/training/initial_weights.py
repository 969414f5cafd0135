"""A bundle that stages may start from, checked so that no fold begins with what it holds out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from lamina import files
from lamina.bundle import Bundle, KnownCase, Training, load_bundles
from lamina.bundle.tensors import fill
from lamina.errors import LeakError, RecipeError
from lamina.recipe.recipe import Recipe
from lamina.training.dataset import Opened
from lamina.training.run_folder import has_begun

USED = "start.json"
"""What a run folder keeps of the bundle it starts from."""


@dataclass(frozen=True)
class Origin:
    """One member of a bundle; its weights are read when a stage starts."""

    bundle: Bundle
    number: int

    def fill(self, network: nn.Module) -> None:
        """Put the member's weights into a network.

        Raises:
            BundleError: they are damaged, or do not belong to it; every difference is listed.
        """
        weights: dict[str, Tensor] = self.bundle.weights(self.number)
        member = self.bundle.members[self.number]
        fill(network, weights, f"{self.bundle.store.where}: {member.file}")


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
        if self.bundle is None:
            return {}
        digests = {one for case in own.values() for one in case["sha256"]}
        return {
            f"start/{id}": {"sha256": list(case.sha256), "fold": -1, "labels": "behind"}
            for training in self.bundle.trainings
            for id, case in training.cases.items()
            if digests.isdisjoint(case.sha256)
        }


def open_start(
    recipe: Recipe,
    path: Path | None,
    opened: Opened,
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
    seen = [_Seen(training) for training in bundle.trainings]
    numbers = {}
    for fold in folds:
        held_out = {one.id: known[one.id]["sha256"] for one in opened.held_out(fold)}
        numbers[fold] = _choose(bundle, seen, fold, held_out, path)
    return Start(bundle, path, numbers)


def record_start(out: Path, start: Start) -> None:
    """Write which bundle a run starts from; refuse to go on with another (C09).

    Raises:
        RecipeError: folds of the run have begun with another bundle, or with none.
    """
    path = out / USED
    now = None if start.bundle is None else start.bundle.digest()
    before = files.read_json(path)["bundle"] if path.is_file() else None
    if has_begun(out) and before != now:
        raise RecipeError(
            f"{out}: began from {'another' if before else 'no'} bundle; choose another --out, or "
            "give by --start what it began with"
        )
    if start.path is not None:
        files.write_json(path, {"path": str(start.path.resolve()), "bundle": now})


class _Seen:
    """What the members of one training have seen."""

    def __init__(self, training: Training) -> None:
        self.members = training.members
        self._cases: dict[str, list[tuple[str, KnownCase]]] = defaultdict(list)
        for id, case in training.cases.items():
            for one in case.sha256:
                self._cases[one].append((id, case))

    def has(self, fold: int, id: str, digests: Sequence[str]) -> bool:
        """Whether the member that left out ``fold`` learnt from a case, by that or any name."""
        rows = [row for one in digests for row in self._cases.get(one, ())]
        same = [case for name, case in rows if name == id]  # sections share the file
        return any(case.fold != fold or fold < 0 for case in same or [case for _, case in rows])


def _choose(
    bundle: Bundle,
    seen: Sequence[_Seen],
    fold: int,
    held_out: Mapping[str, Sequence[str]],
    path: Path,
) -> int:
    numbers = range(len(bundle.members))
    leak = ""
    for number in sorted(numbers, key=lambda one: bundle.members[one].fold != fold):
        left_out = bundle.members[number].fold
        memory = next(one for one in seen if number in one.members)
        found = [id for id, digests in held_out.items() if memory.has(left_out, id, digests)]
        if not found:
            return number
        leak = leak or f"{bundle.members[number].name} has seen {len(found)}, such as '{found[0]}'"
    raise LeakError(
        f"{path}: no member may start fold {fold}, since each has seen cases that it holds out "
        f"({leak}); give a bundle of the same folds by --start, or the same folds by split.path"
    )
