"""The one scale of values to restore.

Targets of training, truths, answers and scores are shares of ``task.unit``: an 8-bit image is 0
to 1 everywhere, so that the peak of PSNR and the span of SSIM are 1. Only files that people open
are multiplied back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.data.case import Case
from lamina.errors import DataError, listed
from lamina.task import Task


def unit_of(dtype: np.dtype[Any]) -> float:
    """Return the greatest value of whole numbers without a sign, and 1 for all other types."""
    return float(np.iinfo(dtype).max) if dtype.kind == "u" else 1.0


def values(stored: NDArray[Any], task: Task, dtype: np.dtype[Any]) -> NDArray[np.float32]:
    """Return targets of a restore task as shares of the unit.

    Args:
        stored: Any shape and type.
        task: With its unit, or None: that of ``dtype``.
        dtype: The type that the target is stored in.
    """
    unit = task.unit or unit_of(dtype)
    found = np.ascontiguousarray(stored, np.float32)
    return found if unit == 1 else found * np.float32(1 / unit)


def with_unit(task: Task, cases: Sequence[Case]) -> Task:
    """Return the task with the unit that its targets have, where the recipe sets none.

    Raises:
        DataError: targets are of several types, whose greatest values differ.
    """
    if task.kind != "restore" or task.unit is not None:
        return task
    found: dict[float, str] = {}
    for case in cases:
        if case.target is not None:
            found.setdefault(unit_of(case.target.dtype), f"{case.target.name}: {case.target.dtype}")
    if len(found) > 1:
        raise DataError(
            listed(
                "targets are of types with different ranges; convert them to one type, or say "
                "with task.unit which value is 1",
                list(found.values()),
            )
        )
    return task.model_copy(update={"unit": next(iter(found), 1.0)})
