"""Folds of equal size that keep groups together and strata level."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain, pairwise
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator

from lamina import seeding
from lamina.data.case import MAIN, Case
from lamina.data.names import nfc
from lamina.data.splits.base import Split
from lamina.data.tables.case_names import CASE_COLUMNS, both_names, rows_of
from lamina.data.tables.csv import read_table
from lamina.data.tables.folds import check_groups, read_folds
from lamina.errors import DataError, listed
from lamina.files import safe_join
from lamina.spec import ADDED_LATER

GROUP_COLUMNS = ("group_id", "patient_id", "PatientId", "subject", "subject_id")
"""What a column of groups may be called, too."""

_PASSES = 10  # over all groups when folds are dealt; two or three usually do
_ROUNDED = 1e12  # parts of one that shares of folds are compared in


class Folds(Split):
    """Each case is held out in exactly one of ``count`` folds; a group stays in one fold.

    With a ``count`` of 1 nothing is held out, and one member learns from every case.
    """

    kind: Literal["folds"] = "folds"

    count: int = Field(default=5, ge=1)
    """Number of folds; 1: hold nothing out and train one member on every case, without a held-out
    score."""

    groups: str | None = None
    """Table below the data folder that names the group of each image, by its id or file name;
    null: as the catalog says."""

    stratify: Literal["none", "classes", "count"] = "none"  # STEEL-6
    """Spread evenly over folds: the set of classes of an image, or their number."""

    seed: int = Field(default=0, ge=0)
    """Another seed, another split."""

    path: str | None = None
    """Existing folds.csv below the data folder to use as it is, or a splits_final.json of nnU-Net;
    null: folds are dealt."""

    group_by: Annotated[str | None, ADDED_LATER] = None
    """Regular expression in the ids of cases; those for which its first part in brackets is the
    same form a group, such as '(.+)_slice'. Where it is not found the id is the group; null: as
    groups says."""

    together: Annotated[tuple[tuple[str, ...], ...], ADDED_LATER] = ()
    """Ids of cases whose groups become one, such as almost equal images."""

    @field_validator("group_by")
    @classmethod
    def _a_group_can_be_found(cls, text: str | None) -> str | None:
        if text is None:
            return text
        try:
            parts = re.compile(text).groups
        except re.error as error:
            raise ValueError(f"'{text}' is no regular expression: {error}") from None
        if parts != 1:
            raise ValueError(f"'{text}' has {parts} parts in brackets; it needs one, the group")
        return text

    @model_validator(mode="after")
    def _groups_come_from_one_place(self) -> Self:
        if self.groups is not None and self.group_by is not None:
            raise ValueError("groups and group_by are both set; leave one out")
        return self

    def assign(self, cases: Sequence[Case], root: Path) -> tuple[list[Case], list[int]]:
        """Return the cases with their groups, and the fold of each.

        Whole groups are dealt, those with much of a rare stratum and the large ones first, each
        to the fold that holds least of what the group brings: of its strata, each in shares of
        the whole, and of cases. Then each is taken up again as long as one fits better elsewhere.
        For groups of one this makes folds whose sizes, in all and of each stratum, differ by at
        most one. Cases of another part than main are always trained on: fold -1 (SIIM-5).

        Raises:
            DataError: a table is missing, or lacks cases; there are fewer groups than folds; the
                catalog does not know the classes that ``stratify`` needs.
            LeakError: the folds of ``path`` put a group on both sides.
        """
        grouped = list(cases)
        if self.groups is not None:
            group_of = read_groups(safe_join(root, self.groups), cases)
            grouped = [replace(case, group=group_of[case.id]) for case in cases]
        if self.group_by is not None:
            grouped = [replace(case, group=_group(self.group_by, case.id)) for case in cases]
        grouped = _joined(grouped, self.together)
        if self.path is not None:
            folds = self._given(grouped, safe_join(root, self.path))
        elif self.count == 1:
            folds = [-1] * len(grouped)
        else:
            dealt = iter(self._dealt([case for case in grouped if case.part == MAIN]))
            folds = [next(dealt) if case.part == MAIN else -1 for case in grouped]
            check_groups(grouped, folds)
        return grouped, folds

    def _given(self, cases: Sequence[Case], path: Path) -> list[int]:
        rows = read_folds(path)
        ids = [case.id for case in cases]
        fold_of = rows_of(ids, rows)
        _refuse_lost(path, "fold", ids, fold_of, rows)
        folds = [fold_of[case.id] for case in cases]
        over = sorted({fold for fold in folds if not -1 <= fold < self.count})
        if over:
            raise DataError(
                f"{path}: holds fold {over[0]}, but split.count is {self.count}; folds count from "
                "0, and -1 is always trained on"
            )
        check_groups(cases, folds)
        return folds

    def _dealt(self, cases: Sequence[Case]) -> list[int]:
        members: dict[str, list[int]] = defaultdict(list)
        for index, case in enumerate(cases):
            members[case.group].append(index)
        if len(members) < self.count:
            raise DataError(_too_few(self.count, len(members), cases))
        strata = [self._stratum(case) for case in cases]
        loads = _loads(list(members.values()), strata)
        folds = [0] * len(cases)
        rng = seeding.rng(self.seed, "folds")
        for indices, fold in zip(members.values(), _deal(loads, self.count, rng), strict=True):
            for index in indices:
                folds[index] = fold
        return folds

    def _stratum(self, case: Case) -> str:
        if self.stratify == "none":
            return ""
        if "classes" not in case.facts:
            raise DataError(
                f"case {case.id}: the catalog does not know its classes without reading pixels; "
                "set split.stratify to none"
            )
        classes = str(case.facts["classes"])
        if self.stratify == "classes" or not classes:
            return classes
        return str(1 + classes.count(","))


def _group(pattern: str, id: str) -> str:
    hit = re.search(pattern, id)
    return id if hit is None or hit[1] is None else hit[1]


def _joined(cases: list[Case], together: Sequence[Sequence[str]]) -> list[Case]:
    """Return cases whose groups are one where some of their cases are to stay together.

    Raises:
        DataError: an id is that of no case.
    """
    if not together:
        return cases
    group_of = {case.id: case.group for case in cases}
    lost = [id for ids in together for id in ids if id not in group_of]
    if lost:
        raise DataError(listed("split.together names cases that are not there; correct it", lost))
    first: dict[str, str] = {}

    def root(group: str) -> str:
        while group in first:
            group = first[group]
        return group

    for one, other in chain.from_iterable(map(pairwise, together)):
        target = root(group_of[one])
        if (joined := root(group_of[other])) != target:
            first[joined] = target
    return [replace(case, group=root(case.group)) for case in cases]


def _too_few(count: int, groups: int, cases: Sequence[Case]) -> str:
    """Return why cases cannot be dealt into so many folds, and what to do."""
    those = f"the {len(cases)} cases form" if len(cases) > 1 else "the one case forms"
    what = f"split.count is {count}, but {those} only {groups} group{'s' * (groups != 1)}; set"
    if groups > 1:
        return f"{what} split.count to {groups} at most"
    if len(cases) and max(cases[0].image.shape) < 2:
        return f"{what} split.count to 1, which holds nothing out"
    return (
        f"{what} split.count to 1, which holds nothing out, or hold a part of each image out, such "
        f"as by -s '{_sections(cases)}'"
    )


def _sections(cases: Sequence[Case]) -> str:
    """Return an option that holds out the last quarter of each case, where its axis is longest."""
    axes, shape = cases[0].image.axes, cases[0].image.shape
    axis = axes[int(np.argmax(shape))]
    long = min(case.image.shape[axes.index(axis)] for case in cases)
    at = max(1, long * 3 // 4)
    return f"split={{kind: sections, axis: {axis}, train: [[0, {at}]], validate: [[{at}, {long}]]}}"


def read_groups(path: Path, cases: Sequence[Case]) -> dict[str, str]:
    """Return the group of each case from a table with columns ImageId (or id) and Group.

    The second may be called Patient.
    Rows of other images are passed over. A row names a case as ``rows_of`` says: by id or by file
    name.

    Raises:
        DataError: a column is missing, a case is missing or has two groups.
    """
    table = read_table(path)
    name = table.column("ImageId", "case", "id", *CASE_COLUMNS)
    group = table.column("Group", "Patient", *GROUP_COLUMNS)
    if name is None or group is None:
        raise DataError(
            f"{path}: line 1: has the columns {', '.join(table.columns)}; needed are ImageId (or "
            "case, or id) and Group (or Patient)"
        )
    found: dict[str, str] = {}
    double = [
        f"line {row.line}: '{row.cells[name]}' in '{row.cells[group]}', before in '{first}'"
        for row in table.rows
        if (first := found.setdefault(nfc(row.cells[name]), row.cells[group])) != row.cells[group]
    ]
    if double:
        raise DataError(listed(f"{path}: a case is in two groups; keep one row", double))
    ids = [case.id for case in cases]
    group_of = {id: name for id, name in rows_of(ids, found).items() if name}
    _refuse_lost(path, "group", ids, group_of, found)
    return group_of


def _refuse_lost(
    path: Path, what: str, ids: Sequence[str], found: Mapping[str, object], rows: Iterable[str]
) -> None:
    """Refuse a table without a row for each case; the message shows both sides' names."""
    lost = [id for id in ids if id not in found]
    if lost:
        raise DataError(
            listed(
                f"{path}: {len(lost)} cases have no {what}; add a row each ("
                f"{both_names(lost, rows)})",
                lost,
            )
        )


