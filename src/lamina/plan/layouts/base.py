"""What a layout says of a data folder."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from lamina.plan.tree import Tree

ENOUGH = 0.95
"""Share of images that must have labels, and of labels that must have an image."""


@dataclass(frozen=True)
class Match:
    """One way in which a layout reads a data folder."""

    layout: str
    evidence: str
    """What was seen, in words."""

    data: Mapping[str, Any]
    """Options of the catalog."""

    score: float
    """Share of the images that it explains, from 0 to 1."""

    detail: str = ""
    """What tells it from other matches of the layout; empty: there is none."""

    task: Mapping[str, Any] = field(default_factory=dict)
    """Options of the task; empty: the values of labels say them."""

    meaning: str = "as the files say"
    """Where the task is from, in words, if ``task`` says all of it."""

    labels: tuple[str, ...] = ()
    """Files of labels below the data folder, whose values are looked at; none: no need."""

    claims: frozenset[str] = frozenset()
    """Files that hold labels by this reading, for a comparison with other layouts."""

    split: Mapping[str, Any] = field(default_factory=dict)
    """Options of a split that the data bring along."""

    dataset: str | None = None
    """Path of the labels within their file."""

    problem: str = ""
    """Why it cannot be planned, and the remedy; empty: it can."""

    ruled_out: str = ""
    """What in the files says that it cannot be meant, such as masks of another size than their
    images; it is then no question where another way is left. Empty: nothing."""

    notes: tuple[str, ...] = ()
    """What the plan tells of it, such as the ways that were ruled out."""

    asked: bool = True
    """False: it is taken only where ``--layout`` names it."""

    @property
    def choice(self) -> str:
        """What ``--layout`` calls it."""
        return f"{self.layout}/{self.detail}" if self.detail else self.layout


class Layout(ABC):
    """A known way to lay out data; looks at names and first bytes only."""

    name: ClassVar[str]
    rank: ClassVar[int] = 1
    """A layout of a higher rank is preferred where both explain the same files of labels."""

    @abstractmethod
    def matches(self, tree: Tree) -> Iterator[Match]:
        """Yield every way in which the folder can be read, the best first; maybe none."""
