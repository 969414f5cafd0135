"""Bursts on traces."""

from __future__ import annotations

import numpy as np
import pytest

from lamina.data.corruptions import Scene, Swell
from lamina.seeding import rng

SWELL = Swell(strength=3, share=0.2)


@pytest.mark.parametrize(("axes", "shape"), [("yx", (1, 400, 500)), ("zyx", (1, 20, 20, 500))])
def test_some_traces_carry_a_slow_burst_and_the_others_nothing(
    axes: str, shape: tuple[int, ...]
) -> None:
    clean = np.zeros(shape, np.float32)
    noise = SWELL.spoil(clean, 3.0, Scene(axes, "x", 1, "a"), rng(0)).reshape(-1, 500)
    hit = noise.any(axis=1)
    assert hit.mean() == pytest.approx(0.2, abs=0.07)
    assert 1.5 < np.abs(noise).max() <= 3
    power = np.abs(np.fft.rfft(noise[hit])) ** 2
    slow = np.fft.rfftfreq(500) < 0.1
    assert power[:, slow].sum() > 0.999 * power.sum()  # 0.06 cycles a sample and its envelope
    assert not clean.any()


def test_traces_run_along_the_axis_that_is_named() -> None:
    clean = np.zeros((1, 500, 100), np.float32)
    noise = Swell(along="y", share=0.2).spoil(clean, 3.0, Scene("yx", "x", 1, "a"), rng(0))
    assert (noise[0].any(axis=0)).mean() == pytest.approx(0.2, abs=0.12)


def test_a_slice_across_the_traces_shows_a_sample_of_each() -> None:
    clean = np.zeros((1, 200, 200), np.float32)
    noise = SWELL.spoil(clean, 3.0, Scene("zy", "x", 1, "a"), rng(0))
    assert 0.02 < (np.abs(noise) > 0.01).mean() < 0.2
    assert np.abs(noise).max() <= 3
