"""Shifts and scales of curves, against scipy's bounded trust region and against brute force."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.interpolate import interp1d
from scipy.optimize import least_squares

from lamina.geometry.depth.fit import Target, fit_shift, fit_shift_and_scale

Array = NDArray[np.float64]
REACH = 30


def sheet(z: Array) -> Array:
    """A mean curve as papyrus has it: a broad hill with a shoulder."""
    return np.asarray(np.exp(-(((z - 32) / 8) ** 2)) + 0.3 * np.exp(-(((z - 22) / 3) ** 2)))


def moved(shift: float, scale: float, noise: float, seed: int) -> Array:
    z = np.arange(65.0)
    curve = sheet((z + shift) * 1.0) if scale == 1 else sheet(z * scale + shift)
    return curve + np.random.default_rng(seed).normal(0, noise, 65)


def residual(curve: Array, target: Target, shift: float, scale: float) -> Array:
    """INK-4, word for word: linear through (z * scale + shift, y), and straight on beyond."""
    line = interp1d(np.arange(65) * scale + shift, curve, fill_value="extrapolate")
    return np.asarray(line(target.layers) - target.values)


def scipy_fit(curve: Array, target: Target, *, both: bool) -> Any:
    """Fit with shift in units of 30 layers, bounds of 30 layers, from no change at all (INK-4)."""
    start, low, high = ([0, 1], [-1, 0.1], [1, 10]) if both else ([0], [-1], [1])
    return least_squares(
        lambda p: residual(curve, target, REACH * p[0], p[1] if both else 1.0),
        x0=start,
        bounds=(low, high),
        method="trf",
        xtol=1e-12,
        ftol=1e-12,
        gtol=1e-12,
    )


TARGET = Target(sheet(np.arange(17.0, 48.0)), 17)


@pytest.mark.parametrize("shift", [-9.3, -2.0, 0.0, 0.4, 5.75, 12.0])
def test_shifts_are_those_of_scipy(shift: float) -> None:
    """INK-3, INK-4."""
    curve = moved(shift, 1, 0.003, seed=int(10 * shift) + 100)
    found = fit_shift(curve[None], TARGET, REACH)[0]
    wanted = scipy_fit(curve, TARGET, both=False)
    assert found == pytest.approx(REACH * wanted.x[0], abs=0.02)  # it stops beside a kink
    assert (residual(curve, TARGET, found, 1.0) ** 2).sum() <= 2 * wanted.cost + 1e-12
    assert found == pytest.approx(shift, abs=0.1)


def test_no_shift_at_all_is_better_than_the_one_found() -> None:
    """INK-4: the least of squares over every thousandth of a layer within the bounds."""
    rng = np.random.default_rng(5)
    curves = np.cumsum(rng.normal(0, 1, (6, 65)), axis=1)
    target = Target(np.cumsum(rng.normal(0, 1, 31)), 17)
    found = fit_shift(curves, target, 10)
    for curve, one in zip(curves, found, strict=True):
        tried = [(residual(curve, target, s, 1.0) ** 2).sum() for s in np.arange(-10, 10, 0.01)]
        assert (residual(curve, target, one, 1.0) ** 2).sum() <= min(tried) + 1e-9
        assert -10 <= one <= 10


def test_scipy_never_finds_a_better_shift() -> None:
    """INK-4: from no change scipy may stop on a hill of noise; ours is at least as good."""
    for seed in range(4):
        curve = moved(7, 1, 0.15, seed)
        found = fit_shift(curve[None], TARGET, REACH)[0]
        wanted = scipy_fit(curve, TARGET, both=False)
        assert (residual(curve, TARGET, found, 1.0) ** 2).sum() <= 2 * wanted.cost + 1e-9


@pytest.mark.parametrize(
    ("shift", "scale"), [(0.0, 1.0), (3.0, 1.1), (-6.0, 0.9), (13.0, 0.6), (-20.0, 1.6)]
)
def test_shift_and_scale_are_those_of_scipy(shift: float, scale: float) -> None:
    """INK-4, INK-6."""
    curve = sheet(np.arange(65.0) * scale + shift)
    curve += np.random.default_rng(7).normal(0, 0.002, 65)
    found = fit_shift_and_scale(curve[None], TARGET, REACH, (0.1, 10))
    wanted = scipy_fit(curve, TARGET, both=True)
    cost = (residual(curve, TARGET, found[0][0], found[1][0]) ** 2).sum()
    assert cost <= 2 * wanted.cost * (1 + 1e-6) + 1e-9
    if 2 * wanted.cost < 1.1 * cost:  # scipy is in the same valley
        assert found[0][0] == pytest.approx(REACH * wanted.x[0], abs=0.05)
        assert found[1][0] == pytest.approx(wanted.x[1], abs=2e-3)
    assert (found[0][0], found[1][0]) == (
        pytest.approx(shift, abs=0.3),
        pytest.approx(scale, rel=0.02),
    )


def test_scipy_never_finds_a_much_better_shift_and_scale() -> None:
    """INK-4: with noise, where the squares have kinks."""
    curves = np.stack([sheet(np.arange(65.0) * 0.8 + 6) for _ in range(6)])
    curves += np.random.default_rng(8).normal(0, 0.03, curves.shape)
    shift, scale = fit_shift_and_scale(curves, TARGET, REACH, (0.1, 10))
    for curve, s, c in zip(curves, shift, scale, strict=True):
        wanted = scipy_fit(curve, TARGET, both=True)
        assert (residual(curve, TARGET, s, c) ** 2).sum() <= 2 * wanted.cost * 1.01
    assert (np.abs(shift) <= REACH).all()


def test_bounds_are_kept() -> None:
    """INK-4: a curve far away stops at the greatest shift, a thick one at the least scale."""
    far = moved(25, 1, 0, 0)[None]
    assert fit_shift(far, TARGET, 20)[0] <= 20
    shift, scale = fit_shift_and_scale(
        sheet(np.arange(65.0) * 0.5 + 16)[None], TARGET, 5, (0.8, 1.2)
    )
    assert -5 <= shift[0] <= 5
    assert 0.8 <= scale[0] <= 1.2


def test_a_start_is_gone_down_from() -> None:
    """Of two equal sheets the nearer one is found, where the search begins."""
    z = np.arange(65.0)
    curve = (np.exp(-(((z - 12) / 4) ** 2)) + np.exp(-(((z - 44) / 4) ** 2)))[None]
    target = Target(np.exp(-(((np.arange(20.0, 45.0) - 32) / 4) ** 2)), 20)
    for begin, wanted in ((-10.0, -12.0), (17.0, 20.0)):
        start = np.array([begin]), np.ones(1)
        shift, scale = fit_shift_and_scale(curve, target, REACH, (0.9, 1.1), start)
        assert shift[0] == pytest.approx(wanted, abs=0.5)
        assert scale[0] == pytest.approx(1, abs=0.05)


def test_flat_curves_stay_and_gaps_have_no_shift() -> None:
    curves = np.stack([np.zeros(65), np.full(65, np.nan)])
    shift = fit_shift(curves, TARGET, REACH)
    assert shift[0] == 0
    assert np.isnan(shift[1])
    shift, scale = fit_shift_and_scale(curves, TARGET, REACH, (0.1, 10))
    assert np.isfinite([shift[0], scale[0]]).all()
    assert np.isnan([shift[1], scale[1]]).all()
