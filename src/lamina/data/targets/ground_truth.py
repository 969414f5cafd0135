"""The truth of a whole case, as metrics and searches want it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.data.case import Case
from lamina.data.units import values
from lamina.errors import DataError
from lamina.task import Task
from lamina.volume import read_all


def truth(case: Case, task: Task) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
    """Read the target of a case, one channel per output, and where it counts.

    Returns:
        Target (K, *S): bool masks, one-hot where classes exclude each other; float32 shares of
        the unit for restore. Valid (*S) bool, or None where every pixel counts.

    Raises:
        DataError: the case has no target.
    """
    if case.target is None:
        raise DataError(f"case {case.id}: has no target; {case.image.name} can only be predicted")
    stored = read_all(case.target)
    valid = None if case.valid is None else read_all(case.valid)[0] != 0
    if task.kind == "restore":
        return values(stored, task, case.target.dtype), valid
    if task.exclusive:
        ids = np.arange(task.outputs).reshape(-1, *([1] * (stored.ndim - 1)))
        return stored == ids, valid
    return stored != 0, valid


def nothing(target: NDArray[np.bool_], task: Task) -> NDArray[np.bool_]:
    """Return the masks (K, *S) of an answer without any object, as large as ``target``.

    All are empty; where classes exclude each other every pixel is background, the first class.
    """
    masks = np.zeros(target.shape, np.bool_)
    masks[: int(task.exclusive)] = True
    return masks
