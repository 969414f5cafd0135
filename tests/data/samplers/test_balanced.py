"""The share of positive cases, with the numbers of the pneumothorax pipeline."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from lamina.chance import rng
from lamina.data.case import Case
from lamina.data.sample import Draw
from lamina.data.samplers import Balanced
from lamina.errors import DataError
from lamina.volume import ArrayVolume

IMAGE = ArrayVolume(np.zeros((1, 8, 8), np.uint8))


def cases(positive: int, negative: int) -> list[Case]:
    kinds = ["0"] * positive + [""] * negative
    return [Case(str(i), str(i), IMAGE, facts={"classes": kind}) for i, kind in enumerate(kinds)]


def draw(sampler: Balanced, among: list[Case], epoch: int = 0) -> list[Draw]:
    return sampler.draws(among, size=(4, 4), batch=4, epoch=epoch, rng=rng(0, "main", epoch))


@pytest.mark.parametrize(("rate", "epoch_size"), [(0.8, 2387), (0.6, 3183), (0.4, 4775)])
def test_epochs_are_as_long_as_published(rate: float, epoch_size: int) -> None:
    """SIIM-12: 1910 positive cases remain with fold 0 held out."""
    draws = draw(Balanced(positive_rate=rate), cases(1910, 6000))
    assert len(draws) == epoch_size
    counts = Counter(d.case for d in draws)
    assert all(counts[case] == 1 for case in range(1910))


def test_the_rate_may_fall_along_a_line_from_epoch_to_epoch() -> None:
    """SIIM-12: as its text describes it, from 0.8 to 0.4; then it stays."""
    sampler = Balanced(positive_rate=0.8, last_rate=0.4, over=5)
    wanted = [0.8, 0.7, 0.6, 0.5, 0.4, 0.4, 0.4]
    assert [sampler.rate(epoch) for epoch in range(7)] == pytest.approx(wanted)
    for epoch, rate in enumerate(wanted):
        size = len(draw(sampler, cases(85, 400), epoch))
        assert size == 85 + int(85 * (1 - rate) / rate)
    assert {Balanced(positive_rate=0.3).rate(epoch) for epoch in range(99)} == {0.3}


def test_negative_cases_are_drawn_with_replacement_and_anew_each_epoch() -> None:
    among = cases(30, 5)
    first, again, second = (draw(Balanced(), among, epoch) for epoch in (0, 0, 1))
    assert first == again
    negatives = [sorted(d.case for d in draws if d.case >= 30) for draws in (first, second)]
    assert len(negatives[0]) == len(negatives[1]) == 30
    assert negatives[0] != negatives[1]
    cases_in_order = [d.case for d in first]
    assert cases_in_order != sorted(cases_in_order)


def test_a_rate_of_one_and_a_lack_of_negatives_leave_the_positives() -> None:
    assert sorted(d.case for d in draw(Balanced(positive_rate=1), cases(4, 9))) == [0, 1, 2, 3]
    assert sorted(d.case for d in draw(Balanced(positive_rate=0.1), cases(4, 0))) == [0, 1, 2, 3]


def test_targets_are_read_where_nothing_is_known_of_them() -> None:
    targets = [np.zeros((1, 8, 8), np.uint8) for _ in range(6)]
    targets[2][0, 7, 7] = 1
    among = [Case(str(i), str(i), IMAGE, ArrayVolume(t)) for i, t in enumerate(targets)]
    draws = draw(Balanced(positive_rate=0.25, focus=1), among)
    assert len(draws) == 4
    (shown,) = [d for d in draws if d.case == 2]
    assert shown.origin == "target"
    assert shown.region.stop == (8, 8)


def test_without_any_positive_case_the_remedy_is_named() -> None:
    with pytest.raises(DataError, match=r"none of the 3 .*use the sampler random_crop"):
        draw(Balanced(), cases(0, 3))
