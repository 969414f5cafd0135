"""Compiled inner loops of the structural similarity of planes, row by row.

Of each row of windows the weighted sums down the columns are taken first, then those along the row,
so that all fields of a row stay in the cache. A loop has one array to write and at most seven to
read: with more the compiler gives up proving that they do not overlap, and makes no vector code.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

_compile: Any = numba.njit(cache=True, nogil=True, error_model="numpy")

_ZERO, _TWO = np.float32(0), np.float32(2)


def _products(x: Any, y: Any, out: Any) -> None:
    for j in range(out.size):
        out[j] = x[j] * y[j]


def _squares(x: Any, y: Any, out: Any) -> None:
    for j in range(out.size):
        out[j] = x[j] * x[j] + y[j] * y[j]


def _six(a: Any, b: Any, c: Any, d: Any, e: Any, f: Any, w: Any, out: Any) -> None:
    """Write the weighted sum of six rows."""
    w0, w1, w2, w3, w4, w5 = w[0], w[1], w[2], w[3], w[4], w[5]
    for j in range(out.size):
        out[j] = w0 * a[j] + w1 * b[j] + w2 * c[j] + w3 * d[j] + w4 * e[j] + w5 * f[j]


def _five(a: Any, b: Any, c: Any, d: Any, e: Any, w: Any, out: Any) -> None:
    """Add the weighted sum of five rows."""
    w0, w1, w2, w3, w4 = w[0], w[1], w[2], w[3], w[4]
    for j in range(out.size):
        out[j] += w0 * a[j] + w1 * b[j] + w2 * c[j] + w3 * d[j] + w4 * e[j]


def _one(a: Any, w: Any, out: Any) -> None:
    for j in range(out.size):
        out[j] += w * a[j]


def _down(rows: Any, first: int, w: Any, out: Any) -> None:
    """Write the weighted sum of ``len(w)``, 7 or 11, rows of a ring that begins at ``first``."""
    n = len(rows)
    six(
        rows[first % n],
        rows[(first + 1) % n],
        rows[(first + 2) % n],
        rows[(first + 3) % n],
        rows[(first + 4) % n],
        rows[(first + 5) % n],
        w,
        out,
    )
    if len(w) == 7:
        one(rows[(first + 6) % n], w[6], out)
    else:
        five(
            rows[(first + 6) % n],
            rows[(first + 7) % n],
            rows[(first + 8) % n],
            rows[(first + 9) % n],
            rows[(first + 10) % n],
            w[6:],
            out,
        )


def _along_7(means: Any, w: Any, out: Any) -> None:
    w0, w1, w2, w3, w4, w5, w6 = w[0], w[1], w[2], w[3], w[4], w[5], w[6]
    for j in range(out.size):
        left = w0 * means[j] + w1 * means[j + 1] + w2 * means[j + 2] + w3 * means[j + 3]
        out[j] = left + (w4 * means[j + 4] + w5 * means[j + 5] + w6 * means[j + 6])


def _along_11(means: Any, w: Any, out: Any) -> None:
    w0, w1, w2, w3, w4, w5 = w[0], w[1], w[2], w[3], w[4], w[5]
    w6, w7, w8, w9, w10 = w[6], w[7], w[8], w[9], w[10]
    for j in range(out.size):
        left = w0 * means[j] + w1 * means[j + 1] + w2 * means[j + 2] + w3 * means[j + 3]
        middle = w4 * means[j + 4] + w5 * means[j + 5] + w6 * means[j + 6]
        right = w7 * means[j + 7] + w8 * means[j + 8] + w9 * means[j + 9] + w10 * means[j + 10]
        out[j] = left + middle + right


def _scores(
    x: Any, y: Any, squares: Any, product: Any, factor: Any, shift: Any, c1: Any, c2: Any, out: Any
) -> None:
    """Write the similarity of each window of a row from its means."""
    for j in range(out.size):
        covariance = (product[j] - x[j] * y[j]) * (_TWO * factor) + c2
        variances = (squares[j] - x[j] * x[j] - y[j] * y[j]) * factor + c2
        u, v = x[j] + shift, y[j] + shift
        out[j] = covariance / variances * ((u * v * _TWO + c1) / (u * u + v * v + c1))


def _total(values: Any) -> float:
    """Return the sum in float64, in an order that every machine keeps."""
    a = b = c = d = e = f = g = h = 0.0
    whole = values.size // 8 * 8
    for j in range(0, whole, 8):
        a += values[j]
        b += values[j + 1]
        c += values[j + 2]
        d += values[j + 3]
        e += values[j + 4]
        f += values[j + 5]
        g += values[j + 6]
        h += values[j + 7]
    for j in range(whole, values.size):
        a += values[j]
    return float(((a + b) + (c + d)) + ((e + f) + (g + h)))


def _where(values: Any, counts: Any) -> tuple[float, int]:
    total, count = 0.0, 0
    for j in range(values.size):
        if counts[j]:
            total += values[j]
            count += 1
    return total, count


def _sums(
    x: Any, y: Any, w: Any, factor: Any, shift: Any, c1: Any, c2: Any, counts: Any
) -> tuple[float, int]:
    """Return the sum over all windows inside a plane, and their number.

    ``x``, ``y``: (h, w) float32, moved by ``shift``. ``counts``: (h - 2r, w - 2r) bool of the
    windows that are summed; of no rows: all.
    """
    size = len(w)
    inside = x.shape[1] - size + 1
    ring = np.empty((2, size, x.shape[1]), np.float32)  # squares and products of the last rows
    down = np.empty((4, x.shape[1]), np.float32)
    means = np.empty((4, inside), np.float32)
    values = np.empty(inside, np.float32)
    total, count = 0.0, 0
    for row in range(len(x)):
        squares(x[row], y[row], ring[0, row % size])
        products(x[row], y[row], ring[1, row % size])
        top = row - size + 1
        if top < 0:
            continue
        down_columns(x[top : row + 1], 0, w, down[0])
        down_columns(y[top : row + 1], 0, w, down[1])
        down_columns(ring[0], top, w, down[2])
        down_columns(ring[1], top, w, down[3])
        for field in range(4):
            if size == 7:
                along_7(down[field], w, means[field])
            else:
                along_11(down[field], w, means[field])
        scores(means[0], means[1], means[2], means[3], factor, shift, c1, c2, values)
        if len(counts):
            some, number = where(values, counts[top])
            total += some
            count += number
        else:
            total += sum_of(values)
            count += inside
    return total, count


products = _compile(_products)
squares = _compile(_squares)
six = _compile(_six)
five = _compile(_five)
one = _compile(_one)
down_columns = _compile(_down)
along_7 = _compile(_along_7)
along_11 = _compile(_along_11)
scores = _compile(_scores)
sum_of = _compile(_total)
where = _compile(_where)
_compiled = _compile(_sums)


def sums(
    x: NDArray[np.float32],
    y: NDArray[np.float32],
    weights: NDArray[np.float32],
    *,
    factor: float,
    shift: float,
    c1: float,
    c2: float,
    counts: NDArray[np.bool_] | None,
) -> tuple[float, int]:
    """Return the sum of the similarity of two planes over all windows inside, and their number.

    Args:
        x: (h, w) values, less ``shift``.
        y: The same of the other plane.
        weights: (7,) or (11,) of a separable window; they sum to 1.
        factor: Of variances and covariances.
        shift: What was taken off the values.
        c1: Added to both sides of the ratio of means.
        c2: Added to both sides of the ratio of variances.
        counts: (h - 2r, w - 2r), r the radius of the window: which are summed; None: all.
    """
    none = np.zeros((0, 0), np.bool_) if counts is None else np.ascontiguousarray(counts)
    numbers = (np.float32(value) for value in (factor, shift, c1, c2))
    total, count = _compiled(x, y, weights, *numbers, none)
    return float(total), int(count)
