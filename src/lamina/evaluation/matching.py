"""Which predicted case belongs to which true one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from lamina.data.case import Case


@dataclass(frozen=True)
class Matched:
    """Pairs of a predicted id and the case of the truth, and what stands alone."""

    pairs: list[tuple[str, Case]]
    truth_only: list[str]
    prediction_only: list[str]


def match(ids: Sequence[str], cases: Mapping[str, Case]) -> Matched:
    """Pair by equal ids; where no id is equal, by ids without their suffix.

    Only stems that stand for one case on both sides count, so that a.jpg is never judged by
    the truth of a.png when both exist.
    """
    known = {id: id for id in ids if id in cases}
    if not known:
        mine, theirs = Counter(map(_stem, ids)), Counter(map(_stem, cases))
        by_stem = {_stem(id): id for id in cases}
        known = {id: by_stem[_stem(id)] for id in ids if mine[_stem(id)] == theirs[_stem(id)] == 1}
    matched_truth = set(known.values())
    return Matched(
        pairs=[(id, cases[other]) for id, other in known.items()],
        truth_only=[id for id in cases if id not in matched_truth],
        prediction_only=[id for id in ids if id not in known],
    )


def _stem(id: str) -> str:
    return PurePosixPath(id).stem
