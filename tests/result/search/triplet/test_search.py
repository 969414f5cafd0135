"""All triplets against the loop over all of them, by image and by part; and what is chosen."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lamina.result.decisions import Triplet, TripletSearch
from lamina.result.search.triplet.result import Triple, TripletFound
from lamina.result.search.triplet.search import TripletTables
from lamina.task import Aim

Maps = list[tuple[NDArray[np.floating], NDArray[np.bool_]]]
LEVELS = (0.0, 0.2, 0.25, 0.25390625, 0.5, 0.75, 0.9, 1.0)
aims = st.builds(
    Aim,
    over=st.sampled_from(["case", "class"]),
    false_positive=st.sampled_from([0.5, 0.8]),
    false_negative=st.sampled_from([0.5, 1.0]),
    empty=st.sampled_from(["one", "zero", "skip"]),
)
units = st.sampled_from(["image", "component"])


@st.composite
def few_cases(draw: st.DrawFn) -> Maps:
    cases: Maps = []
    kind = draw(st.sampled_from([np.float16, np.float32]))
    for _ in range(draw(st.integers(1, 4))):
        shape = (1, draw(st.integers(1, 3)), draw(st.integers(1, 5)))
        size = int(np.prod(shape))
        prob = draw(st.lists(st.sampled_from(LEVELS), min_size=size, max_size=size))
        truth = draw(st.lists(st.booleans(), min_size=size, max_size=size))
        if draw(st.booleans()):
            truth = [False] * size
        cases.append((np.array(prob, kind).reshape(shape), np.array(truth).reshape(shape)))
    return cases


def value(mask: NDArray[np.bool_], truth: NDArray[np.bool_], aim: Aim) -> float | None:
    if not mask.any() and not truth.any():
        return {"one": 1.0, "zero": 0.0, "skip": None}[aim.empty]
    hits = (mask & truth).sum()
    wrong, missed = (mask & ~truth).sum(), (~mask & truth).sum()
    down = hits + aim.false_positive * wrong + aim.false_negative * missed
    return float(hits / down) if hits else 0.0


def judged(cases: Maps, decide: Triplet, aim: Aim) -> float:
    return scored(cases, [decide(prob) for prob, _ in cases], aim)


def scored(cases: Maps, masks: list[NDArray[np.bool_]], aim: Aim) -> float:
    if aim.over == "class":
        mask = np.concatenate([one.ravel() for one in masks])
        return_value = value(mask, np.concatenate([t.ravel() for _, t in cases]), aim)
        return 1.0 if return_value is None else return_value
    found = [value(mask, truth, aim) for mask, (_, truth) in zip(masks, cases, strict=True)]
    counted = [one for one in found if one is not None]
    return float(np.mean(counted)) if counted else 1.0


def slow_best(cases: Maps, decide: Triplet, aim: Aim) -> float:
    """Try every grid threshold between two of LEVELS, and every area; score different masks."""
    grid = [i / 64 for i in range(65)]
    first = decide.unit == "component"
    # of grid thresholds that select the same pixels one is enough
    tried = {tuple(p > t for p in LEVELS): t for t in grid[first:]}.values()
    areas = range(max(prob.size for prob, _ in cases) + 2)
    scores: dict[bytes, float] = {}
    for t, a, b in product(tried, areas, tried):
        triplet = decide.model_copy(update={"top": t, "area": a, "bottom": b})
        masks = [triplet(prob) for prob, _ in cases]
        key = b"".join(mask.tobytes() for mask in masks)
        if key not in scores:
            scores[key] = scored(cases, masks, aim)
    return max(scores.values())


def search(cases: Maps, decide: Triplet, aim: Aim, folds: list[int] | None = None) -> TripletFound:
    tables = TripletTables(1, decide)
    for i, (prob, truth) in enumerate(cases):
        tables.add(prob, truth, fold=folds[i] if folds else 0)
    return tables.best(aim)


@settings(max_examples=15, deadline=None)
@given(few_cases(), aims, units)
def test_equals_the_loop_over_all_triplets(cases: Maps, aim: Aim, unit: str) -> None:
    """SIIM-23: the global optimum, not that of a list of eight."""
    options = TripletSearch(levels=64, choice="best")
    decide = Triplet.model_validate({"unit": unit, "search": options})
    found = search(cases, decide, aim)
    best = found.classes[0].best
    assert best.score == pytest.approx(slow_best(cases, decide, aim), abs=1e-9)
    assert judged(cases, found.decision(decide), aim) == pytest.approx(best.score, abs=1e-12)
    assert found.score >= found.empty - 1e-12
    assert found.empty == pytest.approx(
        judged(cases, Triplet(top=1.0, area=1, bottom=1.0), aim), abs=1e-12
    )


@settings(max_examples=40, deadline=None)
@given(few_cases(), aims, units)
def test_the_flat_choice_reaches_what_it_says_and_is_never_below_nothing(
    cases: Maps, aim: Aim, unit: str
) -> None:
    decide = Triplet.model_validate({"unit": unit, "search": {"levels": 64, "choice": "flat"}})
    found = search(cases, decide, aim)
    one = found.classes[0]
    assert one.chosen == one.flat
    assert judged(cases, found.decision(decide), aim) == pytest.approx(found.score, abs=1e-12)
    assert found.score >= max(one.best.score - 0.01, found.empty) - 1e-9


@settings(max_examples=25, deadline=None)
@given(few_cases(), aims, units)
def test_a_list_is_tried_as_written(cases: Maps, aim: Aim, unit: str) -> None:
    """SIIM-24: four pairs of top and area, each with two bottoms."""
    pairs = ((0.75, 2), (0.75, 3), (0.2, 3), (0.2, 5))
    decide = Triplet.model_validate(
        {"unit": unit, "search": {"pairs": pairs, "bottom": (0.2, 0.5), "choice": "best"}}
    )
    found = search(cases, decide, aim)
    slow = [
        judged(cases, decide.model_copy(update={"top": t, "area": a, "bottom": b}), aim)
        for (t, a), b in product(pairs, (0.2, 0.5))
    ]
    assert found.score == pytest.approx(max([*slow, found.empty]), abs=1e-12)
    chosen = found.classes[0].chosen
    assert (chosen.top, chosen.area) in (*pairs, (1.0, 1))


def blobs(count: int, seed: int = 3) -> Maps:
    rng = np.random.default_rng(seed)
    cases: Maps = []
    rows, columns = np.indices((32, 32))
    for i in range(count):
        truth = np.zeros((32, 32), np.bool_)
        sure = rng.uniform(0.1, 0.6) if i % 3 else rng.uniform(0.5, 1.0)
        centre, radius = rng.uniform(8, 24, 2), rng.uniform(2, 7)
        away = np.hypot(rows - centre[0], columns - centre[1])
        if i % 3 == 0:
            truth = away < radius
        prob = sure / (1 + np.exp(away - radius)) + rng.uniform(0, 0.05, (32, 32))
        cases.append((prob.clip(0, 1).astype(np.float16)[None], truth[None]))
    return cases


@pytest.mark.parametrize("unit", ["image", "component"])
def test_cross_chooses_on_the_other_folds_and_judges_on_its_own(unit: str) -> None:
    cases, folds = blobs(12), [i % 3 for i in range(12)]
    decide = Triplet.model_validate({"unit": unit, "search": {"levels": 64, "choice": "flat"}})
    found = search(cases, decide, Aim(), folds)
    slow = []
    for fold in range(3):
        others = [case for case, own in zip(cases, folds, strict=True) if own != fold]
        chosen = search(others, decide, Aim()).decision(decide)
        mine = [case for case, own in zip(cases, folds, strict=True) if own == fold]
        slow += [judged([case], chosen, Aim()) for case in mine]
    assert found.cross == pytest.approx(np.mean(slow), abs=1e-12)


def test_scores_of_a_list_are_those_of_the_loop_bit_for_bit() -> None:
    """The benchmark's promise: no other order of sums, no other rounding."""
    cases = [(prob.astype(np.float32), truth) for prob, truth in blobs(9)]
    tops, areas, bottoms = (0.3, 0.55, 0.8), (0, 5, 20, 60), (0.1, 0.3, 0.8)
    options = TripletSearch(top=tops, area=areas, bottom=bottoms)
    tables = TripletTables(1, Triplet(search=options))
    for prob, truth in cases:
        tables.add(prob, truth)
    found = tables.scores(0)
    for (i, t), (j, a), (k, b) in product(enumerate(tops), enumerate(areas), enumerate(bottoms)):
        total = 0.0
        for prob, truth in cases:
            mask = prob > np.float32(b)
            if (prob > np.float32(t)).sum() < a:
                mask[:] = False
            size = int(mask.sum()) + int(truth.sum())
            total += 1.0 if size == 0 else 2 * int((mask & truth).sum()) / size
        assert found[i, j, k] == total / len(cases)


