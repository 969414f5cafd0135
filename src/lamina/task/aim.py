"""What a search for a decision maximizes."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lamina.spec import Spec


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

    instead: str | None = None
    """Why this is searched for in place of the metric; null: it is the metric itself."""

    @property
    def label(self) -> str:
        """Name of the value in tables."""
        if self.false_positive == self.false_negative:
            return {0.5: "Dice", 1.0: "IoU"}.get(self.false_positive, "Tversky index")
        return f"F{(self.false_negative / self.false_positive) ** 0.5:g}"

    @property
    def by_case(self) -> bool:
        """Whether the value is a mean over cases."""
        return self.over in ("case", "case_foreground")

    @property
    def any_class(self) -> bool:
        """Whether any class counts."""
        return self.over in ("case_foreground", "foreground")
