"""Curves over decisions, against scikit-learn and against what they are drawn from."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import precision_recall_curve

from lamina.reporting.figures.decisions import precision_recall, surface, threshold
from lamina.result.search.histogram import CODES, codes_of


def test_precision_over_recall_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    truth = rng.random(400) < 0.3
    values = np.round(np.clip(0.3 * truth + rng.random(400) * 0.7, 0.01, 1), 2).astype(np.float16)
    codes = codes_of(values)
    predicted = np.bincount(codes, minlength=CODES).astype(float)
    hits = np.bincount(codes[truth], minlength=CODES).astype(float)
    plot = precision_recall("pit", predicted, hits, float(truth.sum()), (0.5, 0.5))
    assert plot is not None
    precision, recall, _ = precision_recall_curve(truth, values.astype(np.float64))
    drawn = np.array(plot.rows)
    assert drawn[:, 1] == pytest.approx(recall[:-1])
    assert drawn[:, 2] == pytest.approx(precision[:-1])


def test_a_class_without_pixels_has_no_curve() -> None:
    assert precision_recall("pit", np.ones(CODES), np.zeros(CODES), 0.0, None) is None


def test_a_class_that_nothing_improves_is_drawn_too() -> None:
    curve = {"threshold": [0.0, 1.0], "best": [1.0, 1.0], "plain": [0.0, 1.0]}
    plot = threshold("pit", curve, 1.0, 1.0)
    assert plot.rows == ((0.0, 1.0, 0.0), (1.0, 1.0, 1.0))
    assert "<svg" in plot.svg


def test_triplets_have_a_row_for_each_place() -> None:
    scores = {"top": [0.4, 0.6], "area": [0, 10], "score": [[0.1, 0.2], [0.3, 0.4]]}
    chosen, other = {"top": 0.6, "area": 10}, {"top": 0.4, "area": 0}
    rows = ((0.4, 0, 0.1), (0.4, 10, 0.2), (0.6, 0, 0.3), (0.6, 10, 0.4))
    assert surface("pit", scores, chosen, other).rows == rows
