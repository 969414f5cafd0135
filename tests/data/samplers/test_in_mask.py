"""Crops around valid pixels against what can be counted."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from numpy.typing import NDArray

from lamina.data.case import Case
from lamina.data.network_input.sample import Draw
from lamina.data.samplers import InMask
from lamina.data.targets.bitmask import bits_of
from lamina.errors import DataError, OptionError
from lamina.geometry.region import Region
from lamina.volume import ArrayVolume


def case(name: str, mask: NDArray[np.bool_] | None, shape: tuple[int, int] = (60, 50)) -> Case:
    image = ArrayVolume(np.zeros((2, *shape), np.uint8))
    valid = None if mask is None else bits_of(ArrayVolume(mask[None].astype(np.uint8)))
    return Case(name, name, image, image, valid)


def drawn(
    sampler: InMask, *cases: Case, size: tuple[int, int] = (8, 8), seed: int = 0
) -> list[Draw]:
    rng = np.random.default_rng(seed)
    return sampler.draws(cases, size=size, batch=4, epoch=0, rng=rng)


def middle(draw: Draw) -> tuple[int, int]:
    rows, columns = draw.region.shape
    return draw.region.start[0] + rows // 2, draw.region.start[1] + columns // 2


def half(share: float = 0.5) -> NDArray[np.bool_]:
    mask = np.zeros((60, 50), bool)
    mask[:, : int(50 * share)] = True
    return mask


def test_an_epoch_is_the_mask_area_in_samples_and_cases_come_by_area() -> None:
    """INK-12."""
    large, small = case("large", half(0.8)), case("small", half(0.1))
    sampler = InMask()
    assert len(drawn(sampler, large, small)) == math.ceil(2400 / 64) + math.ceil(300 / 64)
    many = drawn(InMask(count=4000), large, small)
    counts = Counter(draw.case for draw in many)
    assert counts[0] / 4000 == pytest.approx(2400 / 2700, abs=0.02)
    assert all(draw.region.shape == (8, 8) for draw in many)


def test_centres_are_uniform_among_valid_pixels_half_a_crop_from_the_border() -> None:
    """INK-13."""
    mask = np.zeros((12, 10), bool)
    mask[1:11, 2:7] = True
    mask[5, 4] = False
    found = Counter(
        middle(d) for d in drawn(InMask(count=6000), case("m", mask, (12, 10)), size=(4, 4))
    )
    y, x = np.nonzero(mask)
    allowed = {
        (r, c) for r, c in zip(y.tolist(), x.tolist(), strict=True) if 2 <= r <= 10 and c <= 8
    }
    assert set(found) == allowed
    each = 6000 / len(allowed)
    assert all(abs(n - each) < 6 * math.sqrt(each) for n in found.values())


def test_crops_have_the_sides_of_the_formula_and_stay_inside() -> None:
    """INK-13."""
    sampler = InMask(scale=(0.5, 2.0), aspect=(0.9, 1.1), count=2000)
    draws = drawn(sampler, case("m", None, (300, 280)), size=(32, 32))
    heights = np.array([draw.sides for draw in draws if draw.sides])
    assert (heights[:, 0].min(), heights[:, 0].max()) == (16, 63)  # trunc(32 s), s below 2
    assert np.mean(heights[:, 0]) == pytest.approx(32 * 1.25 - 0.5, abs=1)  # uniform, truncated
    ratio = heights[:, 1] / heights[:, 0]
    assert 0.83 < ratio.min() < 0.92
    assert 1.08 < ratio.max() < 1.17
    for draw, (rows, columns) in zip(draws, heights, strict=True):
        top, left = (at - side // 2 for at, side in zip(middle(draw), (rows, columns), strict=True))
        assert Region((top, left), (top + rows, left + columns)).within((300, 280))


def test_a_speck_of_mask_is_found_however_seldom_a_pixel_hits_it() -> None:
    mask = np.zeros((900, 900), bool)
    mask[437, 611] = True
    draws = drawn(InMask(count=5), case("m", mask, (900, 900)), size=(64, 64))
    assert {middle(draw) for draw in draws} == {(437, 611)}


def test_valid_pixels_only_at_the_border_give_crops_beside_them_and_inside() -> None:
    mask = np.zeros((60, 50), bool)
    mask[0, 7] = True
    (draw,) = drawn(InMask(count=1), case("m", mask), size=(16, 8))
    assert middle(draw) == (8, 7)


def test_a_crop_larger_than_the_image_is_around_its_middle() -> None:
    (draw,) = drawn(InMask(count=1), case("m", np.ones((60, 50), bool)), size=(64, 32))
    assert middle(draw)[0] == 30
    assert draw.region.start[0] < 0 < 60 < draw.region.stop[0] + 1


def test_equal_generators_give_equal_draws_and_nothing_valid_is_refused() -> None:
    cases = (case("a", half()), case("b", half(0.3)))
    assert drawn(InMask(), *cases, seed=3) == drawn(InMask(), *cases, seed=3)
    assert drawn(InMask(), *cases, seed=3) != drawn(InMask(), *cases, seed=4)
    with pytest.raises(DataError, match="has a pixel that counts"):
        drawn(InMask(), case("e", half(0.0)))
    with pytest.raises(OptionError, match="the smaller one first"):
        InMask(scale=(2.0, 0.5))


def test_a_share_of_centres_lies_on_the_target_inside_the_mask() -> None:
    ink = np.zeros((1, 60, 50), np.uint8)
    ink[0, 30:34, 10:45] = 1  # partly beyond the mask
    image = ArrayVolume(np.zeros((2, 60, 50), np.uint8))
    valid = bits_of(ArrayVolume(half()[None].astype(np.uint8)))
    one = Case("1", "1", image, ArrayVolume(ink), valid)
    draws = drawn(InMask(count=2000, focus=0.5), one)
    on = [draw for draw in draws if draw.origin == "target"]
    assert len(on) == pytest.approx(1000, abs=100)
    assert {middle(draw) for draw in on} == {(r, c) for r in range(30, 34) for c in range(10, 25)}
    empty = Case("0", "0", image, ArrayVolume(ink * 0), valid)
    assert len(drawn(InMask(count=9, focus=1.0), empty)) == 9
