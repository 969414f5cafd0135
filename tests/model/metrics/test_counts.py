"""Counts by hand and against a slow twin; every rule of scope and of emptiness."""

from __future__ import annotations

import importlib
import itertools
import json
import pkgutil
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from pydantic import TypeAdapter

import lamina.model.metrics as face
from lamina.errors import RecipeError
from lamina.model.metrics import (
    AnyMetric,
    CountMetric,
    DiceScore,
    FBeta,
    Iou,
    Metric,
    MseScore,
    Precision,
    Psnr,
    Recall,
)
from lamina.model.metrics.counts import counts

Masks = NDArray[np.bool_]
masks = arrays(np.bool_, st.just((2, 3, 4)))
KINDS: list[type[CountMetric]] = [DiceScore, FBeta, Iou, Precision, Recall]


def mask(*rows: str) -> Masks:
    """One class a row: ``##.`` is a mask of three pixels."""
    return np.array([[letter == "#" for letter in row] for row in rows])


def test_counts_by_hand() -> None:
    answer, truth = mask("##..", "..#."), mask("#...", ".###")
    assert counts(answer, truth).tolist() == [[1, 2, 1], [1, 1, 3], [3, 3, 4]]


def test_pixels_that_do_not_count_are_left_out() -> None:
    answer, truth = mask("##..", "..#."), mask("#...", ".###")
    valid = mask("#.#.")[0]
    assert counts(answer, truth, valid).tolist() == [[1, 1, 1], [1, 1, 1], [2, 2, 2]]


def test_class_zero_may_be_left_out_of_the_union() -> None:
    answer, truth = mask("###.", "...#", "...."), mask("##..", "..##", "....")
    found = counts(answer, truth, ignore_first=True)
    assert found[:3].tolist() == counts(answer, truth)[:3].tolist()
    assert found[3].tolist() == [1, 1, 2]
    with pytest.raises(RecipeError, match="only one output"):
        counts(answer[:1], truth[:1], ignore_first=True)


def test_shapes_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match="mask is"):
        counts(mask("##"), mask("###"))
    with pytest.raises(ValueError, match="valid"):
        counts(mask("##"), mask("##"), np.ones((1, 2), bool))


@given(masks, masks, arrays(np.bool_, st.just((3, 4))))
@settings(max_examples=50, deadline=None)
def test_agrees_with_a_slow_twin(answer: Masks, truth: Masks, valid: Masks) -> None:
    expected = np.zeros((3, 3))
    for y, x in itertools.product(range(3), range(4)):
        if valid[y, x]:
            pairs = [(answer[k, y, x], truth[k, y, x]) for k in range(2)]
            pairs.append((answer[:, y, x].any(), truth[:, y, x].any()))
            for k, (a, t) in enumerate(pairs):
                expected[k] += (a and t, a, t)
    np.testing.assert_array_equal(counts(answer, truth, valid), expected)


def test_scopes_by_hand() -> None:
    first = DiceScore().tally(mask("##..", "...."), mask("#...", "...."))  # 2/3, empty
    second = DiceScore().tally(mask("....", "..##"), mask("##..", "..##"))  # 0, 1
    tallies = [first, second]
    assert DiceScore(over="image_class").score(tallies).value == pytest.approx(
        (2 / 3 + 1 + 0 + 1) / 4
    )
    assert DiceScore(over="image").score(tallies).value == pytest.approx((2 / 3 + 2 * 2 / 6) / 2)
    assert DiceScore(over="pooled").score(tallies).value == pytest.approx((2 / 5 + 1) / 2)
    assert DiceScore(over="foreground").score(tallies).value == pytest.approx(2 * 3 / (4 + 5))
    assert DiceScore().score(tallies).classes == pytest.approx((1 / 3, 1))
    assert DiceScore(over="image").score(tallies).classes == pytest.approx((1 / 3, 1))
    assert DiceScore(over="pooled").score(tallies).classes == pytest.approx((2 / 5, 1))


