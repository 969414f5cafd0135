"""Reliability and risk as drawn."""

from __future__ import annotations

import numpy as np

from lamina.reporting.figures.trust import reliability, risk


def test_bins_of_both_curves_are_drawn() -> None:
    before = {"bins": [(0.2, 0.3, 10), (0.8, 0.6, 5)], "error": 0.1}
    after = {"bins": [], "error": 0.0}
    plot = reliability("pit", before, after)
    assert plot.rows == (("as predicted", 0.2, 0.3, 10), ("as predicted", 0.8, 0.6, 5))


def test_risk_has_a_row_for_each_share() -> None:
    plot = risk(np.array([0.5, 1.0]), np.array([0.1, 0.2]))
    assert plot.rows == ((0.5, 0.1), (1.0, 0.2))
