"""Counts of probabilities against a plain count, codes of thresholds, AUC against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from lamina.result.search import histogram as codes
from lamina.result.search.histogram import (
    CODES,
    VALUES,
    auc,
    code_of,
    count,
    highest,
    merged,
    stored_codes,
)


def test_every_value_in_order() -> None:
    assert VALUES[0] == 0
    assert VALUES[CODES - 1] == 1
    assert (np.diff(VALUES) > 0).all()


@settings(max_examples=50)
@given(st.floats(0, 1), arrays(np.float16, 20, elements=st.floats(0, 1, width=16)))
def test_a_threshold_and_its_code_select_the_same_pixels(
    threshold: float, prob: NDArray[np.float16]
) -> None:
    chosen = prob.astype(np.float64) > VALUES[code_of(threshold)]
    assert chosen.tolist() == (prob.astype(np.float64) > threshold).tolist()


def test_by_hand_without_the_zeros() -> None:
    prob = np.array([0.5, 0.5, -0.0, 1.0, 0.25], np.float16)
    truth = np.array([True, False, True, True, False])
    valid = np.array([True, True, True, False, True])
    found = count(prob, truth, valid)
    assert VALUES[found.codes].tolist() == [1.0, 0.5, 0.25]
    assert found.area.tolist() == [1, 2, 1]
    assert found.predicted.tolist() == [0, 2, 1]
    assert found.positives.tolist() == [0, 1, 0]
    assert (found.truth, found.highest) == (2, 1.0)


def test_a_map_is_counted_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    prob, truth = rng.random((7, 9)), rng.random((7, 9)) < 0.5
    whole = count(prob, truth)
    monkeypatch.setattr(codes, "_CHUNK", 5)
    parts = count(prob, truth)
    assert parts.positives.tolist() == whole.positives.tolist()
    assert parts.area.tolist() == whole.area.tolist()


def test_codes_are_the_bytes_of_a_map() -> None:
    prob = VALUES.astype(np.float16).reshape(1, -1)
    found = stored_codes(prob)
    assert found is not None
    assert np.shares_memory(found, prob)
    np.testing.assert_array_equal(found, np.arange(CODES).reshape(1, -1))


ODD = [-0.0, -0.25, 1.5, np.nan, np.inf]


@pytest.mark.parametrize("odd", ODD)
def test_other_values_have_no_codes(odd: float) -> None:
    assert stored_codes(np.array([0.5, odd], np.float16)) is None


def test_other_arrays_have_no_codes() -> None:
    prob = np.full((4, 4), 0.5, np.float16)
    assert stored_codes(prob.astype(np.float32)) is None
    assert stored_codes(prob[:, ::2]) is None
    assert stored_codes(prob[:0]) is None


@pytest.mark.parametrize("kind", [np.float16, np.float32])
@pytest.mark.parametrize("odd", [0.5, *ODD])
@pytest.mark.parametrize("axis", [0, 1])
def test_the_highest_is_that_of_numpy(kind: type[np.floating], odd: float, axis: int) -> None:
    prob = np.random.default_rng(3).random((5, 40)).astype(kind)
    prob[0, 3], prob[:, 7] = odd, 0
    found = highest(prob, axis)
    assert found.dtype == prob.dtype
    np.testing.assert_array_equal(found, prob.max(axis=axis))


@pytest.mark.parametrize("valid", [False, True])
def test_sums_above_a_threshold_are_those_of_the_pixels(valid: bool) -> None:
    rng = np.random.default_rng(2)
    prob = rng.random((150, 200)).astype(np.float16)
    truth, counts = rng.random(prob.shape) < prob, rng.random(prob.shape) < 0.8
    found = count(prob, truth, counts if valid else None)
    assert found.codes.size > 1000
    mine = counts if valid else np.ones_like(counts)
    at_ends = VALUES[found.codes[[0, 1, 30, 31, 32, 33, 63, 64, 65, -2, -1]]]
    for threshold in (0.0, 0.5, 1.0, *at_ends, *rng.random(20)):
        above = prob.astype(np.float64) > threshold
        wanted = above, above & mine, above & mine & truth
        assert found.above(threshold) == tuple(part.sum() for part in wanted)


def test_nothing_is_above_a_threshold_where_every_pixel_is_zero() -> None:
    found = count(np.zeros((3, 4)), np.ones((3, 4), np.bool_))
    assert found.above(0.0) == (0, 0, 0)
    with pytest.raises(ValueError, match=r"at least 0, not -0\.1"):
        found.above(-0.1)


@pytest.mark.parametrize("value", [-0.1, 1.001, np.nan, np.inf])
def test_what_is_no_probability_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match=r"0\.\.1"):
        count(np.array([0.5, value]), np.array([True, False]))


def test_auc_by_hand() -> None:
    assert auc([0.1, 0.9], [False, True]) == 1.0
    assert auc([0.9, 0.1], [False, True]) == 0.0
    assert auc([0.5, 0.5], [False, True]) == 0.5
    assert auc([0.5, 0.5], [True, True]) is None


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([0.0, 0.1, 0.5, 0.9]), st.booleans()), min_size=2))
def test_auc_agrees_with_scikit_learn(rows: list[tuple[float, bool]]) -> None:
    scores, present = np.array([r[0] for r in rows]), np.array([r[1] for r in rows])
    if present.all() or not present.any():
        assert auc(scores, present) is None
    else:
        assert auc(scores, present) == pytest.approx(roc_auc_score(present, scores), abs=1e-12)


def test_thinned_counts_keep_sums_and_what_lies_above_one_half() -> None:
    rng = np.random.default_rng(0)
    prob = (1 / (1 + np.exp(-rng.normal(-1, 5, 20_000)))).astype(np.float16)
    target, valid = rng.random(20_000) < prob, rng.random(20_000) < 0.9
    full = count(prob, target, valid)
    few = codes.thin(full)
    assert few.codes.size <= 504
    assert (np.diff(few.codes.astype(int)) < 0).all()
    for name in ("area", "predicted", "positives"):
        assert getattr(few, name).sum() == getattr(full, name).sum()
        for threshold in (0.5, 0.25, 0.75, 0.999):
            above = [
                getattr(one, name)[one.codes > code_of(threshold)].sum() for one in (few, full)
            ]
            assert above[0] == above[1]
    assert (few.truth, few.pixels, few.counted) == (full.truth, full.pixels, full.counted)
    bins = np.abs(VALUES[few.codes][:, None] - VALUES[full.codes][None]).min(axis=0)
    normal = VALUES[full.codes] > 2.0**-7
    assert (bins[normal] <= 0.016 * VALUES[full.codes][normal]).all()


def test_areas_in_parts_are_those_of_the_whole() -> None:
    prob = np.random.default_rng(1).random((50, 40)).astype(np.float32)
    areas = codes.Areas()
    for start in range(0, 50, 9):
        areas.add(prob[start : start + 9])
    whole, parts = count(prob, np.zeros(prob.shape, bool)), areas.counts()
    np.testing.assert_array_equal(parts.codes, whole.codes)
    np.testing.assert_array_equal(parts.area, whole.area)
    assert (parts.pixels, parts.truth) == (2000, 0)


def test_merged_parts_are_the_whole() -> None:
    rng = np.random.default_rng(0)
    prob = rng.random((40, 30)).astype(np.float16)
    prob[:5] = 0
    target, valid = rng.random((40, 30)) < prob, rng.random((40, 30)) < 0.8
    whole = count(prob, target, valid)
    cuts = [slice(0, 3), slice(3, 25), slice(25, 40)]
    found = merged([count(prob[cut], target[cut], valid[cut]) for cut in cuts])
    for name in ("codes", "area", "predicted", "positives"):
        assert getattr(found, name).tolist() == getattr(whole, name).tolist()
    assert (found.truth, found.pixels, found.counted) == (whole.truth, 1200, whole.counted)
