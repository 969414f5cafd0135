"""Who answers for a case: members that never saw it, where there are any.

A case is recognised by the digest of its file, not by its name, so that a training image under
another name is still predicted out of fold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from lamina.bundle import Bundle, SeenCases, Training

Known = Literal["new", "held_out", "pseudo", "partly_seen", "seen"]

_WORST: tuple[Known, ...] = ("new", "held_out", "pseudo", "partly_seen", "seen")

_CLEAN = ("new", "held_out", "pseudo")


@dataclass(frozen=True)
class ChosenMembers:
    """Members as (bundle, member) numbers, and whether they trained on the case."""

    members: tuple[tuple[int, int], ...]
    known: Known


class Policy:
    """Chooses members for case after case, training by training."""

    def __init__(self, bundles: Sequence[Bundle], members: Literal["auto", "all"]) -> None:
        self._all = members == "all"
        self.by_sample = all(
            training.sampled_stores
            for bundle in bundles
            for training in (bundle.index.sources.values() or [bundle.index])
        )
        """Whether every training knows Zarr stores by a sample, too."""
        self._trainings = [
            _TrainedMembers(number, bundle, training)
            for number, bundle in enumerate(bundles)
            for training in bundle.trainings
        ]

    def choose(self, id: str, sha256: str) -> ChosenMembers:
        """Return who answers for the case called ``id`` whose file has this digest.

        Where any member never saw the case, only such members answer: of a training that knows
        the case those that held it out, of one that does not know it all.
        """
        asked = [training.choose(id, sha256) for training in self._trainings]
        if self._all:
            every = tuple(pair for training in self._trainings for pair in training.members)
            told: list[Known] = [
                "seen" if choice.known == "held_out" else choice.known for choice in asked
            ]
            return ChosenMembers(every, max(told, key=_WORST.index))
        answering = [choice for choice in asked if choice.known in _CLEAN] or asked
        return ChosenMembers(
            tuple(pair for choice in answering for pair in choice.members),
            max((choice.known for choice in answering), key=_WORST.index),
        )


class _TrainedMembers:
    """The members of one training, and what they have seen."""

    def __init__(self, number: int, bundle: Bundle, training: Training) -> None:
        self.members = tuple((number, member) for member in training.members)
        self._folds = [bundle.members[member].fold for member in training.members]
        self._seen = SeenCases(training.cases)

    def choose(self, id: str, sha256: str) -> ChosenMembers:
        """Return the members that never saw the case, where there are any, else all."""
        matching = self._seen.matching(id, (sha256,)).values()
        given = [case for case in matching if case.labels != "pseudo"]
        if not given:
            return ChosenMembers(self.members, "pseudo" if matching else "new")
        pairs = zip(self.members, self._folds, strict=True)
        held_out = tuple(pair for pair, fold in pairs if not self._seen.saw(fold, id, (sha256,)))
        if held_out:
            return ChosenMembers(held_out, "held_out")
        # sections of one volume, or copies of one image in several folds, are seen in part
        partly = len({case.fold for case in given}) > 1
        return ChosenMembers(self.members, "partly_seen" if partly else "seen")
