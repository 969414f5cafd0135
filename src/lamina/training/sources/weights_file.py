"""What the files named by ``network.weights`` were trained on, so that no fold begins with a leak.

Known are the members of a bundle, and the checkpoints of a run. Published weights, and files that
were copied out of their folder, say nothing of their cases and are taken as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lamina import files
from lamina.bundle import KnownCase, SeenCases, indirect_cases, leak_lines, member_of_file
from lamina.errors import LeakError, listed
from lamina.folders import fold_number
from lamina.recipe.recipe import Recipe
from lamina.training.dataset import OpenedData

BEHIND = "weights.json"
"""What a run folder keeps of the cases that trained its starting weights."""


@dataclass(frozen=True)
class TrainedFile:
    """A file of weights that an earlier training left."""

    path: Path
    fold: int
    """The fold that these weights did not see; -1: they saw every case."""
    seen: SeenCases

    def check(self, fold: int, held_out: Mapping[str, Sequence[str]]) -> None:
        """Refuse the weights for a fold that holds out what they have seen.

        Args:
            fold: Its number.
            held_out: Digests of the files of each case that it holds out, by id.

        Raises:
            LeakError: such cases are listed.
        """
        leaks = self.seen.leaks(self.fold, held_out)
        if leaks:
            headline = (
                f"{self.path}: network.weights has seen {len(leaks)} of {len(held_out)} cases that "
                f"fold {fold} holds out; give its run or bundle by --start with a stage's start: "
                "bundle, which takes a member for each fold that never saw them, or other weights"
            )
            raise LeakError(listed(headline, leak_lines(leaks)))


def trained_files(recipe: Recipe) -> list[TrainedFile]:
    """Return the files of a recipe's ``network.weights`` whose training is known.

    Raises:
        BundleError: a file lies in a bundle whose index is damaged.
        DataError: a file lies in a run whose data.json is damaged.
    """
    if all(stage.start is not None for stage in recipe.stages):
        return []  # every stage takes other weights
    paths = (Path(name) for name in recipe.network.weight_files())
    trained = (_of_bundle(path) or _of_run(path) for path in paths if path.is_file())
    return [file for file in trained if file is not None]


def check_weights(
    trained: Sequence[TrainedFile],
    opened: OpenedData,
    known: Mapping[str, Mapping[str, Any]],
    folds: Sequence[int],
) -> None:
    """Refuse weights that have seen what a fold holds out.

    Args:
        trained: What ``trained_files`` returned.
        opened: The run's cases and folds.
        known: Digests of each case by id, as ``record_data`` returns.
        folds: Those that will be trained.

    Raises:
        LeakError: such cases are listed.
    """
    for file in trained:
        for fold in folds:
            held_out = {case.id: known[case.id]["sha256"] for case in opened.held_out(fold)}
            file.check(fold, held_out)


def record_weights(
    out: Path,
    recipe: Recipe,
    trained: Sequence[TrainedFile],
    own: Mapping[str, Mapping[str, Any]],
) -> dict[str, dict[str, Any]]:
    """Write which cases trained the weights and are none of the run's; return them for a bundle.

    Where a file is no longer there, what the run folder says of it is returned.
    """
    path = out / BEHIND
    if path.is_file() and not all(Path(name).is_file() for name in recipe.network.weight_files()):
        stored: dict[str, dict[str, Any]] = files.read_object(path)
        return stored
    rows: dict[str, dict[str, Any]] = {}
    for file in trained:
        rows |= indirect_cases(file.seen.cases, own, "weights")
    if rows:
        files.write_json(path, rows)
    return rows


def _of_bundle(path: Path) -> TrainedFile | None:
    member = member_of_file(path)
    if member is None:
        return None
    bundle, number = member
    return TrainedFile(path, bundle.members[number].fold, SeenCases.of_member(bundle, number))


def _of_run(path: Path) -> TrainedFile | None:
    """Return a checkpoint ``RUN/foldN/.../FILE``; None where the file lies in no run."""
    for folder in path.resolve().parents:
        data, number = folder.parent / "data.json", fold_number(folder.name)
        if number is not None and data.is_file():
            rows = files.read_object(data, "cases")["cases"]
            cases = {
                row["id"]: KnownCase(
                    sha256=(*row["sha256"], *row.get("sampled", ())), fold=row["fold"]
                )
                for row in rows
            }
            return TrainedFile(path, number, SeenCases(cases))
    return None
