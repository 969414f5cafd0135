"""The formula by hand."""

from __future__ import annotations

import numpy as np
import pytest

from lamina.data.transforms import Gamma
from lamina.errors import OptionError


def test_values_are_raised_to_the_power_and_negative_ones_count_as_zero() -> None:
    values = np.array([-0.1, 0.0, 0.5, 1.0], np.float32)
    np.testing.assert_allclose(Gamma().map(values, 2.0), [0, 0, 0.25, 1], atol=1e-6)


def test_picks_stay_in_their_range() -> None:
    rng = np.random.default_rng(0)
    picks = [Gamma(p=1, low=0.5, high=1.5).pick((8, 8), rng) or 0 for _ in range(1000)]
    assert min(picks) == pytest.approx(0.5, abs=0.01)
    assert max(picks) == pytest.approx(1.5, abs=0.01)
    assert Gamma(p=0).pick((8, 8), rng) is None


def test_a_falling_range_is_refused() -> None:
    with pytest.raises(OptionError, match="above high"):
        Gamma(low=2, high=1)
