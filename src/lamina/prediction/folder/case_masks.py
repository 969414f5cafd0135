"""The masks of a case: as decided, and as files, one or one for each class where these overlap."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lamina.geometry.region import Region
from lamina.prediction.folder.digests import decision_digest, one_digest
from lamina.prediction.folder.file_names import class_folders
from lamina.prediction.folder.manifest import PredictedCase
from lamina.prediction.folder.mask_files import (
    read_mask,
    suffix,
    write_bands,
    write_mask,
    write_slabs,
)
from lamina.task import Task

if TYPE_CHECKING:
    from lamina.prediction.folder.predictions import Predictions

Parts = Callable[[], Iterable[NDArray[Any]]]
"""Returns masks (K, t, ...) of a case as files hold them, in order along its first axis."""


def mask_paths(folder: Path, task: Task, case: PredictedCase) -> tuple[Path, ...]:
    """Return where the masks of a case lie in a folder of predictions."""
    own, root = _of_one_file(task, case), folder / "masks"
    file = f"{case.file_name}{suffix(own, len(case.shape), banded=case.banded)}"
    if own == task or task.outputs == 1:
        return (root / file,)
    return tuple(root / class_ / file for class_ in class_folders(task.names or ()))


def write_case_masks(
    folder: Path,
    task: Task,
    case: PredictedCase,
    parts: Parts,
    *,
    streams: bool,
    values: type[np.generic] = np.float32,
) -> str:
    """Write the masks of a case; return the digest that stands for its files.

    Args:
        folder: Of predictions.
        task: What the outputs mean.
        case: The case.
        parts: Its masks; it is called once for each file, and of restore for each channel.
        streams: Whether there are several parts, which are written one after another.
        values: Type of restored values.
    """
    paths, own = mask_paths(folder, task, case), _of_one_file(task, case)
    spans = [slice(k, k + 1) for k in range(len(paths))] if len(paths) > 1 else [slice(None)]
    pairs = list(zip(paths, spans, strict=True))
    if not streams:
        (answer,) = parts()
        return one_digest([write_mask(path, answer[span], own) for path, span in pairs])
    write = write_bands if case.banded else write_slabs
    shape = (own.outputs, *case.shape) if len(paths) > 1 else (task.outputs, *case.shape)

    def of(span: slice) -> Parts:
        def some() -> Iterator[NDArray[Any]]:
            return (part[span] for part in parts())

        return some

    return one_digest([write(path, of(span), own, shape, values=values) for path, span in pairs])


def read_case_masks(folder: Path, task: Task, case: PredictedCase) -> NDArray[Any]:
    """Return (K, *S): bool, or the values of restore as they are stored.

    Raises:
        DataError: a file is missing, damaged or of another shape.
    """
    own = _of_one_file(task, case)
    found = [read_mask(path, own, case.shape) for path in mask_paths(folder, task, case)]
    return np.concatenate(found)


def _of_one_file(task: Task, case: PredictedCase) -> Task:
    """Return what a file holds: of classes that overlap one; all in folders of before."""
    if task.kind != "multilabel" or case.name is None:
        return task
    return task.model_copy(update={"kind": "binary", "names": (task.names or ("",))[:1]})


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
        predictions.ledger.check(case, "probability", predictions.prob_path(id))
        entry = last.entry
        if entry is None or entry[0] != key:
            prob = predictions.prob(id)
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
