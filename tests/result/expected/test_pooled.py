"""One threshold for pooled pixels, against every threshold and the theorem of Lipton et al."""

from __future__ import annotations

import numpy as np
import pytest

from lamina.result.calibration import IDENTITY, Calibration
from lamina.result.expected.column import Column
from lamina.result.expected.cut import DICE, Weights
from lamina.result.expected.pooled import pooled_threshold
from lamina.result.search.histogram import count


def column_of(maps: list[np.ndarray]) -> Column:
    return Column.of([count(map_, np.zeros(map_.shape, bool)) for map_ in maps])


@pytest.mark.parametrize("weights", [DICE, Weights(1, 1), Weights(0.2, 0.8)])
def test_no_threshold_has_a_higher_expected_score(weights: Weights) -> None:
    rng = np.random.default_rng(0)
    maps = [(rng.random(n) ** 3).astype(np.float16) for n in (400, 3000)]
    found = pooled_threshold(column_of(maps), IDENTITY, weights)
    pixels = np.concatenate(maps).astype(float)

    def value(threshold: float) -> float:
        hits = pixels[pixels > threshold].sum()
        wrong = (1 - pixels[pixels > threshold]).sum()
        missed = pixels[pixels <= threshold].sum()
        return float(
            hits / (hits + weights.false_positive * wrong + weights.false_negative * missed)
        )

    assert value(found) == pytest.approx(max(value(t) for t in np.unique(pixels)[:-1]), abs=1e-12)
    if weights == DICE:
        assert found == pytest.approx(value(found) / 2, abs=2e-3)


def test_calibration_moves_the_threshold_and_nothing_stays_nothing() -> None:
    maps = [np.linspace(0, 0.9, 500).astype(np.float16)]
    curve = Calibration(shift=-2.0)
    moved = pooled_threshold(column_of(maps), curve, DICE)
    assert moved > pooled_threshold(column_of(maps), IDENTITY, DICE)
    assert pooled_threshold(column_of([np.zeros(9, np.float16)]), IDENTITY, DICE) == 1
