"""Which cases must not be divided by a split: from tables, names and near twins."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lamina.data.case import Case
from lamina.data.splits.folds import GROUP_COLUMNS, Folds, read_groups
from lamina.doctor.case_statistics import CaseStatistics
from lamina.doctor.checks.near_twins import twins_of
from lamina.errors import DataError, LaminaError, RecipeError
from lamina.plan.tree import Tree

_PART = (
    r"(?i)^(.+?)[_\-. ](?:num|slice|sl|z|frame|fr|tile|patch|crop|section|sec|view|scan|part)"
    r"[_\-. ]?\d+"
)
_GROUPS = ("group", "patient", *(name.lower() for name in GROUP_COLUMNS))


@dataclass(frozen=True)
class Grouping:
    """Groups of cases, and the options of a split that say them."""

    options: Mapping[str, Any]
    said: str
    group_of: Mapping[str, str]
    twins: tuple[tuple[str, ...], ...] = ()
    joined: tuple[tuple[str, ...], ...] = ()
    """Those of the twins that stood in different groups."""

    @property
    def count(self) -> int:
        """Number of groups."""
        return len(set(self.group_of.values()))


def groups_of(
    tree: Tree, cases: Sequence[Case], wanted: str | None, looks: Sequence[CaseStatistics]
) -> Grouping:
    """Return the groups of cases.

    Args:
        tree: Of the data folder.
        cases: As the catalog lists them.
        wanted: A table below the data folder or a regular expression, as ``--groups`` says; None:
            a table that names all cases, or parts of names, or each case by itself.
        looks: Statistics of each case, by which near twins are found; none: they are not sought.

    Raises:
        RecipeError: ``wanted`` is neither.
        DataError: the table does not name every case.
    """
    found = _asked(tree, cases, wanted) if wanted is not None else _seen(tree, cases)
    twins = tuple(tuple(sorted(cases[k].id for k in group)) for group in twins_of(looks))
    apart = [one for one in twins if len({found.group_of[id] for id in one}) > 1]
    if not apart:
        return Grouping(found.options, found.said, found.group_of, twins)
    options = {**found.options, "together": [list(one) for one in apart]}
    joined, _ = Folds(**{**options, "count": 1}).assign(cases, tree.root)
    said = f"{found.said}; {len(apart)} sets of near twins joined"
    group_of = {case.id: case.group for case in joined}
    return Grouping(options, said, group_of, twins, tuple(apart))


def _asked(tree: Tree, cases: Sequence[Case], wanted: str) -> Grouping:
    if wanted.lower().endswith((".csv", ".tsv")):
        path = Path(wanted)
        inside = path if path.is_absolute() else tree.root / path
        if not inside.is_file() and path.is_file():
            inside = path.absolute()
        if not inside.resolve().is_relative_to(tree.root.resolve()):
            raise RecipeError(
                f"--groups is '{wanted}', and a recipe names tables below the data folder; copy it "
                f"to {tree.root}"
            )
        name = inside.resolve().relative_to(tree.root.resolve()).as_posix()
        rows = read_groups(inside, cases)
        return Grouping({"groups": name}, f"by {name}, as asked for", rows)
    try:
        split = Folds(count=1, group_by=wanted)
    except LaminaError as error:
        said = str(error).splitlines()[-1].strip()
        raise RecipeError(f"--groups is '{wanted}': {said}") from None
    grouped, _ = split.assign(cases, tree.root)
    found = {case.id: case.group for case in grouped}
    return Grouping({"group_by": wanted}, f"by '{wanted}' in names, as asked for", found)


def _seen(tree: Tree, cases: Sequence[Case]) -> Grouping:
    for name in tree.named(".csv"):
        if "/" in name or not _has_groups(tree, name):
            continue
        try:
            rows = read_groups(tree.root / name, cases)
        except DataError:
            continue  # it names other things
        if len(set(rows.values())) > 1:
            return Grouping({"groups": name}, f"by {name}, which names every case", rows)
    own = {case.id: case.group for case in cases}
    if len(set(own.values())) < len(cases):
        return Grouping({}, "as the files say", own)
    hits = {case.id: re.search(_PART, case.id) for case in cases}
    named = {id: hit[1] if hit else id for id, hit in hits.items()}
    if all(hits.values()) and 2 < len(set(named.values())) <= len(cases) / 2:
        first = min(named.values())
        said = f"by what stands before the number of a part in names, such as '{first}'"
        return Grouping({"group_by": _PART}, said, named)
    return Grouping({}, "each case by itself: no table and no names say more", own)


def _has_groups(tree: Tree, name: str) -> bool:
    line = tree.head(name, 4096).decode("utf-8-sig", errors="replace").splitlines()[:1]
    columns = [cell.strip().lower() for cell in next(csv.reader(line), [])]
    return any(column in _GROUPS for column in columns)
