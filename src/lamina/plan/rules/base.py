"""What a rule is: from facts to values with their reasons."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from lamina.plan.fingerprint.facts import Facts, Machine
from lamina.public import VerbResult

ENOUGH_TO_CALIBRATE = 6
"""Groups from which on probabilities are calibrated."""

_LINE = 4.0  # pixels
_COARSE = 6.0  # width of objects in pixels from which on half the resolution shows them
_UNDERFITS = 2.0  # minutes of a processor for a million pixels, below which training underfits
_OVERFITS = 8.0  # and from which on it overfits

Dims = Literal["auto", "2d", "2.5d", "3d"]


@dataclass(frozen=True)
class Wanted:
    """What the command line asks for."""

    minutes: float = 20.0
    dims: Dims = "auto"
    metric: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Setting(VerbResult):
    """One value of the recipe."""

    key: str
    """Dotted name; a name that ends in ``[]`` adds an item to a list."""

    value: Any
    why: str
    """The measured fact that decides it."""

    rejected: str = ""
    """The nearest alternative, and what speaks against it."""


@dataclass(frozen=True)
class Situation:
    """All that rules may look at."""

    facts: Facts
    machine: Machine
    wanted: Wanted
    settled: Mapping[str, Any]
    """Values of the rules before, by their key."""

    @property
    def restores(self) -> bool:
        """Whether values are to be restored rather than classes told."""
        return bool(self.facts.task["kind"] == "restore")

    @property
    def layered(self) -> bool:
        """Whether channels are the layers of a fragment."""
        return bool(self.facts.data["kind"] == "fragments")

    @property
    def lines(self) -> bool:
        """Whether classes are lines of a few pixels."""
        classes = self.facts.classes
        return classes is not None and 0 < classes.width < _LINE

    @property
    def minutes_per_million(self) -> float:
        """Minutes of training for each million pixels of the cases, as the network sees them."""
        rows, columns = map(int, self.settled.get("frame.resize", self.facts.plane))
        pixels = self.facts.cases * self.facts.slices * rows * columns / self.shrink**2
        return self.wanted.minutes * 1e6 / pixels

    @property
    def shrink(self) -> int:
        """Pixels along a side that the network sees as one."""
        classes = self.facts.classes
        if classes is None or not self.on_cpu or "frame.resize" in self.settled:
            return 1
        sides = self.settled["frame.size"]
        return 2 if classes.width >= _COARSE and min(sides) >= 192 else 1

    @property
    def _counts_minutes(self) -> bool:
        return self.on_cpu and not (self.restores or self.layered or self.facts.deep)

    @property
    def underfits(self) -> bool:
        """Whether training ends before segmented images are learnt; of volumes: False."""
        return self._counts_minutes and self.minutes_per_million < _UNDERFITS

    @property
    def underfits_why(self) -> str:
        """The fact behind ``underfits``, in words."""
        return f"{self.minutes_per_million:.1f} min for a million pixels, which would underfit"

    @property
    def overfits(self) -> bool:
        """Whether training has the time to overfit to segmented images; of volumes: False.

        Slices of EM lost nothing in 10 minutes for a million pixels (docs/evidence.md).
        """
        return self._counts_minutes and self.minutes_per_million >= _OVERFITS

    @property
    def overfits_why(self) -> str:
        """The fact behind ``overfits``, in words."""
        return f"{self.minutes_per_million:.0f} min for a million pixels, which would overfit"

    @property
    def blocks(self) -> bool:
        """Whether the frame, once settled, is of three axes."""
        return len(self.settled["frame.size"]) == 3

    @property
    def on_cpu(self) -> bool:
        """Whether there is no GPU."""
        return self.machine.device == "cpu"


Rule = Callable[[Situation], list[Setting]]
