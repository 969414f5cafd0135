"""Who answers for a case: members that never saw it, where there are any.

A case is recognised by the digest of its file, not by its name, so that a training image under
another name is still predicted out of fold.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from lamina.bundle import Bundle, KnownCase, Training

Known = Literal["new", "held_out", "pseudo", "partly_seen", "seen"]

_WORST: tuple[Known, ...] = ("new", "held_out", "pseudo", "partly_seen", "seen")

_CLEAN = ("new", "held_out", "pseudo")


@dataclass(frozen=True)
class Chosen:
    """Members as (bundle, member) numbers, and whether they trained on the case."""

    members: tuple[tuple[int, int], ...]
    known: Known


class Policy:
    """Chooses members for case after case, training by training."""

    def __init__(self, bundles: Sequence[Bundle], members: Literal["auto", "all"]) -> None:
        self._all = members == "all"
        self._trainings = [
            _Memory(number, bundle, training)
            for number, bundle in enumerate(bundles)
            for training in bundle.trainings
        ]

    def choose(self, id: str, sha256: str) -> Chosen:
        """Return who answers for the case called ``id`` whose file has this digest.

        Where any member never saw the case, only such members answer: of a training that knows
        the case those that held it out, of one that does not know it all.
        """
        asked = [one.ask(id, sha256) for one in self._trainings]
        if self._all:
            every = [pair for one in self._trainings for pair in one.every]
            told: list[Known] = ["seen" if one.known == "held_out" else one.known for one in asked]
            return Chosen(tuple(every), max(told, key=_WORST.index))
        clean = [one for one in asked if one.known in _CLEAN]
        answering = clean or asked
        return Chosen(
            tuple(pair for one in answering for pair in one.members),
            max((one.known for one in answering), key=_WORST.index),
        )


class _Memory:
    """What the members of one training know."""

    def __init__(self, number: int, bundle: Bundle, training: Training) -> None:
        self.every = tuple((number, member) for member in training.members)
        self._folds = [bundle.members[member].fold for member in training.members]
        self._cases: dict[str, list[tuple[str, KnownCase]]] = defaultdict(list)
        for id, case in training.cases.items():
            if len(case.sha256) == 1:
                self._cases[case.sha256[0]].append((id, case))

    def ask(self, id: str, sha256: str) -> Chosen:
        """Return the members that held the case out, where there are any, else all."""
        same = self._cases.get(sha256, [])
        given = [(name, case) for name, case in same if case.labels != "pseudo"]
        if not given:
            return Chosen(self.every, "pseudo" if same else "new")
        folds = {case.fold for name, case in given if name == id}
        folds = folds or {case.fold for _, case in given}
        if len(folds) > 1:  # sections of one volume, or copies of one image in several folds
            return Chosen(self.every, "partly_seen")
        fold = folds.pop()
        pairs = zip(self.every, self._folds, strict=True)
        held_out = tuple(pair for pair, left_out in pairs if left_out == fold >= 0)
        return Chosen(held_out or self.every, "held_out" if held_out else "seen")
