"""Answers that are not numbers are refused before they are stored."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.errors import DataError


def check_answer(values: NDArray[Any], name: str) -> None:
    """Refuse an answer, or a part of one, that holds NaN or infinity.

    Args:
        values: Floats of any shape.
        name: Whose answer it is, for the message.

    Raises:
        DataError: how many values are not finite.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        # One sum is quicker than a look at each of them; large ones may add up to infinity.
        if np.isfinite(values.sum()):
            return
    if np.isfinite(values).all():
        return
    bad = values.size - int(np.isfinite(values).sum())
    raise DataError(
        f"{name}: {bad} of {values.size} values of the members' answer are not finite, and nothing "
        "was stored; its values are too far from those in training: rescale it or leave it out"
    )
