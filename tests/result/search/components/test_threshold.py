"""The search with minimum parts against a loop over everything, and its promise kept."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lamina.geometry.components.labelling import drop_small
from lamina.result.decisions import Threshold
from lamina.result.search.result import Found
from lamina.result.search.threshold import Tables
from lamina.task import Aim

Maps = list[tuple[NDArray[np.float16], NDArray[np.bool_]]]
LEVELS = [0.0, 0.25, 0.5, 0.75, 1.0]

aims = st.builds(
    Aim,
    over=st.sampled_from(["case", "class"]),
    false_positive=st.sampled_from([0.5, 0.8]),
    empty=st.sampled_from(["one", "zero", "skip"]),
)


@st.composite
def few_cases(draw: st.DrawFn, classes: int = 1) -> Maps:
    chance = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = (classes, 3, 5)
    return [
        (
            chance.choice(LEVELS, shape).astype(np.float16),
            (chance.random(shape) < 0.3) & (chance.random() < 0.7),
        )
        for _ in range(draw(st.integers(1, 5)))
    ]


def score(masks: list[NDArray[np.bool_]], truths: list[NDArray[np.bool_]], aim: Aim) -> float:
    if aim.over == "class":
        masks, truths = [np.concatenate(masks)], [np.concatenate(truths)]
    found = []
    for mask, truth in zip(masks, truths, strict=True):
        hits, wrong, missed = (mask & truth).sum(), (mask & ~truth).sum(), (~mask & truth).sum()
        if not mask.any() and not truth.any():
            found += {"one": [1.0], "zero": [0.0], "skip": []}[aim.empty]
        else:
            below = hits + aim.false_positive * wrong + aim.false_negative * missed
            found.append(float(hits / below) if hits else 0.0)
    return float(np.mean(found)) if found else 1.0


def search(cases: Maps, aim: Aim, classes: int = 1, *, parts: bool = True) -> Found:
    tables = Tables(classes, parts=parts)
    for number, (prob, truth) in enumerate(cases):
        tables.add(prob, truth, fold=number % 2)
    return tables.best(aim)


def slow_best(cases: Maps, aim: Aim) -> float:
    """Score every different list of masks that a threshold, a part and an area give."""
    truths, areas = [truth[0] for _, truth in cases], range(17) if aim.by_case else [0]
    scores: dict[bytes, float] = {}
    for threshold, small in product(LEVELS, range(1, 17)):
        parts = [drop_small(prob[0] > np.float16(threshold), small) for prob, _ in cases]
        sizes = [mask.sum() for mask in parts]
        for area in areas:
            masks = [mask & (size >= area) for mask, size in zip(parts, sizes, strict=True)]
            key = b"".join(mask.tobytes() for mask in masks)
            if key not in scores:
                scores[key] = score(masks, truths, aim)
    return max(scores.values())


@settings(max_examples=25, deadline=None)
@given(few_cases(), aims)
def test_equals_the_loop_over_all_thresholds_parts_and_areas(cases: Maps, aim: Aim) -> None:
    found = search(cases, aim)
    assert found.score == pytest.approx(slow_best(cases, aim), abs=1e-12)
    assert found.score >= search(cases, aim, parts=False).score


@settings(max_examples=20, deadline=None)
@given(few_cases(classes=2), aims)
def test_the_decision_reaches_the_score_that_was_promised(cases: Maps, aim: Aim) -> None:
    found = search(cases, aim, classes=2)
    decide = found.decision(Threshold(min_component=7, overlap="keep"))
    assert decide.min_component == tuple(class_.min_component for class_ in found.classes)
    masks = [decide(prob) for prob, _ in cases]
    for k, one in enumerate(found.classes):
        mine = [mask[k] for mask in masks], [truth[k] for _, truth in cases]
        assert one.score == pytest.approx(score(*mine, aim), abs=1e-12)


def test_by_hand_spots_go_and_a_defect_of_two_parts_stays() -> None:
    """No threshold and no minimum area does this: the spots together are as large."""
    prob = np.zeros((1, 5, 9), np.float32)
    prob[0, 0:2, 0:3] = prob[0, 3:5, 0:3] = 0.75
    truth = prob > 0
    prob[0, 0, 5] = prob[0, 0, 7] = prob[0, 2, 5] = prob[0, 2, 7] = 0.75
    tables = Tables(1, parts=True)
    tables.add(prob, truth)
    (one,) = tables.best().classes
    assert (one.score, one.min_component) == (1.0, 4)  # the middle of 2 to 6
    plain = Tables(1)
    plain.add(prob, truth)
    assert plain.best().classes[0].score == pytest.approx(2 * 12 / (16 + 12))


def test_a_minimum_part_that_gains_nothing_is_not_set() -> None:
    prob = np.zeros((1, 4, 4), np.float32)
    prob[0, :2] = 0.75
    tables = Tables(1, parts=True)
    tables.add(prob, prob > 0)
    (one,) = tables.best().classes
    assert (one.score, one.min_component) == (1.0, 0)
    assert 0 < one.threshold < 0.75


def test_cross_judges_each_fold_by_numbers_found_on_the_others() -> None:
    chance = np.random.default_rng(4)
    cases: Maps = [
        (chance.choice(LEVELS, (1, 6, 6)).astype(np.float16), chance.random((1, 6, 6)) < 0.3)
        for _ in range(8)
    ]
    found = search(cases, Aim()).classes[0].cross
    scores = []
    for fold in (0, 1):
        others = Tables(1, parts=True)
        for number, (prob, truth) in enumerate(cases):
            if number % 2 != fold:
                others.add(prob, truth)
        decide = others.best().decision()
        mine = cases[fold::2]
        scores += [score([decide(prob)[0]], [truth[0]], Aim()) for prob, truth in mine]
    assert found == pytest.approx(np.mean(scores), abs=1e-12)


def test_with_one_threshold_for_all_classes_parts_are_left_as_they_were() -> None:
    prob = np.full((2, 3, 3), 0.75, np.float32)
    tables = Tables(2, parts=True)
    tables.add(prob, prob > 0)
    found = tables.best(Aim(over="foreground"))
    assert not found.parts
    start = Threshold(min_component=7, overlap="largest")
    decide = found.decision(start)
    assert (decide.min_component, decide.overlap) == (7, "largest")
