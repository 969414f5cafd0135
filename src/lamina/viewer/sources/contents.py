"""What a folder holds at one moment, and when it is worth reading again."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lamina.data.case import Case
from lamina.prediction.folder.predictions import Predictions
from lamina.recipe.recipe import Recipe
from lamina.result.decisions import AnyDecision, Expected


@dataclass(frozen=True)
class FoundCase:
    """A predicted case; no pixel of it is read."""

    case: Case
    """Its id is that of the prediction. Without a target there is no truth."""
    predictions: Predictions
    """Decides as the folder says now."""
    fold: int | None
    """The fold that held it out; None: it is of a folder of predictions."""

    @property
    def stamp(self) -> tuple[str, str]:
        """What changes when it is predicted anew, or decided otherwise."""
        decided = [self.predictions.decision, *self.predictions.calibration]
        return self.digest, " ".join(one.model_dump_json() for one in decided)

    @property
    def digest(self) -> str:
        """The digest of its probabilities, as the ledger notes it."""
        row = self.predictions.ledger.row(self.predictions.case(self.case.id)) or {}
        return str(row.get("probability"))


@dataclass(frozen=True)
class Contents:
    """All that a folder holds at one moment."""

    folder: Path
    recipe: Recipe
    decision: AnyDecision
    cases: tuple[FoundCase, ...]
    asked: int
    """Cases that are predicted or will be; those of folds that are not begun are not known."""
    outlook: Expected | None = None
    """What tells the score expected of a case; None: not tuned."""
    problems: tuple[str, ...] = ()
    """Why cases cannot be shown, in words."""


class Source(ABC):
    """A folder that is only read."""

    is_run = False
    """Whether it is a run folder, which has curves."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @abstractmethod
    def read(self) -> Contents:
        """Return what the folder holds now.

        Raises:
            DataError: it is not such a folder, or a file in it is damaged.
        """

    @abstractmethod
    def watched(self) -> Iterable[Path]:
        """Yield the files that change when there is something new."""

    def stamp(self) -> tuple[tuple[str, int, int], ...]:
        """Return what differs once any watched file has changed."""
        found = []
        for path in self.watched():
            try:
                about = path.stat()
            except OSError:
                continue
            found.append((str(path), about.st_mtime_ns, about.st_size))
        return tuple(found)
