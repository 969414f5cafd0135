"""Structural similarity of planes and volumes, a cache-sized part at a time.

Wang et al. 2004, as scikit-image computes it: means, variances and the covariance within a
window around every pixel whose window lies inside. Values are moved by one common mean first,
which changes no variance and keeps float32 exact enough (1e-6 of the mean over an image).

Letters: S the spatial axes, two or three.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Window = Literal["uniform", "gaussian"]

K1, K2 = 0.01, 0.03
_SIGMA = 1.5  # of the Gaussian window, cut off at 3.5 deviations: 11 pixels
_PART = 1 << 16  # pixels of a part and of each field of it


@dataclass(frozen=True)
class Kernel:
    """A separable window: its weights along one axis, which sum to 1."""

    weights: Array

    @classmethod
    def of(cls, window: Window) -> Kernel:
        """Return 7 equal weights, or the Gaussian of deviation 1.5 over 11."""
        if window == "uniform":
            return cls(np.full(7, 1 / 7, np.float32))
        at = np.arange(-5, 6)
        bell = np.exp(-0.5 * (at / _SIGMA) ** 2)
        return cls((bell / bell.sum()).astype(np.float32))

    @property
    def radius(self) -> int:
        """Pixels from the middle to the rim."""
        return len(self.weights) // 2

    def over(self, plane: Array) -> Array:
        """Return means over both axes of a plane, (h - 2r, w - 2r)."""
        r = self.radius
        if np.ptp(self.weights) == 0:
            size = (len(self.weights),) * 2
            means = cv2.blur(plane, size, borderType=cv2.BORDER_REPLICATE)
        else:
            means = cv2.sepFilter2D(
                plane, cv2.CV_32F, self.weights, self.weights, borderType=cv2.BORDER_REPLICATE
            )
        return np.asarray(means[r:-r, r:-r])

    def down(self, rows: Array) -> Array:
        """Return means over the first axis of (n, ...), (n - 2r, ...)."""
        r, flat = self.radius, rows.reshape(len(rows), -1)
        means = cv2.sepFilter2D(
            flat, cv2.CV_32F, np.ones(1, np.float32), self.weights, borderType=cv2.BORDER_REPLICATE
        )
        return np.asarray(means[r:-r].reshape(-1, *rows.shape[1:]))


def similarity(
    a: NDArray[Any],
    b: NDArray[Any],
    *,
    span: float,
    window: Window = "uniform",
    sample: bool = True,
    valid: NDArray[np.bool_] | None = None,
) -> tuple[float, int]:
    """Return the sum of the similarity over all windows that fit, and their number.

    Args:
        a: (*S) values of any real type, two or three axes.
        b: The same shape.
        span: From the least to the greatest value that is possible: 255 for 8 bit.
        window: ``uniform`` 7 or ``gaussian`` 11 (deviation 1.5) along each axis.
        sample: Divide variances by n - 1 in place of n, n the pixels of a window.
        valid: (*S) True where a window's middle counts; None: everywhere.

    Raises:
        ValueError: shapes differ, or a side is shorter than the window.
    """
    kernel = Kernel.of(window)
    r, size = kernel.radius, len(kernel.weights)
    if a.shape != b.shape or a.ndim not in (2, 3) or (valid is not None and valid.shape != a.shape):
        raise ValueError(f"shapes {a.shape} and {b.shape} are not two equal planes or volumes")
    if min(a.shape) < size:
        raise ValueError(f"a window of {size} does not fit into {a.shape}")
    shift = float((a.mean(dtype=np.float64) + b.mean(dtype=np.float64)) / 2)
    many = size**a.ndim
    factor = many / (many - 1) if sample else 1.0
    total, count = 0.0, 0
    # Else most of a part is its halo.
    thick = max(_PART // int(np.prod(a.shape[1:])), 2 * size)
    rooms = np.empty((2, min(thick + 2 * r, len(a)), *a.shape[1:]), np.float32)
    for top in range(r, len(a) - r, thick):
        stop = min(top + thick, len(a) - r)
        part = slice(top - r, stop + r)
        x, y = (
            _moved(image[part], shift, room[: part.stop - part.start])
            for image, room in zip((a, b), rooms, strict=True)
        )
        inner = (slice(top, stop), *(slice(r, n - r) for n in a.shape[1:]))
        counts = None if valid is None else valid[inner]
        if a.ndim == 2:
            some, number = _of_rows(x, y, kernel, shift, factor, span, counts)
        else:
            scores = _map(*_means(x, y, kernel), shift, factor, span)
            some = float(scores.sum(dtype=np.float64, where=True if counts is None else counts))
            number = scores.size if counts is None else int(counts.sum())
        total, count = total + some, count + number
    return total, count


def _of_rows(
    x: Array,
    y: Array,
    kernel: Kernel,
    shift: float,
    factor: float,
    span: float,
    counts: NDArray[np.bool_] | None,
) -> tuple[float, int]:
    """Return the sum and the number of windows of some rows of two planes."""
    from lamina.geometry.similarity.rows import sums  # compiled on first use

    c1, c2 = (K1 * span) ** 2, (K2 * span) ** 2
    return sums(x, y, kernel.weights, factor=factor, shift=shift, c1=c1, c2=c2, counts=counts)


def _moved(values: NDArray[Any], shift: float, out: Array) -> Array:
    """Write values less ``shift`` to ``out``, which it returns: fresh memory costs more than that.

    Float64 is rounded after, all else before.
    """
    kind = np.float64 if values.dtype == np.float64 else np.float32
    np.subtract(values, kind(shift), out=out, dtype=kind, casting="unsafe")
    return out


def _means(x: Array, y: Array, kernel: Kernel) -> tuple[Array, Array, Array, Array]:
    """Return the means of x, y, x^2 + y^2 and xy within every window of two volumes."""
    r = kernel.radius
    shape = (len(x), *(n - 2 * r for n in x.shape[1:]))
    stacks = [np.empty(shape, np.float32) for _ in range(4)]
    for z in range(len(x)):
        for stack, field in zip(stacks, _fields(x[z], y[z]), strict=True):
            stack[z] = kernel.over(field)
    mean_x, mean_y, mean_squares, mean_product = (kernel.down(stack) for stack in stacks)
    return mean_x, mean_y, mean_squares, mean_product


def _fields(x: Array, y: Array) -> Iterator[Array]:
    yield x
    yield y
    squares = x * x
    squares += y * y
    yield squares
    yield x * y


def _map(
    x: Array, y: Array, squares: Array, product: Array, shift: float, factor: float, span: float
) -> Array:
    """Return the similarity of each window; the arguments are overwritten."""
    c1, c2 = np.float32((K1 * span) ** 2), np.float32((K2 * span) ** 2)
    product -= x * y
    product *= np.float32(2 * factor)
    product += c2
    squares -= x * x
    squares -= y * y
    squares *= np.float32(factor)
    squares += c2
    product /= squares
    x += np.float32(shift)
    y += np.float32(shift)
    both = x * y
    both *= 2
    both += c1
    x *= x
    y *= y
    x += y
    x += c1
    both /= x
    product *= both
    return product
