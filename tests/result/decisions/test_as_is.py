"""Nothing is decided."""

from __future__ import annotations

import numpy as np

from lamina.result.decisions import AsIs


def test_the_mask_is_where_values_are_above_zero() -> None:
    assert AsIs()(np.array([[[0.0, 0.1, 2.0]]])).tolist() == [[[False, True, True]]]
