"""Sums of structural similarity against scikit-image's map."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from lamina.geometry.similarity import similarity

RNG = np.random.default_rng(4)


@pytest.mark.parametrize(("shape", "window"), [((40, 33), "uniform"), ((19, 20, 21), "gaussian")])
def test_sum_and_number_are_those_of_the_library_s_map_without_its_rim(
    shape: tuple[int, ...], window: Any
) -> None:
    a, b = RNG.random(shape), RNG.random(shape)
    sample = window == "uniform"
    _, full = structural_similarity(
        a,
        b,
        data_range=1,
        full=True,
        gaussian_weights=window == "gaussian",
        use_sample_covariance=sample,
    )
    r = 3 if window == "uniform" else 5
    inside = full[tuple(slice(r, n - r) for n in shape)]
    total, count = similarity(a, b, span=1, window=window, sample=sample)
    assert count == inside.size
    assert total == pytest.approx(inside.sum(), rel=1e-5)


def test_only_windows_whose_middle_counts_are_summed() -> None:
    a, b = RNG.random((30, 30)), RNG.random((30, 30))
    valid = RNG.random((30, 30)) > 0.5
    _, full = structural_similarity(a, b, data_range=1, full=True)
    inside, middle = full[3:-3, 3:-3], valid[3:-3, 3:-3]
    total, count = similarity(a, b, span=1, valid=valid)
    assert count == middle.sum()
    assert total == pytest.approx(inside[middle].sum(), rel=1e-5)


def test_planes_of_other_shapes_or_smaller_than_the_window_are_refused() -> None:
    with pytest.raises(ValueError, match="not two equal planes"):
        similarity(np.zeros((9, 9)), np.zeros((9, 8)), span=1)
    with pytest.raises(ValueError, match="a window of 7 does not fit"):
        similarity(np.zeros((9, 6)), np.zeros((9, 6)), span=1)
