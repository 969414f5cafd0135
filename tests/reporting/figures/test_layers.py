"""Curves of layers as drawn."""

from __future__ import annotations

from lamina.reporting.figures.layers import layers, together


def test_kinds_without_a_curve_are_left_out() -> None:
    said = {
        "before": {"full": [1.0, 2.0], "ink": None},
        "after": {"full": [1.5, 2.5], "ink": None},
        "rows": [0],
        "columns": [0, 8],
        "shift": [[1.0, 2.0]],
    }
    (plot,) = layers("f1", said)
    assert plot.rows == ((0, 1.0, 1.5), (1, 2.0, 2.5))
    _, shifts = layers("f1", {**said, "rows": [0, 8], "shift": [[1.0, 2.0], [3.0, 4.0]]})
    assert shifts.rows == ((0, 0, 1.0), (0, 8, 2.0), (8, 0, 3.0), (8, 8, 4.0))


def test_curves_together_reach_from_0_to_1() -> None:
    plot = together("before", {"a": [2.0, 4.0, None], "b": [5.0, 5.0, 5.0]})
    assert plot.rows[:2] == (("a", 0, 0.0), ("a", 1, 1.0))
    assert plot.rows[3:] == (("b", 0, 0.0), ("b", 1, 0.0), ("b", 2, 0.0))
