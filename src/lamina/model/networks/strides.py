"""Strides and kernels of each level of a network, from its input's size and spacing.

The rule of nnU-Net (Isensee et al. 2021): coarse axes wait until the others are as coarse.
"""

from __future__ import annotations

from collections.abc import Sequence

Sides = tuple[tuple[int, ...], ...]
"""Of each level, the finest first, one number for each axis."""

SMALLEST = 4
"""Least side, in pixels, of an axis that is halved at the last level."""

_ALIKE = 2.0  # spacings of a smaller ratio are treated as equal


def strides_of(size: Sequence[int], spacing: Sequence[float], most: int) -> Sides:
    """Return the stride with which each level begins; that of the first is 1 along every axis.

    Each further level halves the axes whose spacing is less than twice the finest of those that
    can still be halved: those with an even side of at least 8. There are no more levels where no
    axis can be.

    Args:
        size: Sides of the input, in pixels.
        spacing: Distance between neighbours along each axis, in any unit.
        most: Most levels; at least 1.

    Example:
        >>> strides_of((8, 192, 192), (50, 4.6, 4.6), 5)
        ((1, 1, 1), (1, 2, 2), (1, 2, 2), (1, 2, 2), (2, 2, 2))
    """
    sides, steps = list(size), list(spacing)
    strides = [(1,) * len(sides)]
    while len(strides) < most:
        able = [step for step, n in zip(steps, sides, strict=True) if _halves(n)]
        if not able:
            break
        stride = tuple(
            2 if _halves(n) and step < _ALIKE * min(able) else 1
            for step, n in zip(steps, sides, strict=True)
        )
        strides.append(stride)
        sides = [n // s for n, s in zip(sides, stride, strict=True)]
        steps = [step * s for step, s in zip(steps, stride, strict=True)]
    return tuple(strides)


def kernels_of(size: Sequence[int], spacing: Sequence[float], strides: Sides) -> Sides:
    """Return the kernel of each level: 3, and 1 along axes that are still too coarse.

    An axis has 3 from the first level at which its spacing is less than twice the finest; one of
    a single pixel has 1.

    Example:
        >>> kernels_of((8, 64, 64), (50, 10, 10), ((1, 1, 1), (1, 2, 2), (1, 2, 2)))
        ((1, 3, 3), (1, 3, 3), (3, 3, 3))
    """
    steps = list(spacing)
    kernels: list[tuple[int, ...]] = []
    wide = [False] * len(steps)
    for stride in strides:
        steps = [step * s for step, s in zip(steps, stride, strict=True)]
        wide = [
            was or (n > 1 and step < _ALIKE * min(steps))
            for was, n, step in zip(wide, size, steps, strict=True)
        ]
        kernels.append(tuple(3 if one else 1 for one in wide))
    return tuple(kernels)


def multiples_of(strides: Sides) -> tuple[int, ...]:
    """Return the product of all strides along each axis."""
    product = [1] * len(strides[0])
    for stride in strides:
        product = [m * s for m, s in zip(product, stride, strict=True)]
    return tuple(product)


def _halves(side: int) -> bool:
    return side >= 2 * SMALLEST and side % 2 == 0