def _loads(groups: Sequence[Sequence[int]], strata: Sequence[str]) -> NDArray[np.float64]:
    """Return what each group brings: (groups, 1 + strata); the first column counts cases."""
    column = {stratum: 1 + i for i, stratum in enumerate(sorted(set(strata)))}
    sizes = [len(indices) for indices in groups]
    row = np.repeat(np.arange(len(groups)), sizes)
    of_case = np.asarray([column[stratum] for stratum in strata])[list(chain(*groups))]
    shape = (len(groups), 1 + len(column))
    each = np.bincount(np.ravel_multi_index((row, of_case), shape), minlength=shape[0] * shape[1])
    loads: NDArray[np.float64] = each.reshape(shape).astype(np.float64)
    loads[:, 0] = sizes
    return loads


def _deal(loads: NDArray[np.float64], count: int, rng: np.random.Generator) -> list[int]:
    """Return the fold of each row of ``loads`` (groups, quantities)."""
    shares = loads / loads.sum(0)
    rarest = shares[:, 1:].max(1)  # a case of a rare stratum is a large share of it
    shuffled = rng.permutation(len(loads))
    order = shuffled[np.lexsort((-loads[shuffled, 0], -rarest[shuffled]))]
    held, fits = np.zeros((count, loads.shape[1])), np.zeros(count)
    of_fold = list(held)
    folds = [-1] * len(loads)
    for _ in range(_PASSES):
        before = folds.copy()
        for group in order.tolist():
            share, fold = shares[group], folds[group]
            if fold >= 0:  # on later passes a group may move to where it now fits better
                np.subtract(of_fold[fold], share, out=of_fold[fold])
            np.matmul(held, share, out=fits)
            # rounded, so that the order of additions in a matrix product cannot break a tie
            rounded = [round(value * _ROUNDED) for value in fits.tolist()]
            folds[group] = fold = rounded.index(min(rounded))
            np.add(of_fold[fold], share, out=of_fold[fold])
        if folds == before:
            break
    return folds
