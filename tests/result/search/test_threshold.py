"""The search by hand, against a loop over everything, and on maps full of ties."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lamina.model.metrics import FBeta
from lamina.result.decisions import Threshold
from lamina.result.search.threshold import Tables
from lamina.task import Aim

Maps = list[tuple[NDArray[np.float16], NDArray[np.bool_]]]
LEVELS = [0.0, 0.1, 0.30004883, 0.5, 0.5004883, 0.9, 1.0]


@st.composite
def few_cases(draw: st.DrawFn, classes: int = 1) -> Maps:
    cases: Maps = []
    for _ in range(draw(st.integers(1, 5))):
        shape = (classes, draw(st.integers(1, 2)), draw(st.integers(1, 3)))
        size = int(np.prod(shape))
        prob = draw(st.lists(st.sampled_from(LEVELS), min_size=size, max_size=size))
        truth = draw(st.lists(st.booleans(), min_size=size, max_size=size))
        if draw(st.booleans()):
            truth = [False] * size
        cases.append((np.array(prob, np.float16).reshape(shape), np.array(truth).reshape(shape)))
    return cases


def value(mask: NDArray[np.bool_], truth: NDArray[np.bool_], aim: Aim) -> float | None:
    if not mask.any() and not truth.any():
        return {"one": 1.0, "zero": 0.0, "skip": None}[aim.empty]
    hits = (mask & truth).sum()
    wrong, missed = (mask & ~truth).sum(), (~mask & truth).sum()
    down = hits + aim.false_positive * wrong + aim.false_negative * missed
    return float(hits / down) if hits else 0.0


def mean_over_cases(cases: Maps, threshold: float, area: float, aim: Aim) -> float:
    found = []
    for prob, truth in cases:
        mask = prob > np.float16(threshold)
        mask &= mask.sum() >= area
        found.append(value(mask, truth, aim))
    counted = [one for one in found if one is not None]
    return float(np.mean(counted)) if counted else 1.0


def slow_best(cases: Maps, aim: Aim) -> float:
    thresholds = {float(p) for prob, _ in cases for p in prob.ravel()} | {0.0, 1.0}
    areas = range(max(prob.size for prob, _ in cases) + 2)
    return max(mean_over_cases(cases, t, a, aim) for t, a in product(thresholds, areas))


def search(cases: Maps, aim: Aim, classes: int = 1) -> Tables:
    tables = Tables(classes)
    for prob, truth in cases:
        tables.add(prob, truth)
    return tables


aims = st.builds(
    Aim,
    false_positive=st.sampled_from([0.5, 1.0, 0.8]),
    false_negative=st.sampled_from([0.5, 1.0]),
    empty=st.sampled_from(["one", "zero", "skip"]),
)


def test_by_hand_a_false_spot_is_cut_by_its_area() -> None:
    clean, shown = np.zeros((1, 1, 4), np.bool_), np.array([[[True, True, True, False]]])
    tables = Tables(1)
    tables.add(np.array([[[0.9, 0.2, 0.2, 0.2]]], np.float16), clean)
    tables.add(np.array([[[0.8, 0.8, 0.8, 0.1]]], np.float16), shown)
    found = tables.best().classes[0]
    assert (found.score, found.empty, found.default) == (1.0, 0.5, 0.5)
    assert 0.2 <= found.threshold < 0.8
    assert 2 <= found.min_area <= 3


def test_the_middle_of_the_widest_equal_run_is_taken() -> None:
    tables = Tables(1)
    prob = np.array([[[0.25, 0.75]]], np.float32)
    tables.add(prob, np.array([[[False, True]]]))
    found = tables.best().classes[0]
    assert found.threshold == 0.5
    assert found.min_area == 0


@settings(max_examples=60, deadline=None)
@given(few_cases(), aims)
def test_equals_the_loop_over_all_thresholds_and_areas(cases: Maps, aim: Aim) -> None:
    found = search(cases, aim).best(aim).classes[0]
    assert found.score == pytest.approx(slow_best(cases, aim), abs=1e-12)
    assert found.default == pytest.approx(mean_over_cases(cases, 0.5, 0, aim), abs=1e-12)
    assert found.empty == pytest.approx(mean_over_cases(cases, 1.0, 0, aim), abs=1e-12)
    assert found.score >= found.empty


@settings(max_examples=40, deadline=None)
@given(few_cases(classes=2), aims)
def test_the_decision_reaches_the_score_that_was_promised(cases: Maps, aim: Aim) -> None:
    found = search(cases, aim, classes=2).best(aim)
    decide = found.decision()
    assert isinstance(decide, Threshold)
    for k, one in enumerate(found.classes):
        values = [value(decide(prob)[k], truth[k], aim) for prob, truth in cases]
        counted = [v for v in values if v is not None]
        assert one.score == pytest.approx(np.mean(counted) if counted else 1.0, abs=1e-12)


@settings(max_examples=20, deadline=None)
@given(few_cases(classes=2), st.sampled_from(["class", "foreground"]))
def test_pooled_equals_the_loop_over_all_thresholds(cases: Maps, over: str) -> None:
    aim = Aim.model_validate({"over": over})
    prob = np.concatenate([p.reshape(2, -1) for p, _ in cases], axis=1)
    truth = np.concatenate([t.reshape(2, -1) for _, t in cases], axis=1)
    pairs = list(zip(prob, truth, strict=True))
    if over == "foreground":
        pairs = [(prob.max(0), truth.any(0))]
    slow = [
        max(value(p > np.float16(t), truth_k, aim) or 0.0 for t in LEVELS) for p, truth_k in pairs
    ]
    assert search(cases, aim, classes=2).best(aim).score == pytest.approx(np.mean(slow), abs=1e-12)


@settings(max_examples=30, deadline=None)
@given(few_cases(classes=2))
def test_any_class_per_case_equals_the_loop_over_all_thresholds(cases: Maps) -> None:
    aim = Aim(over="case_foreground")
    unions = [(prob.max(0)[None], truth.any(0)[None]) for prob, truth in cases]
    slow = max(mean_over_cases(unions, t, 0, aim) for t in LEVELS)
    found = search(cases, aim, classes=2).best(aim)
    assert found.score == pytest.approx(slow, abs=1e-12)
    masks = [found.decision()(prob).any(0) for prob, _ in cases]
    decided = [value(m, t[0], aim) for m, (_, t) in zip(masks, unions, strict=True)]
    assert np.mean(decided) == pytest.approx(found.score, abs=1e-12)  # type: ignore[arg-type]


def test_cross_chooses_on_the_other_folds_and_judges_on_its_own() -> None:
    rng = np.random.default_rng(5)
    cases = [
        (rng.random((1, 4, 4)).astype(np.float16), rng.random((1, 4, 4)) < 0.3) for _ in range(6)
    ]
    folds = [0, 0, 1, 1, 2, 2]
    tables = Tables(1)
    for (prob, truth), fold in zip(cases, folds, strict=True):
        tables.add(prob, truth, fold=fold)
    slow = []
    for fold in range(3):
        others = Tables(1)
        for (prob, truth), own in zip(cases, folds, strict=True):
            if own != fold:
                others.add(prob, truth)
        decide = others.best().decision()
        for (prob, truth), own in zip(cases, folds, strict=True):
            if own == fold:
                slow.append(value(decide(prob), truth, Aim()))
    assert tables.best().classes[0].cross == pytest.approx(np.mean(slow), abs=1e-12)  # type: ignore[arg-type]


def test_pixels_outside_the_valid_area_count_for_the_area_only() -> None:
    prob = np.array([[[0.9, 0.9, 0.9, 0.1]]], np.float16)
    truth = np.array([[[True, True, True, False]]])
    valid = np.array([[True, False, False, True]])
    clean = np.array([[[0.9, 0.9, 0.1, 0.1]]], np.float16)
    tables = Tables(1)
    tables.add(prob, truth, valid=valid)
    tables.add(clean, np.zeros_like(truth), valid=np.ones((1, 4), np.bool_))
    found = tables.best().classes[0]
    assert found.score == 1.0
    assert found.min_area == 3  # the decision sees three pixels, of which one is judged


def test_background_of_exclusive_classes_is_not_foreground() -> None:
    tables = Tables(2, exclusive=True)
    prob = np.array([[[0.9, 0.2]], [[0.1, 0.8]]], np.float16)
    tables.add(prob, np.array([[[True, False]], [[False, True]]]))
    found = tables.best(Aim(over="foreground"))
    assert found.score == 1.0
    assert found.foreground.threshold == pytest.approx(0.45, abs=1e-3)  # between 0.1 and 0.8
    assert found.decision() == Threshold(threshold=found.foreground.threshold)


def test_no_case_and_wrong_shapes_are_a_programmers_mistake() -> None:
    tables = Tables(2)
    with pytest.raises(ValueError, match="no case"):
        tables.best()
    with pytest.raises(ValueError, match="2 classes"):
        tables.add(np.zeros((1, 2, 2), np.float16), np.zeros((1, 2, 2), np.bool_))
    with pytest.raises(ValueError, match=r"0\.\.1"):
        tables.add(np.full((2, 2, 2), 1.5, np.float16), np.zeros((2, 2, 2), np.bool_))


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from([0.5, 1.0, 2.0]),
    st.integers(1, 3),
    st.sampled_from([0.0, 0.05, 0.4]),
    st.sampled_from([0.0, 0.3, 1.0]),
    st.integers(0, 999),
)
def test_the_threshold_for_f_beta_is_exact_inside_the_mask(
    beta: float, count: int, share: float, inside: float, seed: int
) -> None:
    """INK-24: F-beta of all pixels inside the mask pooled, at every value of a float16 map."""
    rng = np.random.default_rng(seed)
    metric = FBeta(beta=beta, over="pooled")
    aim = metric.aim(1)
    tables, pixels = Tables(1), []
    for _ in range(count):
        prob = rng.random((1, 6, 7)).astype(np.float16)
        target, valid = rng.random((1, 6, 7)) < share, rng.random((6, 7)) < inside
        tables.add(prob, target, valid=valid)
        pixels.append((prob[0][valid], target[0][valid], prob, target, valid))
    found = tables.best(aim)
    scores = np.concatenate([one[0] for one in pixels])
    truth = np.concatenate([one[1] for one in pixels])

    def f_beta(mask: NDArray[np.bool_]) -> float:
        hits, predicted, true = (mask & truth).sum(), mask.sum(), truth.sum()
        if not predicted and not true:
            return {"one": 1.0, "zero": 0.0, "skip": 1.0}[aim.empty]
        if not hits:
            return 0.0
        precision, recall = hits / predicted, hits / true
        return float((1 + beta**2) * precision * recall / (beta**2 * precision + recall))

    wanted = max(f_beta(scores > t) for t in {0.0, 1.0, *scores.tolist()})
    assert found.score == pytest.approx(wanted, abs=1e-9)
    decided = Threshold(threshold=found.classes[0].threshold)
    tallies = [metric.tally(decided(prob), target, valid) for _, _, prob, target, valid in pixels]
    assert metric.score(tallies).value == pytest.approx(wanted, abs=1e-9)
