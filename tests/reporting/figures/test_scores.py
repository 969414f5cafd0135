"""Scores by class and group, and classes taken for each other."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from lamina.reporting.figures.scores import by_class, by_group, confusion


def test_classes_have_their_score_interval_and_baseline() -> None:
    plot = by_class(["pit", "a $b$"], [0.5, None], [(0.4, 0.6), None], [0.1, None])
    assert plot.rows == (("pit", 0.5, 0.4, 0.6, 0.1), ("a $b$", None, None, None, None))
    assert by_group(["a", "b"], [0.1, 0.9], 0.5).rows == (("a", 0.1), ("b", 0.9))


def test_shares_are_of_the_true_class() -> None:
    rng = np.random.default_rng(0)
    true, mine = rng.integers(0, 3, 500), rng.integers(0, 3, 500)
    counts = confusion_matrix(true, mine)
    plot = confusion(["background", "a", "b"], counts)
    shares = confusion_matrix(true, mine, normalize="true").reshape(-1)
    assert [row[3] for row in plot.rows] == pytest.approx(shares)
    assert [row[2] for row in plot.rows] == counts.reshape(-1).tolist()
