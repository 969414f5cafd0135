"""Who answers for a case: members that never saw it, where there are any.

A case is recognised by the digest of its file, not by its name, so that a training image under
another name is still predicted out of fold.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from lamina.bundle import Bundle, KnownCase

Known = Literal["new", "held_out", "partly_seen", "seen"]

_WORST: tuple[Known, ...] = ("new", "held_out", "partly_seen", "seen")


@dataclass(frozen=True)
class Chosen:
    """Members as (bundle, member) numbers, and whether they trained on the case."""

    members: tuple[tuple[int, int], ...]
    known: Known


class Policy:
    """Chooses members for case after case."""

    def __init__(self, bundles: Sequence[Bundle], members: Literal["auto", "all"]) -> None:
        self._bundles, self._all = bundles, members == "all"
        self._cases: list[dict[str, list[tuple[str, KnownCase]]]] = []
        for bundle in bundles:
            by_digest: dict[str, list[tuple[str, KnownCase]]] = defaultdict(list)
            for id, case in bundle.cases.items():
                if len(case.sha256) == 1:
                    by_digest[case.sha256[0]].append((id, case))
            self._cases.append(by_digest)

    def choose(self, id: str, sha256: str) -> Chosen:
        """Return who answers for the case called ``id`` whose file has this digest."""
        members: list[tuple[int, int]] = []
        known: Known = "new"
        for number, bundle in enumerate(self._bundles):
            fold, here = self._status(number, id, sha256)
            every = range(len(bundle.members))
            clean = [m for m in every if bundle.members[m].fold == fold]
            if here == "held_out" and (self._all or not clean):
                here = "seen"
            members += [(number, m) for m in (clean if here == "held_out" else every)]
            known = max(known, here, key=_WORST.index)
        return Chosen(tuple(members), known)

    def _status(self, number: int, id: str, sha256: str) -> tuple[int, Known]:
        same = self._cases[number].get(sha256, [])
        if not same:
            return -1, "new"
        folds = {case.fold for name, case in same if name == id}
        folds = folds or {case.fold for _, case in same}
        if len(folds) > 1:  # sections of one volume, or copies of one image in several folds
            return -1, "partly_seen"
        fold = folds.pop()
        return fold, "held_out" if fold >= 0 else "seen"