def test_by_hand_two_thresholds_beat_any_single_one() -> None:
    """The sure core tells the image from the clean one, the wide rim is the mask."""
    truth = np.array([[[True, True, True, True, False]]])
    shown = np.array([[[0.4, 0.9, 0.9, 0.4, 0.1]]], np.float32)
    clean = np.array([[[0.4, 0.6, 0.6, 0.4, 0.1]]], np.float32)
    found = search([(shown, truth), (clean, np.zeros_like(truth))], Triplet(), Aim())
    one = found.classes[0]
    assert (one.best.score, one.empty, one.default) == (1.0, 0.5, pytest.approx(1 / 3))
    assert one.threshold_score == pytest.approx((2 * 2 / 6 + 1) / 2)
    assert 0.6 <= one.best.top < 0.9
    assert 0.1 <= one.best.bottom < 0.4


def test_a_flat_place_is_preferred_to_a_needle() -> None:
    cases = blobs(30)
    flat = search(cases, Triplet(search=TripletSearch(choice="flat")), Aim())
    one = flat.classes[0]
    assert one.flat.around >= one.best.around
    assert one.best.score >= one.flat.score >= one.best.score - 0.01
    assert flat.decision().top == one.flat.top
    assert len(one.surface.score) == len(one.surface.top) <= 65
    assert {len(row) for row in one.surface.score} == {len(one.surface.area)}
    assert max(max(row) for row in one.surface.score) <= one.best.score + 1e-5


