"""What a search hands over: the numbers of the decision, and how far to trust them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lamina.result.decisions import Threshold
from lamina.result.search.image_gate import Gate
from lamina.spec import Spec
from lamina.task import Aim


class Choice(NamedTuple):
    """What one class is decided by: the code of a threshold (``codes``) and two minimum sizes."""

    code: int
    min_area: int
    min_component: int = 0


class Curve(Spec):
    """The score at thresholds from 0 to 1."""

    threshold: tuple[float, ...]
    """Thresholds, ascending."""

    best: tuple[float, ...]
    """Score with the best minimum area of each threshold."""

    plain: tuple[float, ...]
    """Score without a minimum area."""


class FoldNumbers(Spec):
    """What one class of a fold is decided by: numbers chosen on the cases of all other folds."""

    fold: int
    """The fold that had no part in the choice."""

    threshold: float
    """As in ``ClassFound``."""

    min_area: int
    """As in ``ClassFound``."""

    min_component: int = 0
    """As in ``ClassFound``."""

    single: float
    """The best threshold without an area."""


class ClassFound(Spec):
    """The best numbers of one class, on the cases they were chosen on."""

    threshold: float
    """A pixel belongs to the class where p is above; 1: the class is always left empty."""

    min_area: int
    """A case with fewer pixels of the class is emptied."""

    min_component: int = 0
    """Connected parts with fewer pixels are dropped first; 0 where parts were not searched."""

    score: float
    """The aim with these numbers."""

    empty: float
    """The aim when the class is never predicted; ``score`` is never below."""

    default: float
    """The aim at a threshold of 0.5 without a minimum area."""

    cross: float | None
    """The aim when each fold is judged with the numbers chosen on the others; None: one fold."""

    folds: tuple[FoldNumbers, ...] = ()
    """Numbers for each fold, chosen on the others; none: there is one fold."""

    auc: float | None
    """How well the highest probability tells cases with the class from cases without."""

    cases: int
    """Number of cases."""

    present: int
    """Number of cases with the class."""

    curve: Curve
    """The aim over thresholds, for the report."""

    def without(self, fold: int | None) -> ClassFound | FoldNumbers:
        """Return the numbers chosen without a fold; None: those chosen on all cases."""
        return self if fold is None else next(one for one in self.folds if one.fold == fold)

    @property
    def single(self) -> float:
        """The best threshold without an area, of those of ``curve``."""
        return self.curve.threshold[int(np.argmax(self.curve.plain))]


class Found(Spec):
    """The best numbers of all classes."""

    aim: Aim
    """What was searched for."""

    parts: bool = False
    """Whether the least connected part was searched as well."""

    classes: tuple[ClassFound, ...]
    """One for each output, in the task's order."""

    foreground: ClassFound
    """Any class against none: one threshold for all classes, on the highest of their maps. Its
    score is the aim where any class counts there, else Dice with all cases pooled."""

    gate: Gate | None = None
    """Any class against none by a threshold and a minimum area, pooled; None: of a single class, or
    where the aim itself is of any class."""

    score: float
    """Mean over classes of the aim; the value of the foreground where that is the aim."""

    empty: float
    """The same when nothing is predicted."""

    default: float
    """The same at 0.5 without a minimum area."""

    cross: float | None
    """The same when each fold is judged with the numbers chosen on the others."""

    def single(self, fold: int | None = None) -> Threshold:
        """Return the best threshold of each class alone, of those of ``curve``, without any area.

        Where the aim is any class, one threshold serves all.

        Args:
            fold: As for ``decision``.
        """
        if self.aim.any_class:
            return Threshold(threshold=self.foreground.without(fold).single)
        return Threshold(threshold=tuple(class_.without(fold).single for class_ in self.classes))

    def decision(self, start: Threshold | None = None, fold: int | None = None) -> Threshold:
        """Return the decision with these numbers; what was not searched is as in ``start``.

        Args:
            start: The recipe's decision.
            fold: With the masks of this fold's held-out cases, by numbers chosen on the other
                folds; None: by those chosen on all cases.
        """
        start = start or Threshold()
        if self.aim.any_class:
            threshold = self.foreground.without(fold).threshold
            return start.model_copy(update={"threshold": threshold, "min_area": 0})
        classes = [class_.without(fold) for class_ in self.classes]
        changes: dict[str, object] = {
            "threshold": tuple(one.threshold for one in classes),
            "min_area": tuple(one.min_area for one in classes),
        }
        if fold is None and len(self.classes) > 1:
            changes["foreground"] = self.foreground.threshold
            if self.gate is not None and self.gate.score > self.foreground.score:
                changes["foreground"] = self.gate.threshold
                changes["foreground_area"] = self.gate.min_area
        if self.parts:
            changes["min_component"] = tuple(one.min_component for one in classes)
        return start.model_copy(update=changes)
