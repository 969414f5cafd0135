"""What a search for triplets hands over: the numbers, and how much hangs on them."""

from __future__ import annotations

from typing import Literal, NamedTuple

from lamina.result.decisions import Triplet
from lamina.spec import Spec
from lamina.task import Aim


class Triple(NamedTuple):
    """Upper threshold, area in pixels, lower threshold."""

    top: float
    area: int
    bottom: float


NEVER = Triple(1.0, 1, 1.0)
"""Every image is left empty."""


class FoldTriplet(Spec):
    """The triplet of one fold, chosen by the same rule on the cases of all other folds."""

    fold: int
    """The fold that had no part in the choice."""

    top: float
    """As in ``Peak``."""

    area: int
    """As in ``Peak``."""

    bottom: float
    """As in ``Peak``."""


class Peak(Spec):
    """A triplet and its score, on the cases it was chosen on."""

    top: float
    """Pixels above are sure; 1 beside an area of 1: always empty."""

    area: int
    """The least number of sure pixels."""

    bottom: float
    """Pixels above are in the mask."""

    score: float
    """The aim with these numbers."""

    cross: float | None
    """The aim when each fold is judged with the triplet that the same rule chose on the others;
    None: one fold."""

    folds: tuple[FoldTriplet, ...] = ()
    """Triplets for each fold, chosen on the others; none: there is one fold."""

    around: float
    """Mean score of the neighbours: both thresholds within 0.05, half to double the area."""

    around_least: float
    """The lowest score among these neighbours."""

    def without(self, fold: int | None) -> Peak | FoldTriplet:
        """Return the triplet chosen without a fold; None: the one chosen on all cases."""
        return self if fold is None else next(one for one in self.folds if one.fold == fold)


class Surface(Spec):
    """The score over upper thresholds and areas, each with its best lower threshold."""

    top: tuple[float, ...]
    """Upper thresholds, ascending."""

    area: tuple[int, ...]
    """Areas, ascending, in pixels."""

    score: tuple[tuple[float, ...], ...]
    """A row for each upper threshold, a number for each area."""


class TripletClass(Spec):
    """The triplets found for one class."""

    best: Peak
    """The highest score of all."""

    flat: Peak
    """The flattest of those nearly as high; see ``TripletSearch.choice``."""

    choice: Literal["best", "flat"]
    """Which of both is taken."""

    empty: float
    """The aim when the class is never predicted; neither peak is below."""

    default: float
    """The aim at a single threshold of 0.5 without an area."""

    threshold: float
    """The best single threshold without an area, among those tried as ``bottom``."""

    threshold_score: float
    """The aim there."""

    cases: int
    """Number of cases."""

    present: int
    """Number of cases with the class."""

    surface: Surface
    """For the report."""

    @property
    def chosen(self) -> Peak:
        """The peak that is taken."""
        return self.best if self.choice == "best" else self.flat


class TripletFound(Spec):
    """The triplets of all classes."""

    aim: Aim
    """What was searched for."""

    unit: Literal["image", "component"]
    """What an area is asked of."""

    tried: str
    """What was tried, in words."""

    classes: tuple[TripletClass, ...]
    """One for each output, in the task's order."""

    score: float
    """Mean over classes of the aim with the chosen triplets."""

    empty: float
    """The same when nothing is predicted."""

    default: float
    """The same at 0.5 without an area."""

    cross: float | None
    """The same when each fold is judged by triplets that the same rule chose on the others."""

    def decision(self, start: Triplet | None = None, fold: int | None = None) -> Triplet:
        """Return the decision with these numbers; what was not searched is as in ``start``.

        Args:
            start: The recipe's decision.
            fold: By triplets chosen on the folds other than this; None: on all cases.
        """
        chosen = [class_.chosen.without(fold) for class_ in self.classes]
        changes = {
            "top": tuple(one.top for one in chosen),
            "area": tuple(one.area for one in chosen),
            "bottom": tuple(one.bottom for one in chosen),
        }
        if len(chosen) == 1:
            changes = {name: values[0] for name, values in changes.items()}  # type: ignore[misc]
        return (start or Triplet()).model_copy(update=changes)
