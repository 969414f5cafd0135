"""The filters of PNG rows (RFC 2083, 6), undone by a compiled loop; imported to read rows."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray


@numba.njit(cache=True)
def undo_filters(
    packed: NDArray[np.uint8], before: NDArray[np.uint8], pixel: int, lines: NDArray[np.uint8]
) -> None:
    """Undo the filters of rows (n, 1 + bytes), the first byte of which names the filter."""
    above = before
    for row in range(packed.shape[0]):
        kind, line = packed[row, 0], lines[row]
        for i in range(line.size):
            guess: Any = np.int64(0)
            left: Any = np.int64(line[i - pixel]) if i >= pixel else np.int64(0)
            up: Any = np.int64(above[i])
            if kind == 0:
                pass
            elif kind == 1:
                guess = left
            elif kind == 2:
                guess = up
            elif kind == 3:
                guess = (left + up) // 2
            else:
                corner: Any = np.int64(above[i - pixel]) if i >= pixel else np.int64(0)
                a, b, c = abs(up - corner), abs(left - corner), abs(left + up - 2 * corner)
                guess = left if a <= b and a <= c else (up if b <= c else corner)
            line[i] = (np.int64(packed[row, i + 1]) + guess) & 255
        above = line
