"""What every decision promises."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from lamina.errors import RecipeError
from lamina.spec import Spec

T = TypeVar("T", int, float)

CaseDecision = Callable[[NDArray[Any]], NDArray[np.bool_]]
"""Decides parts (K, *S) of one case, each pixel by itself."""


class Decision(Spec):
    """The rule that turns probabilities into masks."""

    without_numbers: ClassVar[str | None] = None
    """What is decided by, where there is no number that a search could set; None: there is."""

    @abstractmethod
    def __call__(self, prob: NDArray[Any]) -> NDArray[np.bool_]:
        """Return the masks of one whole case.

        Args:
            prob: (K, *S) probabilities in 0..1, any floating type.

        Returns:
            (K, *S): True where the class is decided on.
        """

    def for_case(self, parts: Iterable[NDArray[Any]]) -> CaseDecision | None:
        """Return what decides a case part by part; None: only the whole case can be decided.

        A first pass over the parts may find what belongs to the case, such as its threshold.

        Args:
            parts: (K, *S) each, all pixels of the case; not read where each pixel is decided by
                itself.
        """
        del parts
        return self if self.pixelwise else None

    def with_thresholds(self, thresholds: tuple[float | None, ...]) -> Decision:
        """Return the decision with other thresholds.

        Args:
            thresholds: One for all classes, or one for each; None: that of the class stays.

        Raises:
            RecipeError: the decision has no threshold.
        """
        del thresholds
        why = f"it {self.without_numbers}" if self.without_numbers else "it has other numbers"
        raise RecipeError(
            f"the decision {getattr(self, 'kind', '')} has no threshold: {why}; leave --threshold "
            "out, or change it by -s decide.NAME=VALUE"
        )

    @property
    def summary(self) -> str:
        """Return the decision in words, such as ``threshold 0.5; min_area 40``.

        Numbers that do nothing are left out, and so is what a search would try.
        """
        words = []
        for key, value in self.model_dump(mode="json").items():
            if isinstance(value, dict) or value in (None, 0, "keep") or key == "kind":
                continue
            values = value if isinstance(value, list) else [value]
            if any(values):
                short = ", ".join(f"{v:.4g}" if isinstance(v, float) else str(v) for v in values)
                words.append(f"{key} {short}")
        kind = str(getattr(self, "kind", ""))
        return "; ".join(words if words and words[0].startswith(kind) else [kind, *words])

    @property
    def pixelwise(self) -> bool:
        """Whether each pixel is decided by itself, so that a volume may be decided in parts."""
        return False

    @property
    def streams(self) -> bool:
        """Whether a volume may be decided in parts, after a first pass where one is needed."""
        return self.pixelwise


def per_class(value: T | tuple[T, ...], classes: int, name: str) -> tuple[T, ...]:
    """Return one number for each class, from one for all or a list of them.

    Raises:
        RecipeError: the list has another length; ``name`` is the option it is from.
    """
    if not isinstance(value, tuple):
        return (value,) * classes
    if len(value) != classes:
        raise RecipeError(
            f"decide.{name} lists {len(value)} numbers {list(value)} for {classes} classes; "
            "give one number, or one for each class"
        )
    return value
