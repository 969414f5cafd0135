"""How often each case is drawn, and where."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from lamina.data.case import Case
from lamina.data.class_places import find_places
from lamina.data.network_input.sample import Draw
from lamina.data.samplers import RandomCrop
from lamina.errors import OptionError
from lamina.seeding import rng
from lamina.volume import ArrayVolume, read_all


def cases(*shapes: tuple[int, int]) -> list[Case]:
    found = []
    for number, shape in enumerate(shapes):
        target = np.zeros((1, *shape), np.uint8)
        target[0, -1, -1] = number % 2
        image = ArrayVolume(np.zeros((1, *shape), np.uint8))
        found.append(Case(str(number), str(number), image, ArrayVolume(target)))
    return found


def draw(
    sampler: RandomCrop, among: list[Case], *, epoch: int = 0, size: tuple[int, int] = (4, 4)
) -> list[Draw]:
    return sampler.draws(among, size=size, batch=4, epoch=epoch, rng=rng(0, "main", epoch))


def test_every_case_is_drawn_once_in_a_new_order_each_epoch() -> None:
    among = cases(*[(9, 9)] * 20)
    first, again, second = (draw(RandomCrop(), among, epoch=epoch) for epoch in (0, 0, 1))
    assert first == again
    assert sorted(d.case for d in first) == sorted(d.case for d in second) == list(range(20))
    assert [d.case for d in first] != [d.case for d in second]
    assert all(d.region.shape == (4, 4) and d.region.within((9, 9)) for d in first)


def test_draws_per_image_may_be_a_broken_number() -> None:
    counts = Counter(d.case for d in draw(RandomCrop(per_image=2.5), cases(*[(9, 9)] * 4)))
    assert sorted(counts.values()) == [2, 2, 3, 3]
    assert len(draw(RandomCrop(per_image=0.5), cases(*[(9, 9)] * 4))) == 2
    assert len(draw(RandomCrop(per_image=0.01), cases((9, 9)))) == 1


def test_a_fixed_number_goes_round_all_cases() -> None:
    counts = Counter(d.case for d in draw(RandomCrop(count=7), cases(*[(9, 9)] * 3)))
    assert sorted(counts.values()) == [2, 2, 3]


def test_by_area_large_cases_are_drawn_more_often() -> None:
    counts = Counter(
        d.case for d in draw(RandomCrop(by_area=True), cases((4, 4), (8, 8), (9, 8), (2, 2)))
    )
    assert counts == {0: 1, 1: 4, 2: 5, 3: 1}
    twice = draw(RandomCrop(by_area=True, per_image=2), cases((4, 4), (8, 8)))
    assert Counter(d.case for d in twice) == {0: 2, 1: 8}


def test_focus_shows_the_target_where_there_is_one() -> None:
    draws = draw(RandomCrop(focus=1, per_image=10), cases((20, 20), (20, 20)))
    for d in draws:
        assert d.origin == ("target" if d.case == 1 else "random")
        if d.case == 1:
            assert d.region.stop == (20, 20)
    half = draw(RandomCrop(focus=0.5, count=400), cases((20, 20), (20, 20))[1:] * 2)
    assert sum(d.origin == "target" for d in half) == pytest.approx(200, abs=40)


def test_a_crop_larger_than_the_image_is_centred() -> None:
    (d,) = draw(RandomCrop(focus=1), cases((2, 9)))
    assert (d.region.start[0], d.region.stop[0]) == (-1, 3)
    assert d.region.shape == (4, 4)


@pytest.mark.parametrize("options", [{"per_image": 0}, {"count": 0}, {"focus": 1.5}])
def test_impossible_options_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        RandomCrop.model_validate(options)


def rare(deep: bool, known: bool) -> list[Case]:
    """Nine cases of class 1 only, and one with a single voxel of class 2."""
    found = []
    shape, axes = ((5, 20, 30), "zyx") if deep else ((20, 30), "yx")
    for number in range(10):
        target = np.zeros((1, *shape), np.uint8)
        target[..., 2:9, 3:20] = 1
        target[..., 15, 25] = 2 * (number == 7)
        image = ArrayVolume(np.zeros((1, *shape), np.uint8), axes)
        case = Case(str(number), str(number), image, ArrayVolume(target, axes))
        places = find_places(ArrayVolume(target, axes)) if known else None
        found.append(replace(case, places=places))
    return found


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("known", [False, True])
def test_a_class_of_one_case_is_met_as_often_as_the_others(deep: bool, known: bool) -> None:
    among, size = rare(deep, known), (3, 4, 4)[not deep :]
    even = RandomCrop(focus=1, classes="even", per_image=60)
    drawn = even.draws(among, size=size, batch=4, epoch=0, rng=rng(0, "x"))
    shown = [draw for draw in drawn if draw.case == 7 and draw.region.stop[-1] > 25]
    assert len(drawn) == 600
    assert len(shown) == pytest.approx(300, abs=60)
    for draw in drawn:
        target = read_all(among[draw.case].target)[(0, *draw.region.slices)]
        assert draw.origin == "target"
        assert draw.region.shape == size
        assert target.any()
    by_case = RandomCrop(focus=1, per_image=60).draws(
        among, size=size, batch=4, epoch=0, rng=rng(0, "x")
    )
    rarely = [draw for draw in by_case if draw.case == 7 and draw.region.stop[-1] > 25]
    assert len(rarely) < 60


def test_half_of_the_crops_are_anywhere_where_half_are_focused() -> None:
    even = RandomCrop(focus=0.5, classes="even", per_image=40)
    drawn = draw(even, rare(deep=False, known=True))
    assert sum(one.origin == "random" for one in drawn) == pytest.approx(200, abs=40)


def test_the_one_class_of_a_binary_task_is_shown() -> None:
    """Its output has the number 0 and its pixels the value 1."""
    binary = [replace(one, facts={"classes": "0"}) for one in cases((20, 20), (20, 20))[1:]]
    drawn = draw(RandomCrop(focus=1, classes="even", per_image=10), binary)
    assert {one.origin for one in drawn} == {"target"}


def test_without_any_class_crops_are_anywhere() -> None:
    even = RandomCrop(focus=1, classes="even")
    assert {one.origin for one in draw(even, cases((9, 9), (9, 9))[:1])} == {"random"}


def test_even_classes_need_a_focus() -> None:
    with pytest.raises(OptionError, match=r"classes is even, .* focus is 0; set focus"):
        RandomCrop(classes="even")


def test_blocks_lie_inside_volumes_and_around_what_they_are_to_show() -> None:
    among = rare(deep=True, known=True)
    drawn = RandomCrop(focus=0.5, per_image=20).draws(
        among, size=(3, 8, 8), batch=2, epoch=0, rng=rng(0, "x")
    )
    assert all(one.region.shape == (3, 8, 8) for one in drawn)
    assert all(one.region.within((5, 20, 30)) for one in drawn)
    flat = RandomCrop().draws(among, size=(9, 8, 8), batch=2, epoch=0, rng=rng(0, "x"))
    assert {(one.region.start[0], one.region.stop[0]) for one in flat} == {(-2, 7)}
