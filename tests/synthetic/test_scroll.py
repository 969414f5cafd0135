"""Synthetic fragments: seeded, in the competition's layout, ink at one depth of a sheet."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lamina.data.readers import open_volume
from lamina.synthetic.scroll import LAYERS, Fragment, write_fragments
from lamina.volume import read_all

SHAPE = (192, 320)


@cache
def drawn(index: int) -> tuple[Fragment, NDArray[np.uint16]]:
    one = Fragment(index, seed=5, shape=SHAPE)
    return one, one.stack()


def along(stack: NDArray[Any], depth: NDArray[np.float32]) -> NDArray[np.float64]:
    """The grey value at one layer of each pixel, (H, W), between two layers by a straight line."""
    place = np.clip(depth, 0, LAYERS - 1.001)
    above = place.astype(int)
    rows, columns = np.indices(depth.shape)
    low, high = stack[above, rows, columns], stack[above + 1, rows, columns]
    grey: NDArray[np.float64] = low + (place - above) * (high.astype(float) - low)
    return grey


def contrast(
    image: NDArray[np.float64], where: NDArray[np.bool_], mask: NDArray[np.bool_]
) -> float:
    """How much brighter than the rest, in deviations of both."""
    inside, outside = image[where & mask], image[~where & mask]
    return float((inside.mean() - outside.mean()) / np.sqrt((inside.var() + outside.var()) / 2))


def test_equal_arguments_give_equal_fragments_and_others_do_not() -> None:
    first, same = (Fragment(2, seed=1, shape=(80, 96)) for _ in range(2))
    stack = first.stack()
    np.testing.assert_array_equal(stack, same.stack())
    np.testing.assert_array_equal(first.mask, same.mask)
    np.testing.assert_array_equal(first.ink, same.ink)
    assert (stack.shape, stack.dtype.name) == ((LAYERS, 80, 96), "uint16")
    assert (first.mask.shape, first.mask.dtype.name) == ((80, 96), "bool")
    assert first.ink.dtype.name == "bool"
    assert (stack != Fragment(3, seed=1, shape=(80, 96)).stack()).any()
    assert (stack != Fragment(2, seed=2, shape=(80, 96)).stack()).any()
    with pytest.raises(ValueError, match="at least 64 pixels"):
        Fragment(0, shape=(60, 96))


def test_contrast_changes_how_dense_ink_is_and_nothing_else() -> None:
    plain, strong = (Fragment(1, seed=2, shape=(96, 96), contrast=c) for c in (0.0, 2.0))
    np.testing.assert_array_equal(plain.ink, strong.ink)
    np.testing.assert_array_equal(plain.mask, strong.mask)
    more = strong.stack().astype(float) - plain.stack()
    assert more.min() >= -1  # rounding
    assert 0.05 < (more > 1).mean() < 0.5


@pytest.mark.parametrize("index", range(3))
def test_the_sheet_wanders_through_layers_and_stays_in_the_stack(index: int) -> None:
    one, _ = drawn(index)
    assert np.ptp(one.middle[one.mask]) > 5
    assert one.recto.min() > 0
    assert (2 * one.middle - one.recto).max() < LAYERS
    thick = 2 * (one.middle - one.recto) * one.scale
    assert 10 < thick.min() < thick.max() < 16
    assert np.ptp(thick) > 1


@pytest.mark.parametrize("index", range(3))
def test_papyrus_is_where_the_sheet_is_said_to_be(index: int) -> None:
    one, stack = drawn(index)
    inside = along(stack, one.middle)[one.mask].mean()
    beside = [along(stack, depth)[one.mask].mean() for depth in gaps(one)]
    assert inside == pytest.approx(one.air + one.gain, rel=0.05)
    assert max(beside) < one.air + 0.8 * one.gain
    bare = stack[:, :8, :8].mean()
    assert bare == pytest.approx(one.air, rel=0.02)


def gaps(one: Fragment) -> list[NDArray[np.float32]]:
    """Depths halfway to the neighbours."""
    half = np.float32(19 / 2 / one.scale)
    return [one.middle - half, one.middle + half]


@pytest.mark.parametrize("index", range(3))
def test_ink_is_faint_at_its_depth_and_gone_at_others(index: int) -> None:
    one, stack = drawn(index)
    at_ink = contrast(along(stack, one.inked), one.ink, one.mask)
    assert 0.4 < at_ink < 1.2
    for away in (-6, 6, 9):  # outside of the sheet, in its middle, on its verso
        other = along(stack, one.inked + np.float32(away / one.scale))
        assert abs(contrast(other, one.ink, one.mask)) < 0.25


@pytest.mark.parametrize("index", range(3))
def test_no_layer_and_no_mean_of_layers_shows_the_ink_as_its_depth_does(index: int) -> None:
    """A view that does not follow the sheet sees little, and other pages instead."""
    one, stack = drawn(index)
    offsets = np.array([-1, 0, 1], np.float32) / np.float32(one.scale)
    followed = np.mean([along(stack, one.inked + o) for o in offsets], axis=0)
    fixed = [contrast(layer.astype(float), one.ink, one.mask) for layer in stack]
    thick = [contrast(stack[z : z + 5].mean(0), one.ink, one.mask) for z in range(LAYERS - 4)]
    assert max(*fixed, *thick) < 0.7 * contrast(followed, one.ink, one.mask)


def test_other_pages_are_as_strong_at_other_depths() -> None:
    """Where ink is laid on, and on which of four pages, is seen by leaving all of it out."""
    one, stack = drawn(0)
    bare = Fragment(0, seed=5, shape=SHAPE, contrast=0.0).stack()
    ink = stack.astype(float) - bare
    levels = {}
    for name, depth in {
        "recto": one.inked,
        "verso": 2 * one.middle - one.inked,
        "above": one.middle - np.float32((19 + 4.5) / one.scale),
        "below": one.middle + np.float32((19 - 4.5) / one.scale),
    }.items():
        seen = along(ink, depth)
        levels[name] = float((seen[one.mask] / one.gain).mean())
    assert levels["recto"] == pytest.approx(0.11 * one.ink.sum() / one.mask.sum(), rel=0.25)
    for name in ("verso", "above", "below"):
        assert levels[name] > 0.4 * levels["recto"]


def test_the_second_of_three_fragments_has_a_depth_scale_of_0_6() -> None:
    """INK-7: about 1 for fragments 1 and 3, 0.6 for 2; so its sheet is 1 / 0.6 as thick."""
    scales = [Fragment(n, seed=5, shape=(64, 64)).scale for n in range(6)]
    assert scales[1::3] == pytest.approx([0.6, 0.6], abs=0.03)
    assert [*scales[::3], *scales[2::3]] == pytest.approx([1] * 4, abs=0.05)
    thick = [float((one.middle - one.recto).mean()) for one in (drawn(0)[0], drawn(1)[0])]
    assert thick[1] / thick[0] == pytest.approx(scales[0] / scales[1], rel=0.1)


def test_curves_of_layers_differ_in_level_height_and_place_between_fragments() -> None:
    curves = []
    for index in range(3):
        one, stack = drawn(index)
        curves.append(stack[:, one.mask].mean(1))
    levels = [(curve.mean(), np.ptp(curve)) for curve in curves]
    for first, second in ((0, 1), (1, 2), (0, 2)):
        assert abs(levels[first][0] - levels[second][0]) > 500
        assert abs(levels[first][1] - levels[second][1]) > 100


def test_ink_and_mask_make_sense_together() -> None:
    for index in range(3):
        one, _ = drawn(index)
        assert not (one.ink & ~one.mask).any()
        assert 0.1 < one.ink.sum() / one.mask.sum() < 0.3
        assert 0.6 < one.mask.mean() < 0.95


def test_files_hold_what_fragments_say(tmp_path: Path) -> None:
    """INK-1: a folder for each fragment with 65 layers of 16 bit, a mask and labels above 0."""
    folder = write_fragments(tmp_path / "data", count=2, seed=5, shape=(70, 80), first=2)
    assert sorted(path.name for path in folder.iterdir()) == ["3", "4"]
    for index in (2, 3):
        drawn_one = Fragment(index, seed=5, shape=(70, 80))
        stack, mask, ink = drawn_one.stack(), drawn_one.mask, drawn_one.ink
        below = folder / str(index + 1)
        names = [f"{z:02d}.tif" for z in range(LAYERS)]
        assert sorted(path.name for path in (below / "surface_volume").iterdir()) == names
        for z, name in enumerate(names):
            layer = open_volume(below / "surface_volume" / name)
            assert (layer.axes, layer.dtype.name) == ("yx", "uint16")
            np.testing.assert_array_equal(read_all(layer)[0], stack[z])
        for name, truth in (("mask", mask), ("inklabels", ink)):
            image = read_all(open_volume(below / f"{name}.png"))[0]
            assert set(np.unique(image).tolist()) == {0, 255}
            np.testing.assert_array_equal(image > 0, truth)
