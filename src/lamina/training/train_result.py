"""What ``train`` returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lamina.data.network_input.normalise import AnyNormalise
from lamina.folders import fold_name
from lamina.public import VerbResult
from lamina.training.ensembles.ensemble_result import EnsembleResult


@dataclass(frozen=True)
class TrainedMember(VerbResult):
    """Weights that a fold left."""

    name: str
    """Its name in the bundle, such as ``fold0``."""
    member: str
    """The file, below the fold's folder."""
    sha256: str
    """Digest of the file."""
    stage: str
    """The stage that the weights are from."""
    epoch: int
    """The epoch, counted from 0 as in metrics.jsonl."""
    score: float | None
    """The monitored metric on the held-out cases; None: it was not measured."""


@dataclass(frozen=True)
class FoldResult(VerbResult):
    """What a fold came to; ``member.json`` in its folder holds the same.

    ``to_dict`` also has the fields of the best member, beside ``members``.
    """

    fold: int
    """Number of the fold; -1: nothing is held out, and its member learnt from every case."""
    members: tuple[TrainedMember, ...]
    """Its members, best first."""
    out_of_fold: float | None
    """The monitored metric of all members together on the held-out cases; None: there are none."""
    cases: int
    """Number of held-out cases."""
    skipped: int
    """Steps that were left out because a gradient was not finite."""
    normalise: AnyNormalise
    """How images are normalised, as fitted to the training cases."""
    limited: Mapping[str, int] = field(default_factory=dict)
    """Epochs of each stage that the time limit ended, by the stage's name; none: it ended none."""

    def early_ends(self) -> list[str]:
        """Return a line for each stage that the time limit ended."""
        name = fold_name(self.fold)
        return [
            f"{name}: the time limit ended stage {stage} after {epochs} epochs"
            for stage, epochs in self.limited.items()
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values, with those of the best member."""
        return {"fold": self.fold, **self.members[0].to_dict(), **super().to_dict()}


@dataclass(frozen=True)
class TrainResult(VerbResult):
    """What ``train`` wrote."""

    run: Path
    """The run folder."""
    bundle: Path
    """The bundle in it."""
    recipe_digest: str
    """Digest of the recipe as used."""
    seconds: float
    """Time that the call took."""
    folds: tuple[FoldResult, ...] = ()
    """The folds trained; none for a recipe of several members."""
    members: Mapping[str, TrainResult] | None = None
    """Of a recipe of several members what each came to, by name; else None."""
    ensemble: EnsembleResult | None = None
    """Their ensemble; None for a recipe of one network."""

    def _not_applicable(self) -> set[str]:
        return {"members", "ensemble"} if self.members is None else {"folds"}