def test_empty_rules_by_hand() -> None:
    """N08."""
    tallies = [DiceScore().tally(mask("##..", "...."), mask("#...", "...."))]
    found = {
        rule: DiceScore.model_validate({"empty": rule}).score(tallies)
        for rule in ("one", "zero", "skip")
    }
    assert found["one"].classes == pytest.approx((2 / 3, 1))
    assert found["zero"].classes == pytest.approx((2 / 3, 0))
    assert found["skip"].classes == (pytest.approx(2 / 3), None)
    assert [s.value for s in found.values()] == pytest.approx([5 / 6, 1 / 3, 2 / 3])


def test_one_empty_is_zero() -> None:
    for metric in (DiceScore(), Iou(), FBeta()):
        for pair in ((mask("##"), mask("..")), (mask(".."), mask("##"))):
            assert metric.score([metric.tally(*pair)]).value == 0


def test_predicting_nothing_scores_the_share_of_empty_pairs() -> None:
    nothing = np.zeros((4, 2, 2), bool)
    one = nothing.copy()
    one[2] = True
    tallies = [DiceScore().tally(nothing, truth) for truth in (nothing, nothing, one)]
    assert DiceScore().score(tallies).value == pytest.approx(11 / 12)


def test_an_ignored_class_has_no_value() -> None:
    metric = DiceScore(ignore_first=True)
    answer, truth = mask("###.", "...#"), mask("##..", "..##")
    found = metric.score([metric.tally(answer, truth)])
    assert found.classes == (None, pytest.approx(2 / 3))
    assert found.value == pytest.approx(2 / 3)


@pytest.mark.parametrize("kind", KINDS)
@given(st.lists(st.tuples(masks, masks, arrays(np.bool_, st.just((3, 4)))), min_size=1, max_size=3))
@settings(max_examples=10, deadline=None)
def test_no_value_is_ever_nan(
    kind: type[CountMetric], cases: list[tuple[Masks, Masks, Masks]]
) -> None:
    """N08."""
    for over, empty, ignore in itertools.product(
        ("image", "image_class", "pooled", "foreground"), ("one", "zero", "skip"), (False, True)
    ):
        metric = kind.model_validate({"over": over, "empty": empty, "ignore_first": ignore})
        score = metric.score([metric.tally(*case) for case in cases])
        assert 0 <= score.value <= 1
        assert len(score.classes) == 2
        assert all(v is None or 0 <= v <= 1 for v in score.classes)


def test_where_nothing_counts_and_everything_is_skipped_the_value_is_zero() -> None:
    metric = DiceScore(empty="skip")
    tally = metric.tally(mask("##"), mask("##"), np.zeros(2, bool))
    score = metric.score([tally])
    assert (score.value, score.classes) == (0.0, (None,))
    assert DiceScore().score([tally]).value == 1


@pytest.mark.parametrize("metric", [kind() for kind in KINDS] + [Psnr(), MseScore()], ids=str)
def test_no_tallies_are_refused(metric: Metric) -> None:
    with pytest.raises(ValueError, match="at least one"):
        metric.score([])


def test_a_tally_survives_the_way_through_json() -> None:
    tally = counts(mask("##.."), mask("#..."))
    back = np.array(json.loads(json.dumps(tally.tolist())))
    assert DiceScore().score([back]) == DiceScore().score(iter([tally]))


def test_titles_state_scope_and_rule() -> None:
    assert DiceScore().title == "Dice per image and class; empty against empty = 1"
    title = FBeta(over="foreground", empty="skip", ignore_first=True).title
    assert (
        title == "F0.5 any class, all images pooled, without class 0; empty against empty left out"
    )
    assert Precision(empty="zero").title == "Precision per image and class; nothing predicted = 0"


@pytest.mark.parametrize("metric", [kind() for kind in KINDS] + [Psnr(), MseScore()], ids=str)
def test_a_metric_survives_the_way_through_json(metric: Metric) -> None:
    adapter = TypeAdapter(AnyMetric)
    assert adapter.validate_json(adapter.dump_json(metric)) == metric


def test_every_metric_of_the_folder_is_an_option() -> None:
    members = set(get_args(get_args(AnyMetric)[0]))
    found: set[Any] = set()
    for module in pkgutil.iter_modules(face.__path__):
        home = importlib.import_module(f"{face.__name__}.{module.name}")
        found |= {
            value
            for value in vars(home).values()
            if isinstance(value, type)
            and issubclass(value, Metric)
            and "kind" in value.model_fields
        }
    assert members == found
