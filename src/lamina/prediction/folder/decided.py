"""The masks that the decision of a folder makes of stored probabilities, part by part."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from lamina.geometry.region import Region
from lamina.prediction.folder.digests import decision_digest

if TYPE_CHECKING:
    from lamina.prediction.folder.predictions import Predictions

Decided = tuple[Region, NDArray[Any], NDArray[Any]]
"""A region, its probabilities and its masks (K, *region)."""


@dataclass
class LastDecided:
    """The image that was decided last: several files are made of it, one after another."""

    entry: tuple[Hashable, Decided] | None = None
    """What it was made of, and its one part; set at once, so that threads may share it."""


def decided_parts(predictions: Predictions, id: str, last: LastDecided) -> Iterator[Decided]:
    """Yield what ``Predictions.decided`` does; the masks of an image in memory are read-only."""
    case = predictions.case(id)
    if predictions.task.kind == "restore":
        yield from ((region, prob, prob) for region, prob in predictions.slabs(id))
        return
    decision = predictions.decision
    if not case.chunked:
        row = predictions.ledger.row(case) or {}
        key = (id, row.get("probability"), decision_digest(decision), predictions.calibration)
        prob = predictions.prob(id)  # checked every time
        entry = last.entry
        if entry is None or entry[0] != key:
            masks = decision(prob)
            masks.setflags(write=False)
            entry = last.entry = (key, (Region.whole(case.shape), prob, masks))
        yield entry[1]
        return
    decide = decision.for_case(prob for _, prob in predictions.slabs(id))
    if decide is None:
        prob = predictions.prob(id)
        yield Region.whole(case.shape), prob, decision(prob)
        return
    for region, prob in predictions.slabs(id):
        yield region, prob, decide(prob)
