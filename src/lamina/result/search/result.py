"""What a search hands over: the numbers of the decision, and how far to trust them."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from pydantic import Field

from lamina.result.decisions import Threshold
from lamina.result.search.image_gate import Gate
from lamina.spec import Spec


class Choice(NamedTuple):
    """What one class is decided by: the code of a threshold (``codes``) and two minimum sizes."""

    code: int
    min_area: int
    min_component: int = 0


class Aim(Spec):
    """What is searched for: the mean or the pooled value of hits / (hits + misses weighted).

    The value is tp / (tp + a fp + b fn) (Tversky 1977): Dice and F1 have a = b = 1/2, F-beta
    a = 1 / (1 + beta^2) and b = 1 - a, intersection over union a = b = 1.
    """

    over: Literal["case", "class", "case_foreground", "foreground"] = "case"
    """case: mean over cases, class by class; class: all cases pooled, class by class;
    case_foreground and foreground: the same where any class counts, with one threshold for all."""

    false_positive: float = Field(default=0.5, ge=0)
    """Weight a of pixels predicted and not true."""

    false_negative: float = Field(default=0.5, ge=0)
    """Weight b of pixels true and not predicted."""

    empty: Literal["one", "zero", "skip"] = "one"
    """The value where neither prediction nor truth has a pixel; skip: such cases do not count."""

    @property
    def by_case(self) -> bool:
        """Whether the value is a mean over cases."""
        return self.over in ("case", "case_foreground")

    @property
    def any_class(self) -> bool:
        """Whether any class counts."""
        return self.over in ("case_foreground", "foreground")


class Curve(Spec):
    """The score at thresholds from 0 to 1."""

    threshold: tuple[float, ...]
    """Thresholds, ascending."""

    best: tuple[float, ...]
    """Score with the best minimum area of each threshold."""

    plain: tuple[float, ...]
    """Score without a minimum area."""


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

    auc: float | None
    """How well the highest probability tells cases with the class from cases without."""

    cases: int
    """Number of cases."""

    present: int
    """Number of cases with the class."""

    curve: Curve
    """The aim over thresholds, for the report."""


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
    """Any class against none by a threshold and a least area, pooled; None: of a single class, or
    where the aim itself is of any class."""

    score: float
    """Mean over classes of the aim; the value of the foreground where that is the aim."""

    empty: float
    """The same when nothing is predicted."""

    default: float
    """The same at 0.5 without a minimum area."""

    cross: float | None
    """The same when each fold is judged with the numbers chosen on the others."""

    def single(self) -> tuple[Threshold, float]:
        """Return the best threshold of each class alone, without any area, and its mean score.

        Thresholds are those of ``curve``.
        """
        peaks = [int(np.argmax(one.curve.plain)) for one in self.classes]
        chosen = [one.curve.threshold[at] for one, at in zip(self.classes, peaks, strict=True)]
        scores = [one.curve.plain[at] for one, at in zip(self.classes, peaks, strict=True)]
        return Threshold(threshold=tuple(chosen)), float(np.mean(scores))

    def decision(self, start: Threshold | None = None) -> Threshold:
        """Return the decision with these numbers; what was not searched is as in ``start``."""
        start = start or Threshold()
        if self.aim.any_class:
            return start.model_copy(update={"threshold": self.foreground.threshold, "min_area": 0})
        changes: dict[str, object] = {
            "threshold": tuple(one.threshold for one in self.classes),
            "min_area": tuple(one.min_area for one in self.classes),
        }
        if len(self.classes) > 1:
            changes["foreground"] = self.foreground.threshold
            if self.gate is not None and self.gate.score > self.foreground.score:
                changes["foreground"] = self.gate.threshold
                changes["foreground_area"] = self.gate.min_area
        if self.parts:
            changes["min_component"] = tuple(one.min_component for one in self.classes)
        return start.model_copy(update=changes)
