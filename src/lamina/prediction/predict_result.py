"""What ``predict`` returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lamina.public import VerbResult


@dataclass(frozen=True)
class FailedInput(VerbResult):
    """An input that could not be read."""

    source: str
    """The path."""
    why: str
    """The message of the error."""


@dataclass(frozen=True)
class PredictResult(VerbResult):
    """What ``predict`` did; the predictions themselves lie in ``out``."""

    out: Path
    """The folder of predictions; ``Predictions.open`` reads it."""
    cases: int
    """Number of finished cases in the folder."""
    predicted: int
    """Cases that were predicted now."""
    kept: int
    """Cases that an earlier call had finished; they were verified."""
    redecided: int
    """Cases whose masks were made again from stored probabilities."""
    known: Mapping[str, int]
    """Number of cases by what the members know of them: ``new``, ``held_out``, ``pseudo``,
    ``partly_seen`` or ``seen``."""
    failed: tuple[FailedInput, ...]
    """Inputs that were left out."""
    members: tuple[str, ...]
    """Names of the members."""
    device: str
    """``cpu``, ``cuda`` or ``mps``."""
    precision: str
    """Type of the forward passes, such as ``bfloat16``."""
    batch: int
    """Tiles per forward pass."""
    seconds: float
    """Time that the call took."""
    unfinished: tuple[str, ...] = ()
    """What each fold had trained, where the training of a run has not finished."""
    worker_seconds: Mapping[str, float] = field(default_factory=dict)
    """Time that each process worked, by its host and number."""
    left_out: tuple[str, ...] = ()
    """Files of ``save`` that could not be made, with reasons."""
