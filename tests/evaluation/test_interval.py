"""The bootstrap over groups against the textbook interval and against its coverage."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import norm

from lamina.evaluation.interval import DRAWS, FEWEST, resampled
from lamina.model.metrics import DiceScore


def tallies(dice: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Return hits, predicted and true pixels of a class and of any, by their Dice."""
    return [np.array([[value * 1000, 1000, 1000]] * 2) for value in dice]


METRIC = DiceScore(over="image")


def test_a_mean_over_single_cases_has_the_textbook_interval() -> None:
    rng = np.random.default_rng(3)
    dice = rng.uniform(0.2, 0.9, 60)
    found = resampled(METRIC, tallies(dice), tallies(np.zeros(60)), range(60), rng)
    half = norm.ppf(0.975) * dice.std() / np.sqrt(60)
    assert found.draws == DRAWS
    assert found.groups == 60
    assert found.score == pytest.approx((dice.mean() - half, dice.mean() + half), abs=0.01)
    assert found.gain == pytest.approx(found.score)
    assert found.classes[0] == pytest.approx(found.score)
    assert found.verdict == "better"


def test_copies_within_a_group_do_not_narrow_the_interval() -> None:
    dice = np.random.default_rng(4).uniform(0.2, 0.9, 30)
    alone = resampled(METRIC, tallies(dice), [], range(30), np.random.default_rng(0))
    copied = resampled(
        METRIC, tallies(np.repeat(dice, 8)), [], np.repeat(range(30), 8), np.random.default_rng(0)
    )
    assert alone.score is not None
    assert copied.score == pytest.approx(alone.score, abs=0.02)
    assert copied.gain is None
    assert copied.verdict == "cannot tell"


def test_few_groups_have_no_interval() -> None:
    dice = np.linspace(0.2, 0.9, 40)
    few = np.arange(40) % (FEWEST - 1)
    found = resampled(METRIC, tallies(dice), tallies(dice), few, np.random.default_rng(0))
    assert (found.groups, found.score, found.verdict) == (FEWEST - 1, None, "cannot tell")


def test_no_gain_is_called_not_better_and_a_loss_worse() -> None:
    rng = np.random.default_rng(1)
    dice = rng.uniform(0.3, 0.8, 40)
    same = resampled(METRIC, tallies(dice), tallies(rng.permutation(dice)), range(40), rng)
    assert same.verdict == "not better"
    worse = resampled(METRIC, tallies(dice - 0.2), tallies(dice), range(40), rng)
    assert worse.verdict == "worse"