def test_pixels_outside_the_valid_area_count_for_the_area_only() -> None:
    prob = np.array([[[0.9, 0.9, 0.9, 0.1]]], np.float16)
    truth = np.array([[[True, True, True, False]]])
    clean = np.array([[[0.9, 0.9, 0.1, 0.1]]], np.float16)
    for unit in ("image", "component"):
        tables = TripletTables(1, Triplet.model_validate({"unit": unit}))
        tables.add(prob, truth, valid=np.array([[True, False, False, True]]))
        tables.add(clean, np.zeros_like(truth), valid=np.ones((1, 4), np.bool_))
        best = tables.best().classes[0].best
        assert best.score == 1.0
        assert best.area == 3  # the decision sees three pixels, of which one is judged


def test_nothing_found_is_left_empty() -> None:
    prob = np.full((1, 2, 2), 0.9, np.float32)
    found = search([(prob, np.zeros((1, 2, 2), np.bool_))] * 2, Triplet(), Aim())
    chosen = found.classes[0].chosen
    assert Triple(chosen.top, chosen.area, chosen.bottom) == (1.0, 1, 1.0)
    assert found.score == 1.0
    assert not found.decision()(prob).any()


def test_no_case_wrong_shapes_and_any_class_are_a_programmers_mistake() -> None:
    tables = TripletTables(2)
    with pytest.raises(ValueError, match="no case"):
        tables.best()
    with pytest.raises(ValueError, match="2 classes"):
        tables.add(np.zeros((1, 2, 2), np.float16), np.zeros((1, 2, 2), np.bool_))
    for kind in (np.float16, np.float32):
        with pytest.raises(ValueError, match=r"0\.\.1"):
            tables.add(np.full((2, 2, 2), 1.5, kind), np.zeros((2, 2, 2), np.bool_))
    tables.add(np.zeros((2, 2, 2), np.float16), np.zeros((2, 2, 2), np.bool_))
    with pytest.raises(ValueError, match="one class"):
        tables.best(Aim(over="foreground"))
