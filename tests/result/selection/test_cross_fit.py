"""The choice on new groups, in a simulated world whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from lamina.result.expected.column import Column
from lamina.result.selection.candidates import Expected, Plain, Score
from lamina.result.selection.cross_fit import select
from lamina.result.selection.ratio import Ints, Parts
from tests.result.world import World


class Fixed:
    """A candidate with known values of each case."""

    def __init__(self, name: str, values: list[float]) -> None:
        self.name, self._values = name, np.asarray(values)

    def fit(self, use: Ints) -> None:
        del use

    def judge(self, fitted: None, use: Ints) -> Parts:
        del fitted
        return Parts(self._values[use][:, None], np.ones((use.size, 1)))


def test_a_gain_must_exceed_its_error_times_students_t() -> None:
    rng = np.random.default_rng(0)
    base = rng.random(40)
    groups = np.arange(40) // 2
    noise = rng.normal(0, 0.2, 40)
    clear, doubtful = base + 0.1, base + 0.02 + noise - noise.mean()
    found = select([Fixed("a", base.tolist()), Fixed("b", clear.tolist())], groups)
    assert found.chosen == 1
    assert found.candidates[1].gain == pytest.approx(0.1)
    kept = select([Fixed("a", base.tolist()), Fixed("c", doubtful.tolist())], groups)
    assert kept.chosen == 0


def test_one_group_keeps_the_safest_and_few_groups_have_no_interval() -> None:
    better = [Fixed("a", [0.1] * 12), Fixed("b", [0.9] * 12)]
    alone = select(better, np.zeros(12, int))
    assert (alone.chosen, alone.interval) == (0, None)
    few = select(better, np.arange(12) // 2)
    assert few.chosen == 1
    assert few.interval is None
    assert few.coverage == "too few groups for an interval"
    assert select(better, np.arange(12)).coverage == "about 80 %"


def test_what_groups_are_called_changes_nothing() -> None:
    rng = np.random.default_rng(3)
    counts, groups = World(0.4).draw(10, 3, rng)
    column = Column.of(counts)
    names = rng.permutation(1000)[:10]
    both = []
    for named in (groups, names[groups]):
        expected = Expected([column], named, Score(), "platt", 1.0)
        both.append(select([Plain("nothing", 1.0, [column], Score()), expected], named))
    assert both[0] == both[1]


def chosen_and_default(world: World, seed: int, groups: int = 16) -> tuple[float, float, float]:
    """Scores on many new groups: of the choice, of the default, of the expected decision."""
    rng = np.random.default_rng(seed)
    counts, place = world.draw(groups, 4, rng)
    test, test_place = world.draw(50, 4, rng)
    score, column, new = Score(), Column.of(counts), Column.of(test)
    everything, every_new = np.arange(len(counts)), np.arange(len(test))
    plain = max(
        (Plain(n, t, [column], score) for n, t in (("nothing", 1.0), ("half", 0.5))),
        key=lambda one: one.judge(None, everything).score(),
    )
    expected = Expected([column], place, score, "platt", plain.threshold)
    found = select([plain, expected], place)
    fitted = expected.fit(everything)
    default = Plain("", plain.threshold, [new], score).judge(None, every_new).score()
    model = Expected([new], test_place, score, "platt", 1.0).judge(fitted, every_new).score()
    return (model if found.chosen else default), default, model


@pytest.mark.slow
@pytest.mark.parametrize(("prevalence", "gain"), [(0.12, 0.02), (0.5, 0.1)])
def test_where_maps_carry_information_the_choice_gains(prevalence: float, gain: float) -> None:
    rows = np.asarray([chosen_and_default(World(prevalence), seed) for seed in range(60)])
    chosen, default, _ = rows.T
    assert chosen.mean() > default.mean() + gain
    assert (chosen < default - 0.005).mean() <= 0.05


@pytest.mark.slow
def test_without_signal_the_choice_loses_in_at_most_one_of_twenty() -> None:
    rows = np.asarray([chosen_and_default(World(0.12, signal=0), seed) for seed in range(60)])
    chosen, default, _ = rows.T
    assert (chosen < default - 0.005).mean() <= 0.05


@pytest.mark.slow
@pytest.mark.parametrize(("groups", "least"), [(16, 0.78), (48, 0.85)])
def test_intervals_cover_the_score_on_new_groups(groups: int, least: float) -> None:
    covered = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        counts, place = World(0.3).draw(groups, 4, rng)
        test, test_place = World(0.3).draw(60, 4, rng)
        score, column = Score(), Column.of(counts)
        expected = Expected([column], place, score, "platt", 1.0)
        found = select([expected], place)
        fitted = expected.fit(np.arange(len(counts)))
        new = Expected([Column.of(test)], test_place, score, "platt", 1.0)
        truth = new.judge(fitted, np.arange(len(test))).score()
        assert found.interval is not None
        low, high = found.interval
        covered.append(low <= truth <= high)
    assert np.mean(covered) >= least
