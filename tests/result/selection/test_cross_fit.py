"""The choice on new groups, in a simulated world whose truth is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lamina.result.expected.column import Column
from lamina.result.search.histogram import Counts, thin
from lamina.result.search.threshold import SearchColumn
from lamina.result.selection.candidates.expected import Expected
from lamina.result.selection.candidates.plain import Default, Plain
from lamina.result.selection.candidates.score import Score
from lamina.result.selection.candidates.searched import Searched
from lamina.result.selection.cross_fit import select
from lamina.result.selection.ratio import Ints, Parts, student_95
from lamina.task import Aim
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
        expected = Expected([column], named, Score())
        both.append(select([Plain("nothing", 1.0, [column], Score()), expected], named))
    assert both[0] == both[1]


def column_of(counts: list[Counts]) -> Column:
    """A class in few bins, as ``tune`` judges it."""
    return Column.of([thin(count) for count in counts])


def searched(counts: list[Counts]) -> Searched:
    """The exact search for threshold and minimum area, on thinned histograms."""
    return Searched([SearchColumn([thin(count) for count in counts], Aim())], Score())


def on_new_groups(world: World, seed: int, groups: int = 16) -> dict[str, float]:
    """Scores on many new groups: of the choice, and of each candidate."""
    rng = np.random.default_rng(seed)
    counts, place = world.draw(groups, 4, rng)
    test, test_place = world.draw(50, 4, rng)
    listed, new = (
        [Default([column], Score()), Expected([column], at, Score()), searched(maps)]
        for column, at, maps in (
            (column_of(counts), place, counts),
            (column_of(test), test_place, test),
        )
    )
    everything, every_new = np.arange(len(counts)), np.arange(len(test))
    scores = {
        one.name: other.judge(one.fit(everything), every_new).score()
        for one, other in zip(listed, new, strict=True)
    }
    chosen = select([listed[0].settled(), *listed[1:]], place).best.name
    return {**scores, "chosen": scores[chosen]}


def table(world: World, seeds: int = 60) -> dict[str, np.ndarray]:
    """``on_new_groups`` of many draws, by candidate."""
    rows = [on_new_groups(world, seed) for seed in range(seeds)]
    return {name: np.asarray([row[name] for row in rows]) for name in rows[0]}


@pytest.mark.slow
@pytest.mark.parametrize(("prevalence", "gain"), [(0.12, 0.02), (0.5, 0.1)])
def test_where_maps_carry_information_the_choice_gains(prevalence: float, gain: float) -> None:
    """WORK-4: expected score beats the search, and the choice beats the default."""
    score = table(World(prevalence))
    assert score["expected"].mean() >= score["threshold"].mean() + 0.01
    assert score["chosen"].mean() > score["default"].mean() + gain
    assert (score["chosen"] < score["default"] - 0.005).mean() <= 0.05


@pytest.mark.slow
def test_without_signal_the_choice_loses_in_at_most_one_of_twenty() -> None:
    """WORK-4: gains within noise are not taken."""
    score = table(World(0.12, signal=0))
    assert (score["chosen"] < score["default"] - 0.005).mean() <= 0.05


@pytest.mark.slow
@pytest.mark.parametrize(("groups", "least"), [(16, 0.78), (48, 0.85)])
def test_intervals_cover_the_score_on_new_groups(groups: int, least: float) -> None:
    """Also: the interval around the apparent score of a search does not, which is the reason.

    The truth is the score on 400 groups, so that its own error is small beside the interval.
    """
    covered, apparent = [], []
    test, test_place = World(0.3).draw(400, 4, np.random.default_rng(999))
    for seed in range(60):
        rng = np.random.default_rng(seed)
        counts, place = World(0.3).draw(groups, 4, rng)
        expected = Expected([column_of(counts)], place, Score())
        new = Expected([column_of(test)], test_place, Score())
        pairs: list[tuple[Any, Any]] = [(expected, new)]
        if groups == 16:
            pairs.append((searched(counts), searched(test)))
        for candidate, other in pairs:
            fitted = candidate.fit(np.arange(len(counts)))
            truth = other.judge(fitted, np.arange(len(test))).score()
            found = select([candidate], place)
            assert found.interval is not None
            half = student_95(groups - 1) * found.best.error
            if candidate is expected:
                covered.append(found.interval[0] <= truth <= found.interval[1])
            else:
                apparent.append(abs(found.best.apparent - truth) <= half)
    assert np.mean(covered) >= least
    if groups == 16:
        assert np.mean(apparent) < 0.7
