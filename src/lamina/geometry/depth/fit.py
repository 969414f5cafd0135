"""Fitting curves along the depth to another one, by a shift and a scale, all curves at once.

A curve is linear between layers and goes on straight beyond its ends. Shifted alone, the squares
between two whole shifts are a parabola, so that the least of all is found exactly. Shifted and
scaled, the residuals are piecewise linear in the place of the middle and in the reciprocal of the
scale: Gauss-Newton with damping goes down from the best of a grid of starts.

Letters: n curves, Z layers, m layers of the target.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_SHIFT_STEP = 1.0  # layers between starts
_SCALES = 17  # starts, evenly spaced in the logarithm
_STARTS = 4  # of the grid that are gone down from, besides no change at all
_ROUNDS = 60
_STUCK = 1e6  # damping at which steps are too short to matter


@dataclass(frozen=True)
class Target:
    """What curves are to look like: values of the layers from ``start`` on."""

    values: Array
    """(m,)."""
    start: int

    @property
    def layers(self) -> Array:
        """(m,) the layers' numbers."""
        return np.arange(self.start, self.start + len(self.values), dtype=np.float64)


def fit_shift(curves: Array, target: Target, reach: int) -> Array:
    """Return the shift of each curve that brings it nearest to the target (INK-3, INK-4).

    Least is the sum over the target's layers of (c(z - shift) - target)^2, over all shifts and
    not only near 0; of equals the one nearest to 0.

    Args:
        curves: (n, Z), Z at least 2; a curve with NaN has no shift.
        target: Of any layers, beyond the curves too.
        reach: Greatest shift either way, in whole layers.

    Returns:
        (n,) layers, NaN where there is none.
    """
    depth, count = curves.shape[1], len(target.values)
    best, shift = np.full(len(curves), np.inf), np.full(len(curves), np.nan)
    rows = np.arange(len(curves))[:, None]
    for whole in sorted(range(-reach, reach), key=lambda k: abs(k + 0.5)):
        # Places are layers of the target + whole + fraction (0..1): the shift is -whole - fraction.
        low = target.start + whole + np.arange(count)
        before = _straight(curves, rows, low, depth) - target.values
        rise = _straight(curves, rows, low + 1, depth) - target.values - before
        squares = (rise**2).sum(1)
        fraction = np.divide(
            -(before * rise).sum(1), squares, out=np.zeros(len(curves)), where=squares > 0
        )
        fraction = np.where(squares > 0, fraction.clip(0, 1), 1.0 if whole == -1 else 0.0)
        cost = ((before + fraction[:, None] * rise) ** 2).sum(1)
        better = cost < best
        best[better], shift[better] = cost[better], -whole - fraction[better]
    return shift


def fit_shift_and_scale(
    curves: Array,
    target: Target,
    reach: float,
    scales: tuple[float, float],
    start: tuple[Array, Array] | None = None,
) -> tuple[Array, Array]:
    """Return shift and scale of each curve that bring it nearest to the target (INK-4, INK-6).

    Least is the sum over the target's layers of (c((z - shift) / scale) - target)^2.

    Args:
        curves: (n, Z), Z at least 2; a curve with NaN has neither.
        target: Of any layers.
        reach: Greatest shift either way, in layers.
        scales: Least and greatest scale.
        start: Shift and scale of each curve, two of (n,), to go down from; None: from no change
            at all, and from the best of a grid.

    Returns:
        Two of (n,), NaN where there is none.
    """
    known = ~np.isnan(curves).any(1)
    fit = _Fit(curves[known], target, reach, scales)
    if start is None:
        place, unit = fit.starts()
    else:
        shift, scale = start[0][known, None], start[1][known, None]
        place, unit = (fit.middle - shift) / scale, 1 / scale
    cost = np.full(len(fit.curves), np.inf)
    best = np.full((2, len(fit.curves)), np.nan)
    for start_number in range(place.shape[1]):
        ended = fit.descend(place[:, start_number], unit[:, start_number])
        better = ended[2] < cost
        cost[better] = ended[2][better]
        best[:, better] = ended[0][better], ended[1][better]
    fitted = np.full((2, len(curves)), np.nan)
    fitted[0, known], fitted[1, known] = fit.middle - best[0] / best[1], 1 / best[1]
    return fitted[0], fitted[1]


