"""Structural similarity against scikit-image."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from skimage.metrics import structural_similarity

from lamina.model.metrics import Ssim

WINDOWS: dict[str, dict[str, Any]] = {
    "uniform": {},
    "gaussian": {"gaussian_weights": True, "sigma": 1.5},
}


def _pair(seed: int, shape: tuple[int, ...], kind: str) -> tuple[NDArray[Any], NDArray[Any], float]:
    rng = np.random.default_rng(seed)
    clean = np.cumsum(np.cumsum(rng.standard_normal(shape), -1), -2)
    clean = (clean - clean.min()) / np.ptp(clean)
    noisy = clean + 0.1 * rng.standard_normal(shape)
    if kind == "uint8":
        both = [np.clip(one * 255, 0, 255).astype(np.uint8) for one in (clean, noisy)]
        return both[0], both[1], 255.0
    if kind == "far":  # far from 0, where squares lose digits
        return 1000 + clean, 1000 + noisy, 1.0
    return clean.astype(kind), noisy.astype(kind), 1.0


def _value(metric: Ssim, a: NDArray[Any], b: NDArray[Any]) -> float:
    return metric.score([metric.tally(a[None], b[None])]).value


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 99),
    st.sampled_from(["uint8", "float32", "float64", "far"]),
    st.sampled_from(["uniform", "gaussian"]),
    st.booleans(),
    st.lists(st.integers(11, 90), min_size=2, max_size=3),
)
def test_it_is_the_library_s_in_two_and_three_axes(
    seed: int, kind: str, window: Any, sample: bool, shape: list[int]
) -> None:
    a, b, span = _pair(seed, tuple(shape), kind)
    theirs = structural_similarity(
        a.astype(np.float64),
        b.astype(np.float64),
        data_range=span,
        use_sample_covariance=sample,
        **WINDOWS[window],
    )
    ours = _value(Ssim(span=span, window=window, sample=sample), a, b)
    assert ours == pytest.approx(theirs, abs=1e-6)


def test_a_large_image_in_parts_is_the_library_s() -> None:
    a, b, span = _pair(5, (300, 1259), "uint8")
    theirs = structural_similarity(a, b, data_range=255)
    assert _value(Ssim(span=span), a, b) == pytest.approx(theirs, abs=1e-6)


def test_identical_and_constant_images_score_one() -> None:
    """Section 6 of the pipelines: identical constant images = 1."""
    flat = np.full((20, 30), 7, np.uint8)
    assert _value(Ssim(span=255), flat, flat) == pytest.approx(1)
    a, _, _ = _pair(1, (20, 30), "float32")
    assert _value(Ssim(), a, a) == pytest.approx(1, abs=1e-7)


def test_the_competition_s_trimmed_mean_over_slices_of_both_axes() -> None:
    """NOISE-14 and section 6: every slice of two axes, the lowest and the highest left out."""
    a, b, span = _pair(2, (8, 9, 40), "uint8")
    metric = Ssim(span=span, slices=(0, 1), trim=True)
    values = [structural_similarity(a[z], b[z], data_range=255) for z in range(8)]
    values += [structural_similarity(a[:, y], b[:, y], data_range=255) for y in range(9)]
    wanted = np.mean(sorted(values)[1:-1])
    assert _value(metric, a, b) == pytest.approx(wanted, abs=1e-6)
    twice = metric.score([metric.tally(a[None], b[None])] * 2).value
    assert twice == pytest.approx(np.mean(sorted(values * 2)[1:-1]), abs=1e-6)


def test_only_windows_around_valid_pixels_count() -> None:
    a, b, span = _pair(3, (40, 50), "float32")
    valid = np.zeros((40, 50), np.bool_)
    valid[8:30, 10:44] = True
    _, full = structural_similarity(a.astype(float), b.astype(float), data_range=span, full=True)
    metric = Ssim(span=span)
    found = metric.score([metric.tally(a[None], b[None], valid)]).value
    assert found == pytest.approx(full[valid].mean(), abs=1e-6)


def test_what_cannot_be_compared_is_refused() -> None:
    metric = Ssim()
    with pytest.raises(ValueError, match="window of 7"):
        metric.tally(np.zeros((1, 6, 9)), np.zeros((1, 6, 9)))
    with pytest.raises(ValueError, match="target"):
        metric.tally(np.zeros((1, 9, 9)), np.zeros((1, 9, 8)))
    with pytest.raises(ValueError, match="at least one"):
        metric.score([])
