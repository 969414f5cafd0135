"""Detection against scikit-learn, with ties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from lamina.result.search.image_auc import auc


def test_by_hand() -> None:
    assert auc([0.1, 0.9], [False, True]) == 1.0
    assert auc([0.9, 0.1], [False, True]) == 0.0
    assert auc([0.5, 0.5], [False, True]) == 0.5
    assert auc([0.5, 0.5], [True, True]) is None


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([0.0, 0.1, 0.5, 0.9]), st.booleans()), min_size=2))
def test_agrees_with_scikit_learn(rows: list[tuple[float, bool]]) -> None:
    scores, present = np.array([r[0] for r in rows]), np.array([r[1] for r in rows])
    if present.all() or not present.any():
        assert auc(scores, present) is None
    else:
        assert auc(scores, present) == pytest.approx(roc_auc_score(present, scores), abs=1e-12)