class _Fit:
    """Curves (n, Z) and a target; unknown are the place of its middle layer and 1 / scale."""

    def __init__(
        self, curves: Array, target: Target, reach: float, scales: tuple[float, float]
    ) -> None:
        self.curves, self.values, self.reach, self.scales = curves, target.values, reach, scales
        self.middle = float(target.layers.mean())
        self.lever = target.layers - self.middle

    def bounded(self, place: Array, unit: Array) -> tuple[Array, Array]:
        """Return both within the bounds of shift and scale."""
        unit = unit.clip(1 / self.scales[1], 1 / self.scales[0])
        shift = (self.middle - place / unit).clip(-self.reach, self.reach)
        return (self.middle - shift) * unit, unit

    def residuals(self, place: Array, unit: Array) -> tuple[Array, Array]:
        """Return (n, m) residuals, and slopes of the curves at the places read."""
        at = place[:, None] + unit[:, None] * self.lever
        low = np.floor(at).clip(0, self.curves.shape[1] - 2).astype(np.intp)
        value = np.take_along_axis(self.curves, low, 1)
        slope = np.take_along_axis(self.curves, low + 1, 1) - value
        return value + (at - low) * slope - self.values, slope

    def starts(self) -> tuple[Array, Array]:
        """Return (n, k) places and units: no change, and the best of a grid."""
        shifts = np.arange(-self.reach, self.reach + _SHIFT_STEP / 2, _SHIFT_STEP)
        scales = np.geomspace(max(0.3, self.scales[0]), min(3.0, self.scales[1]), _SCALES)
        grid = [((self.middle - s) / c, 1 / c) for c in scales for s in shifts]
        costs = np.empty((len(self.curves), len(grid)))
        for at, (place, unit) in enumerate(grid):
            same = np.full(len(self.curves), place), np.full(len(self.curves), unit)
            costs[:, at] = (self.residuals(*same)[0] ** 2).sum(1)
        best = np.argsort(costs, axis=1, kind="stable")[:, :_STARTS]
        chosen = np.asarray(grid)[best]  # (n, k, 2)
        same = self.bounded(np.array([self.middle]), np.ones(1))
        unchanged = np.broadcast_to(np.stack(same, -1), (len(self.curves), 1, 2))
        both = np.concatenate([unchanged, chosen], axis=1)
        return both[..., 0], both[..., 1]

    def descend(self, place: Array, unit: Array) -> tuple[Array, Array, Array]:
        """Return place, unit and cost, each (n,), where damped steps no longer go down."""
        damp = np.full(len(place), 1e-3)
        place, unit = self.bounded(place, unit)
        residual, slope = self.residuals(place, unit)
        cost = (residual**2).sum(1)
        for _ in range(_ROUNDS):
            step = _step(residual, slope, self.lever, damp)
            nearer = self.bounded(place + step[0], unit + step[1])
            new_residual, new_slope = self.residuals(*nearer)
            new_cost = (new_residual**2).sum(1)
            better = new_cost < cost
            place, unit = np.where(better, nearer[0], place), np.where(better, nearer[1], unit)
            residual = np.where(better[:, None], new_residual, residual)
            slope = np.where(better[:, None], new_slope, slope)
            cost = np.where(better, new_cost, cost)
            damp = np.where(better, damp / 5, damp * 4).clip(1e-12, 1e12)
            if damp.min(initial=np.inf) > _STUCK:
                break
        return place, unit, cost


def _step(residual: Array, slope: Array, lever: Array, damp: Array) -> tuple[Array, Array]:
    """Return the damped Gauss-Newton step; the derivatives are slope and slope * lever."""
    turned = slope * lever
    a, b, c = (slope**2).sum(1), (slope * turned).sum(1), (turned**2).sum(1)
    p, q = -(slope * residual).sum(1), -(turned * residual).sum(1)
    a, c = a * (1 + damp) + 1e-12, c * (1 + damp) + 1e-12
    det = a * c - b * b
    return (c * p - b * q) / det, (a * q - b * p) / det


def _straight(curves: Array, rows: NDArray[np.intp], at: NDArray[np.int_], depth: int) -> Array:
    """Return (n, m) values at whole places, straight on beyond the ends."""
    low = at.clip(0, depth - 2)
    value = curves[rows, low]
    beyond: Array = value + (at - low) * (curves[rows, low + 1] - value)
    return beyond
