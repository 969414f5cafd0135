"""What a command says of a training besides recipe, data and folder."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lamina.public import StrPath, as_path, at_least
from lamina.recipe.recipe import Recipe
from lamina.training.dataset import index_of
from lamina.training.saving.state import Saving
from lamina.training.sources.prepared_run import PreparedRun, prepare_run


@dataclass(frozen=True)
class TrainOptions:
    """What a command says of a training besides recipe, data and folder; see ``train``."""

    folds: Sequence[int] | None
    workers: int | None
    saving: Saving
    max_minutes: float | None
    track: Sequence[str]
    accept_changes: bool
    pseudo: Path | None
    start: Path | None
    online: bool
    index: Path | None
    verify_data: bool
    begun: float = field(default_factory=time.monotonic)

    @classmethod
    def of(
        cls,
        *,
        pseudo: StrPath | None,
        start: StrPath | None,
        index: StrPath | None,
        save_minutes: float,
        keep_state: bool,
        **values: Any,
    ) -> TrainOptions:
        """Return them checked.

        Raises:
            RecipeError: a value cannot be used.
        """
        found = cls(
            pseudo=None if pseudo is None else as_path(pseudo, "pseudo"),
            start=None if start is None else as_path(start, "start"),
            index=None if index is None else as_path(index, "index"),
            saving=Saving(save_minutes, keep_state),
            **values,
        )
        at_least(
            0,
            workers=found.workers,
            save_minutes=save_minutes,
            max_minutes=found.max_minutes,
        )
        return found

    def prepared(self, recipe: Recipe, data: Path, out: Path) -> PreparedRun:
        """Return a run of a recipe, opened and written down in its locked folder."""
        return prepare_run(
            recipe,
            data,
            out,
            folds=self.folds,
            accept_changes=self.accept_changes,
            pseudo=self.pseudo,
            start=self.start,
            index=index_of(recipe, out, self.index, verify=self.verify_data),
        )
