"""The share of positive cases, with the numbers of the pneumothorax pipeline."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from lamina.data.case import Case
from lamina.data.network_input.sample import Draw
from lamina.data.samplers import Balanced
from lamina.errors import DataError
from lamina.seeding import rng
from lamina.volume import ArrayVolume

IMAGE = ArrayVolume(np.zeros((1, 8, 8), np.uint8))


def cases(positive: int, negative: int) -> list[Case]:
    kinds = ["0"] * positive + [""] * negative
    return [Case(str(i), str(i), IMAGE, facts={"classes": kind}) for i, kind in enumerate(kinds)]


def draw(sampler: Balanced, among: list[Case], epoch: int = 0, side: int = 4) -> list[Draw]:
    size, chance = (side, side), rng(0, "main", epoch)
    return sampler.draws(among, size=size, batch=4, epoch=epoch, rng=chance)


PUBLISHED = {0.8: 2387, 0.6: 3183, 0.4: 4775}  # images per epoch by rate (SIIM-12)


def test_the_published_epochs_tell_how_many_positive_images_there_were() -> None:
    """SIIM-5, SIIM-11, SIIM-12: 10,679 images in 5 folds, 22.3 % positive, fold 0 held out."""
    fitting = [
        n
        for n in range(1, 10_679)
        if all(n + math.trunc(n * (1 - p) / p) == images for p, images in PUBLISHED.items())
    ]
    assert fitting == [1910]
    assert fitting[0] == pytest.approx(0.223 * 10_679 * 4 / 5, rel=0.01)


@pytest.mark.parametrize(("rate", "epoch_size"), PUBLISHED.items())
def test_epochs_are_as_long_as_published(rate: float, epoch_size: int) -> None:
    """SIIM-11: all positive images once, trunc(1910 (1 - p) / p) others; SIIM-12: the lengths."""
    among = cases(1910, 10_679 * 4 // 5 - 1910)
    draws = draw(Balanced(positive_rate=rate), among)
    assert len(draws) == epoch_size
    counts = Counter(d.case for d in draws)
    assert all(counts[case] == 1 for case in range(1910))
    repeated = [case for case, count in counts.items() if case >= 1910 and count > 1]
    assert repeated  # with replacement
    first = sum(d.case < 1910 for d in draws[: epoch_size // 2])
    assert first == pytest.approx(1910 / 2, rel=0.1)  # shuffled


@pytest.mark.parametrize("focus", [0.0, 1.0])
def test_a_crop_of_the_size_of_the_image_is_the_image(focus: float) -> None:
    """SIIM-7: whole images are resized, never cropped."""
    target = ArrayVolume(np.eye(8, dtype=np.uint8)[None])
    among = [Case(str(i), str(i), IMAGE, target if i % 2 else None) for i in range(6)]
    draws = draw(Balanced(focus=focus), among, side=8)
    assert {(d.region.start, d.region.stop) for d in draws} == {((0, 0), (8, 8))}


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
