"""Sums over flat histograms are those of a loop in Python over each case."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from lamina.result.search.case_sums import above, per_code, values
from lamina.result.search.histogram import CODES
from lamina.result.search.min_area import part

RNG = np.random.default_rng(0)
SIZES = [5, 0, 40, 1]
STARTS = np.cumsum([0, *SIZES])
CODE_OF_ENTRY = np.concatenate(
    [np.sort(RNG.choice(np.arange(1, 60), size, replace=False))[::-1] for size in SIZES]
).astype(np.uint16)
AREA, PREDICTED, POSITIVES = RNG.integers(0, 1 << 20, (3, STARTS[-1]), np.uint32)
USE = np.array([3, 0, 2, 1])


@pytest.mark.parametrize("code", [0, 1, 20, 59, CODES - 1])
def test_pixels_above_a_code(code: int) -> None:
    found = above(STARTS, CODE_OF_ENTRY, AREA, PREDICTED, POSITIVES, USE, code)
    for row, case in zip(found, USE, strict=True):
        mine = slice(STARTS[case], STARTS[case + 1])
        chosen = CODE_OF_ENTRY[mine] > code
        wanted = [int(one[mine][chosen].sum()) for one in (AREA, PREDICTED, POSITIVES)]
        assert row.tolist() == wanted


def test_pixels_of_each_code() -> None:
    found, wanted = per_code(STARTS, CODE_OF_ENTRY, AREA, USE[:3]), np.zeros(CODES)
    for case in USE[:3]:
        for entry in range(STARTS[case], STARTS[case + 1]):
            wanted[CODE_OF_ENTRY[entry]] += AREA[entry]
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("rule", [[0.5, 0.5, 1, 1], [1, 1, 0, 1], [0.8, 0.2, 0, 0]])
def test_the_value_of_each_case(rule: list[float]) -> None:
    columns: list[NDArray[np.float64]] = [
        np.array([0, 0, 3, 3, 7.0]),
        np.array([0, 0, 0, 2, 7.0]),
        np.array([0, 5, 5, 4, 7.0]),
    ]
    found = values(*columns, np.asarray(rule, np.float64))
    for case in range(5):
        each = (float(column[case]) for column in columns)
        value, counted = part(*each, np.asarray(rule, np.float64))
        assert (found[0][case], found[1][case]) == (value, counted)
