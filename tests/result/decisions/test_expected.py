"""The decision by expected score: against every mask of few pixels, and in parts as whole."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from rankseg import rankseg_rma

from lamina.errors import RecipeError
from lamina.recipe.load import load_recipe
from lamina.result.calibration import Calibration
from lamina.result.decisions import Expected
from lamina.result.expected.fit import ClassExpected
from lamina.result.expected.presence import Presence
from lamina.result.search.histogram import VALUES

WEIGHTS = {"dice": (0.5, 0.5), "iou": (1.0, 1.0), "f0.5": (1 / 1.25, 0.25 / 1.25)}
OUTCOMES = np.asarray(list(itertools.product([False, True], repeat=8)))


def flat_presence(chance: float) -> Presence:
    """Presence that does not depend on the image."""
    base = float(np.log(chance / (1 - chance)))
    return Presence(base=base, slope=0.0, mean=0.0, spread=1.0, level=1.0)


@pytest.mark.parametrize("empty", ["one", "zero", "skip"])
@pytest.mark.parametrize("weights", WEIGHTS.values(), ids=WEIGHTS)
def test_the_mask_is_the_best_of_all_masks_of_8_pixels(
    weights: tuple[float, float], empty: str
) -> None:
    """An image is empty with the chance 1 - presence; else its pixels are independent."""
    rng = np.random.default_rng(7)
    hits = (OUTCOMES[:, None] & OUTCOMES[None]).sum(-1).astype(float)  # masks x truths
    wrong = (OUTCOMES[:, None] & ~OUTCOMES[None]).sum(-1)
    missed = (~OUTCOMES[:, None] & OUTCOMES[None]).sum(-1)
    below = hits + weights[0] * wrong + weights[1] * missed
    score = np.divide(hits, below, out=np.zeros_like(hits), where=below > 0)
    nothing = (~OUTCOMES.any(axis=1)).astype(float)
    for _ in range(200):
        prob = rng.choice(VALUES[1:-1], 8).astype(np.float16)
        chance = float(rng.uniform(0.05, 0.95))
        decide = Expected(
            false_positive=weights[0],
            false_negative=weights[1],
            empty=empty,
            classes=(ClassExpected(presence=flat_presence(chance)),),
        )
        mask = decide(prob[None])[0]
        given = np.minimum(1, prob.astype(float) / chance)
        outcome = np.where(OUTCOMES, given, 1 - given).prod(-1)
        value = chance * (score @ outcome)
        if empty == "one":
            value = value + (1 - chance) * nothing
        mine = value[(mask == OUTCOMES).all(axis=1)][0]
        assert mine == pytest.approx(value.max(), abs=1e-12)


def maps(seed: int = 0, shape: tuple[int, ...] = (2, 24, 40)) -> NDArray[np.float16]:
    rng = np.random.default_rng(seed)
    prob = 1 / (1 + np.exp(-rng.normal(-2, 2, shape)))
    prob[:, :8, :9] = 0.9
    return prob.astype(np.float16)


@pytest.mark.parametrize("exclusive", [False, True])
def test_parts_are_decided_as_the_whole(exclusive: bool) -> None:
    prob = maps(shape=(3, 24, 40))
    decide = Expected(exclusive=exclusive)
    parts = [prob[:, a : a + 7] for a in range(0, 24, 7)]
    by_part = decide.for_case(iter(parts))
    joined = np.concatenate([by_part(part) for part in parts], axis=1)
    np.testing.assert_array_equal(joined, decide(prob))
    assert decide.streams
    assert not decide.pixelwise


def test_float32_counts_as_it_will_be_stored() -> None:
    prob = np.random.default_rng(1).random((1, 30, 30)).astype(np.float32)
    decide = Expected()
    np.testing.assert_array_equal(decide(prob), decide(prob.astype(np.float16)))


def test_the_mask_is_that_of_all_pixels_sorted() -> None:
    """The histogram form against sorting, with ties, under a calibration."""
    prob = np.round(maps(3)[0].astype(float) * 40) / 40
    curve = Calibration(slope=1.3, shift=-0.7)
    decide = Expected(classes=(ClassExpected(calibration=curve),), empty="zero")
    mask = decide(prob[None].astype(np.float16))[0]
    stored = prob.astype(np.float16).astype(float)
    logit = np.log(stored.clip(2.0**-25, 1 - 2.0**-12) / (1 - stored.clip(2.0**-25, 1 - 2.0**-12)))
    q = 1 / (1 + np.exp(-(1.3 * logit - 0.7)))
    q[stored == 0] = 1 / (1 + np.exp(-(1.3 * np.log(2.0**-25 / (1 - 2.0**-25)) - 0.7)))
    order = np.sort(q.ravel())[::-1]
    ends = np.flatnonzero(np.append(order[:-1] > order[1:] + 1e-15, True))
    taken = ends + 1
    value = 2 * np.cumsum(order)[ends] / (taken + order.sum())
    last = order[ends[value.argmax()]]
    np.testing.assert_array_equal(mask, q >= last - 1e-15)


@pytest.mark.parametrize("metric", ["dice", "iou"])
def test_the_mask_scores_as_high_as_rankseg_where_the_rules_agree(metric: str) -> None:
    """Without pruning, and where an empty image is never predicted (Dai and Li 2023)."""
    rng = np.random.default_rng(0)
    weights = WEIGHTS[metric]
    decide = Expected(false_positive=weights[0], false_negative=weights[1], empty="zero")
    for _ in range(20):
        logit = rng.normal(-1.5, 1.5, (1, 30, 40))
        logit[:, 5:20, 5:20] += rng.normal(3, 1)
        prob = (1 / (1 + np.exp(-logit))).astype(np.float16)
        given = torch.from_numpy(prob.astype(np.float32))[None]
        other = rankseg_rma(given, metric=metric, output_mode="multilabel", pruning_prob=0.0)
        q = prob.astype(float)

        def value(mask: NDArray[np.bool_], q: NDArray[np.float64] = q) -> float:
            hits, taken, total = q[mask].sum(), mask.sum(), q.sum()
            wrong = weights[0] * (taken - hits) + weights[1] * (total - hits)
            return float(hits / (hits + wrong))

        mine, theirs = decide(prob), other.numpy().astype(bool).reshape(prob.shape)
        assert value(mine) >= value(theirs) - 1e-9  # ties apart, which it may cut
        assert np.mean(mine != theirs) < 0.005


def test_exclusive_classes_are_best_by_brute_force_where_they_are_apart() -> None:
    """6 pixels, background and two classes: within 0.02 of the best of all 3^6 answers."""
    rng = np.random.default_rng(5)
    answers = np.asarray(list(itertools.product(range(3), repeat=6)))
    decide = Expected(exclusive=True, empty="zero")
    for _ in range(20):
        prob = rng.dirichlet((0.4, 0.4, 0.4), 6).T.astype(np.float16)
        share = prob.astype(float) / prob.astype(float).sum(axis=0)
        chance = np.prod([share[answers[:, i], i] for i in range(6)], axis=0)
        value = np.zeros(len(answers))
        for k in (1, 2):
            mine, true = answers == k, answers == k
            hits = (mine[:, None] & true[None]).sum(-1).astype(float)
            total = mine.sum(-1)[:, None] + true.sum(-1)[None]
            value += np.divide(2 * hits, total, out=np.zeros_like(hits), where=total > 0) @ chance
        found = decide(prob).argmax(axis=0)
        assert decide(prob).sum(axis=0).tolist() == [1] * 6
        at = int((answers == found).all(axis=1).argmax())
        assert value[at] >= value.max() - 0.1
        plain = int((answers == prob.argmax(axis=0)).all(axis=1).argmax())
        assert value[at] >= value[plain] - 0.05


def test_the_recipe_fills_in_what_metric_and_task_say() -> None:
    recipe = load_recipe("steel-laptop", ["decide={kind: expected}", "metric={kind: iou}"])
    assert isinstance(recipe.decide, Expected)
    assert recipe.decide.false_positive == 1
    assert recipe.decide.empty == "one"
    assert recipe.decide.exclusive is False
    again = type(recipe).model_validate(recipe.model_dump(mode="json"))
    assert again == recipe


def test_a_case_with_other_classes_is_refused() -> None:
    decide = Expected(classes=(ClassExpected(),) * 3)
    with pytest.raises(RecipeError, match=r"lists 3 classes, and the case has 2"):
        decide(maps())


def test_the_outlook_is_presence_and_the_expected_score_of_the_best_mask() -> None:
    decide = Expected(classes=(ClassExpected(presence=flat_presence(0.3)), ClassExpected()))
    (first, score), (second, other) = decide.outlook([maps()])
    assert first == pytest.approx(0.3)
    assert score == pytest.approx(0.7)  # the empty mask
    assert second == 1
    assert 0 < other < 1
    (_, score), _ = decide.model_copy(update={"empty": "zero"}).outlook([maps()])
    assert score <= 0.3
