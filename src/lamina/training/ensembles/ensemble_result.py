"""What ``ensemble`` returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lamina.public import VerbResult


@dataclass(frozen=True)
class EnsembleResult(VerbResult):
    """What ``ensemble`` wrote."""

    out: Path
    """The folder, laid out like a run's."""
    members: tuple[str, ...]
    """Names of all members."""
    weights: tuple[float, ...]
    """Weight of each run."""
    mean: str
    """The mean over members."""
    out_of_fold: int
    """Number of cases with merged out-of-fold predictions."""
    answers: Mapping[str, int]
    """How many of those have 1, 2, ... runs behind them; keys are such numbers as text."""
    notes: tuple[str, ...]
    """What the runs do not have in common, in words."""
