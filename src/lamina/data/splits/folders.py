"""The split that the folders of a data set are: train/, val/ and test/."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import ConfigDict, Field

from lamina.data.case import MAIN, Case
from lamina.data.splits.base import Split
from lamina.data.splits.folds import read_groups
from lamina.data.tables.folds import check_groups
from lamina.errors import DataError
from lamina.files import safe_join
from lamina.progress import say

HELD_OUT = ("val", "valid", "validation", "validate", "dev")
TEST = ("test", "testing")


class Folders(Split):
    """One fold: cases in a folder such as val/ are held out, those in test/ are left out.

    All others are trained on. The folder is one that the id of a case begins with or holds, such
    as ``val`` of ``val/a``: of data in ``images/val/a.png``, or in ``val/images/a.png`` with
    ``data.images: '{split}/images/{id}.png'``. Letters count in either case.

    A recipe writes ``validate``; in Python the field is ``validation``.
    """

    model_config = ConfigDict(serialize_by_alias=True, validate_by_name=True)

    kind: Literal["folders"] = "folders"
    by_folder: ClassVar[bool] = True

    validation: tuple[str, ...] = Field(default=HELD_OUT, min_length=1, alias="validate")
    """Names of the folders that are held out."""

    test: tuple[str, ...] = TEST
    """Names of the folders that are neither trained on nor held out."""

    groups: str | None = None
    """Table below the data folder that names the group of each image, by its id or file name;
    null: as the catalog says. A group in two folders is refused."""

    def assign(self, cases: Sequence[Case], root: Path) -> tuple[list[Case], list[int]]:
        """Return the cases that are not in a test folder: fold 0 in validation folders, else -1.

        Raises:
            DataError: no case is held out, or none is left to train on; a table is missing, or
                lacks cases.
            LeakError: a group stands on both sides.
        """
        sides = [self._side(case) for case in cases]
        for side, what in ((0, "held out"), (-1, "left to train on")):
            if side not in sides:
                raise DataError(f"{root}: no case is {what}; {self._there(cases)}")
        group_of = {} if self.groups is None else read_groups(safe_join(root, self.groups), cases)
        grouped = [replace(case, group=group_of.get(case.id, case.group)) for case in cases]
        kept = [(case, side) for case, side in zip(grouped, sides, strict=True) if side is not None]
        if len(kept) < len(cases):
            say(
                f"{root}: {len(cases) - len(kept)} cases in {'/ or '.join(self.test)}/ are neither "
                "trained on nor held out; split.test names these folders"
            )
        found, folds = [case for case, _ in kept], [side for _, side in kept]
        check_groups(found, folds)
        return found, folds

    def _side(self, case: Case) -> int | None:
        """Return the fold of a case; None: it is left out."""
        if case.part != MAIN:
            return -1
        folders = [part.lower() for part in case.id.split("/")[:-1]]
        for folder in folders:
            if folder in {name.lower() for name in self.test}:
                return None
            if folder in {name.lower() for name in self.validation}:
                return 0
        return -1

    def _there(self, cases: Sequence[Case]) -> str:
        """Return which folders there are, and what to do about it."""
        folders = Counter(case.id.partition("/")[0] if "/" in case.id else "" for case in cases)
        folders.pop("", None)
        if not folders:
            return (
                f"ids such as '{cases[0].id if cases else ''}' name no folder; set data.images to "
                "the folder above train/ and val/, or to '{split}/images/{id}.*'"
            )
        named = ", ".join(f"{name}/ ({count})" for name, count in sorted(folders.items()))
        return (
            f"folders are {named}; set split.validate to those that are held out, now "
            f"{', '.join(self.validation)}"
        )
