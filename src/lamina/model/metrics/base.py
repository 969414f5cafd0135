"""What every metric promises."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from lamina.spec import Spec


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

    soft: ClassVar[bool] = False
    """Whether probabilities are judged as they are, in place of decided masks."""

    adds_up: ClassVar[bool] = False
    """Whether tallies of the slabs of a volume, cut along its first axis, add up to its own."""

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
        raise NotImplementedError

    def score(self, tallies: Iterable[NDArray[np.float64]]) -> Score:
        """Return the score over all cases.

        Raises:
            ValueError: there are no tallies.
        """
        raise NotImplementedError

    @property
    def higher_is_better(self) -> bool:
        """Which way is up."""
        return True

    @property
    def title(self) -> str:
        """One line for tables: the name with scope and empty rule stated."""
        raise NotImplementedError
