"""The presence model: against scikit-learn's ridge logistic regression."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from lamina.result.expected.presence import fit_presence, level_of


def test_the_curve_is_that_of_ridge_logistic_regression() -> None:
    rng = np.random.default_rng(0)
    promised = rng.random(60)
    present = rng.random(60) < promised
    found = fit_presence(promised, present)
    feature = np.log(promised) - np.log1p(-promised)
    x = ((feature - feature.mean()) / feature.std())[:, None]
    reference = LogisticRegression(C=1.0, tol=1e-10).fit(x, present)
    assert found.slope == pytest.approx(reference.coef_[0, 0], abs=1e-4)
    assert found.base == pytest.approx(reference.intercept_[0], abs=1e-4)
    assert found(promised) == pytest.approx(reference.predict_proba(x)[:, 1], abs=1e-4)


def test_without_information_it_is_the_base_rate() -> None:
    found = fit_presence(np.full(40, 0.5), np.arange(40) < 10)
    assert found(np.asarray([0.01, 0.99])) == pytest.approx([0.25, 0.25], abs=1e-6)


def test_it_needs_both_kinds_of_images() -> None:
    with pytest.raises(ValueError, match="with the class and images without"):
        fit_presence(np.full(4, 0.5), np.ones(4, bool))


def test_the_level_is_shrunk_and_capped() -> None:
    assert level_of(np.zeros(0), np.zeros(0)) == 0.5
    assert level_of(np.full(1000, 0.9), np.full(1000, 0.3)) == 1.2
    assert level_of(np.full(10, 0.4), np.full(10, 0.8)) == pytest.approx((4 + 2.5) / (8 + 5))
