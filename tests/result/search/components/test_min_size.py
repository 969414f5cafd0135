"""Cases by area, of minimum parts and minimum areas."""

from __future__ import annotations

import numpy as np
import pytest

from lamina.result.search.components.min_size import sort_by_area
from lamina.seeding import rng


@pytest.mark.parametrize("swaps", [0, 3, 2000])
def test_the_order_is_that_of_a_stable_sort(swaps: int) -> None:
    random = rng(2, "areas")
    counts = np.zeros((300, 3))
    counts[:, 0] = random.integers(0, 60, 300)  # many are equal
    order = np.argsort(-counts[:, 0], kind="stable")
    for _ in range(swaps):
        one, other = random.integers(0, 300, 2)
        order[[one, other]] = order[[other, one]]
    wanted = order[np.argsort(-counts[order, 0], kind="stable")]
    sort_by_area(order, counts)
    np.testing.assert_array_equal(order, wanted)
