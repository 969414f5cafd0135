"""As many steps as the minutes allow, and no more."""

from __future__ import annotations

import pytest

from lamina.errors import OptionError
from lamina.plan.probe import Probed
from lamina.plan.rules import Situation, Wanted
from lamina.plan.schedule import schedule_of
from lamina.recipe.stage import MOST_EPOCHS, Stage
from tests.factories.facts import CPU, IMAGES

PROBED = Probed(
    memory=10**9,
    step=0.2,
    setup=5,
    validation=2,
    training_cases=40,
    positive_cases=10,
    held_out=10,
)


def situation(minutes: float, sampler: dict[str, object] | None = None) -> Situation:
    values = {"train.batch": 8, "train.sampler": sampler or {"kind": "random_crop"}}
    return Situation(IMAGES, CPU, Wanted(minutes=minutes), values)


@pytest.mark.parametrize("minutes", [1, 3, 7, 20, 60, 600])
@pytest.mark.parametrize("folds", [1, 5])
def test_the_time_that_is_said_is_near_the_time_allowed(minutes: float, folds: int) -> None:
    found = schedule_of(situation(minutes), PROBED, folds)
    assert found.seconds <= 60 * minutes * 1.02
    assert found.seconds >= 60 * minutes * 0.8
    assert found.count is not None
    assert found.steps == found.epochs * -(-found.count // 8)


def test_few_steps_are_spent_on_one_fold() -> None:
    assert schedule_of(situation(20), PROBED, 5).folds == 1
    assert schedule_of(situation(60), PROBED, 5).folds == 5


def test_the_balanced_sampler_says_the_steps_of_an_epoch() -> None:
    """10 positive cases at a rate of 0.5 are 20 draws, by hand: 3 batches of 8."""
    found = schedule_of(situation(20, {"kind": "balanced", "positive_rate": 0.5}), PROBED, 1)
    assert found.count is None
    assert found.steps == 3 * found.epochs


def test_there_are_always_some_steps() -> None:
    slow = Probed(10**9, 60.0, 5, 200, 40, 40, 10)
    found = schedule_of(situation(1), slow, 5)
    assert found.steps >= 10
    assert found.seconds > 60


def test_dear_validations_are_fewer() -> None:
    dear = Probed(10**9, 0.2, 5, 60, 40, 40, 10)
    cheap = schedule_of(situation(20), PROBED, 1)
    few = schedule_of(situation(20), dear, 1)
    assert few.validate_every > cheap.validate_every


def test_months_of_tiny_epochs_stay_within_what_a_stage_may_have() -> None:
    tiny = Probed(10**9, 0.2, 5, 2, 4, 2, 1)
    balanced: dict[str, object] = {"kind": "balanced", "positive_rate": 0.5}
    found = schedule_of(situation(100_000, balanced), tiny, 1)
    assert found.epochs == MOST_EPOCHS
    Stage(epochs=found.epochs, validate_every=found.validate_every)
    with pytest.raises(OptionError, match=r"less than or equal to 1000000"):
        Stage(epochs=found.epochs + 1)
