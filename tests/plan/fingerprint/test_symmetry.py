"""The mirror test, on layouts whose symmetry is known."""

from __future__ import annotations

import numpy as np
import pytest

from lamina.data.case import Case
from lamina.doctor.case_statistics import statistics_of
from lamina.plan.fingerprint.symmetry import symmetry_of
from lamina.volume import ArrayVolume
from tests.factories.patients import texture


def test_images_of_one_layout() -> None:
    """Bright above, dark below: the same left to right, the opposite upside down."""
    ramp = np.linspace(200, 0, 96)[:, None] * np.ones((1, 96))
    images = [ramp + np.random.default_rng(k).normal(0, 20, ramp.shape) for k in range(5)]
    cases = [Case(str(k), str(k), ArrayVolume(i[None])) for k, i in enumerate(images)]
    alike, (up, left) = symmetry_of(statistics_of(cases, None))
    assert alike > 0.9
    assert up == pytest.approx(-1, abs=0.01)
    assert left == pytest.approx(1, abs=0.01)


def test_images_without_a_layout() -> None:
    cases = [Case(str(k), str(k), ArrayVolume(texture(k)[None])) for k in range(8)]
    alike, _ = symmetry_of(statistics_of(cases, None))
    assert abs(alike) < 0.3
    assert symmetry_of(statistics_of(cases[:3], None)) == (0.0, (1.0, 1.0))
