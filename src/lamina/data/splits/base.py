"""What every split promises."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from lamina.data.case import Case
from lamina.spec import Spec


class Split(Spec):
    """Which cases are held out in which fold; a group never stands on both sides."""

    cuts: ClassVar[bool] = False
    """Whether cases are cut, and parts of them held out."""

    by_folder: ClassVar[bool] = False
    """Whether folders such as train/ and val/ are the split."""

    def notes(self, cases: Sequence[Case]) -> list[str]:
        """Return what a person should know of how the split suits the cases, a line each."""
        del cases
        return []

    @abstractmethod
    def assign(self, cases: Sequence[Case], root: Path) -> tuple[list[Case], list[int]]:
        """Return the cases, cut or regrouped where the split says so, and the fold of each.

        Args:
            cases: What a catalog listed.
            root: The data folder; tables that the split names lie below it.

        Returns:
            As many folds as cases; a case of fold k is validated in run k and trained on in all
            others; fold -1 is always trained on.

        Raises:
            DataError: a table is missing or wrong, or the cases cannot be split this way.
            LeakError: a group stands on both sides; every such group is listed.
        """
