"""What is examined: a recipe, a folder of data, or nothing but the machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lamina.data.case import Case
from lamina.data.catalogs import Catalog
from lamina.data.readers import images_below, open_volume
from lamina.doctor.case_statistics import CaseStatistics
from lamina.errors import DataError
from lamina.recipe.recipe import Recipe


@dataclass(frozen=True)
class Examined:
    """As much as could be opened. Cases are as the catalog lists them, not cut by the split."""

    recipe: Recipe | None = None
    """None where there is none, or where it could not open the data."""
    root: Path | None = None
    looks: tuple[CaseStatistics, ...] = ()
    """One for each case, in order."""
    broken: tuple[str, ...] = ()
    """Files that could not be opened, with the reason; only where there is no recipe."""
    folds: tuple[int, ...] | None = None
    """The fold of each case; None: there is no split, or it cuts cases."""
    split_problem: str | None = None
    """Why the cases cannot be split."""
    data: Catalog | None = None
    """Where the recipe looks for data, whether or not it could open them."""

    @property
    def cases(self) -> list[Case]:
        """The cases, in order."""
        return [look.case for look in self.looks]


def loose_cases(root: Path, *folders: Path) -> tuple[list[Case], list[str]]:
    """Return every readable file below ``root`` as a case without a target, and the broken ones.

    Args:
        root: What ids are relative to.
        folders: Where to look; none: in ``root``.
    """
    cases: list[Case] = []
    broken: list[str] = []
    every = [path for folder in folders or (root,) for path in images_below(folder, root)]
    for path in every:
        try:
            image = open_volume(path)
        except DataError as error:
            broken.append(str(error).splitlines()[0])
            continue
        name = path.relative_to(root).as_posix()
        cases.append(Case(name, name, image, files=(str(path),)))
    return cases, broken


def split_of(
    listed: Sequence[Case], assigned: Sequence[Case], folds: Sequence[int]
) -> tuple[list[Case], tuple[int, ...]] | None:
    """Return the cases that a split keeps, with their groups, in the order listed, and their folds.

    None: the split cut them into parts.
    """
    by_id = {case.id: (case, fold) for case, fold in zip(assigned, folds, strict=True)}
    kept = [case.id for case in listed if case.id in by_id]
    if len(kept) < len(by_id):
        return None
    return [by_id[id][0] for id in kept], tuple(by_id[id][1] for id in kept)
