"""What every metric promises."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from lamina.spec import Spec
from lamina.task import Aim, Task


@dataclass(frozen=True)
class Score:
    """A metric's value with its parts.

    ``value`` is never NaN; ``classes`` has one value per output, in the task's order; a class
    that the rule leaves undefined is None.
    """

    value: float
    classes: tuple[float | None, ...]


class Metric(Spec):
    """A score gathered case by case: a small tally per case, never the predictions."""

    masks: ClassVar[bool] = True
    """Whether masks (or, where ``soft``, their probabilities) can be judged."""

    values: ClassVar[bool] = True
    """Whether the values of a restore task can be judged."""

    soft: ClassVar[bool] = False
    """Whether probabilities are judged as they are, in place of decided masks."""

    adds_up: ClassVar[bool] = False
    """Whether tallies of the slabs of a volume, cut along its first axis, add up to its own."""

    @abstractmethod
    def tally(
        self,
        answer: NDArray[Any],
        target: NDArray[Any],
        valid: NDArray[np.bool_] | None = None,
    ) -> NDArray[np.float64]:
        """Return what this case adds, a small array that JSON can hold.

        Args:
            answer: (K, *S) bool masks, or values for image-to-image metrics.
            target: (K, *S) bool masks (one-hot where classes exclude each other), or values.
            valid: (*S) True where a pixel counts; None: all count.
        """

    @abstractmethod
    def score(self, tallies: Iterable[NDArray[np.float64]]) -> Score:
        """Return the score over all cases.

        Raises:
            ValueError: there are no tallies.
        """

    @abstractmethod
    def aim(self, outputs: int) -> Aim:
        """Return what ``lamina tune`` searches for, so that the metric is as high as it can be.

        Args:
            outputs: Number of classes; with one, any class is that class.

        Raises:
            RecipeError: no decision changes the metric; the message says why.
        """

    def suited(self, task: Task) -> Self:
        """Return the metric with what it leaves to the task filled in; others as they are."""
        del task
        return self

    @property
    def first(self) -> int:
        """Number of the first class that counts: 1 where class 0 is left out, else 0."""
        return 0

    @property
    def higher_is_better(self) -> bool:
        """Which way is up."""
        return True

    @property
    @abstractmethod
    def title(self) -> str:
        """One line for tables: the name with scope and empty rule stated."""


class ClassMetric(Metric):
    """A metric of masks by class, of which the background of exclusive classes is left out."""

    if TYPE_CHECKING:  # an option of each metric, in its own place among the others
        ignore_first: bool | None

    @property
    def first(self) -> int:
        """1 where ``ignore_first``, else 0."""
        return int(bool(self.ignore_first))

    def suited(self, task: Task) -> Self:
        """Return the metric with ``ignore_first`` true or false."""
        if self.ignore_first is not None:
            return self
        return self.model_copy(update={"ignore_first": task.exclusive})
