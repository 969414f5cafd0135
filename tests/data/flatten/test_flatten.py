"""The fit of fragments to each other, against the truth and against scipy tile by tile."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.interpolate import interp1d
from scipy.optimize import least_squares

from lamina.data.catalogs import Fragments
from lamina.data.flatten import Flatten, Flattened, Stack
from lamina.data.flatten.outliers import cleaned
from lamina.data.readers import open_volume
from lamina.errors import DataError, OptionError, RecipeError
from lamina.geometry.depth.shift import move_layers
from lamina.geometry.region import Region
from lamina.volume import read_all

INNER = (slice(20, -20), slice(20, -20))  # the rim lies beyond the middles of tiles


def wander(maps: Any, depth: NDArray[np.float64]) -> float:
    """Return how far columns still lie from each other, in layers: a deviation."""
    shift, _ = maps.at(Region.whole(depth.shape))
    return float((depth + shift)[INNER].std())


def test_the_first_stage_is_scipys_shift_of_every_tile(sheets: SimpleNamespace) -> None:
    """INK-3: target the fragment's mean, its least and greatest value for all, a shift alone."""
    layers, _ = sheets.sheet(3.0)
    stack = sheets.stack_of(layers, "a")
    curves = sheets.how.curves(stack)
    mean = layers[:, ::2, ::2].mean((1, 2), dtype=np.float64)
    target = mean[12:53]
    low, high = target.min(), target.max()
    tiles = (curves.tiles() - low) / (high - low)
    shift = np.empty(tiles.shape[:2])
    for place in np.ndindex(shift.shape):

        def off(p: Any, curve: Any = tiles[place]) -> Any:
            return np.interp(np.arange(12, 53) - 30 * p[0], np.arange(65), curve) - (
                target - low
            ) / (high - low)

        shift[place] = 30 * least_squares(off, [0], bounds=([-1], [1]), method="trf").x[0]
    wanted = cleaned([shift], *curves.middles(), (0.05, 0.95))[0]
    found = sheets.how.own(curves, stack)
    apart = np.abs(found.shift - wanted)
    assert np.quantile(apart, 0.9) < 1e-3
    assert apart.max() < 0.2  # where scipy stops beside a kink
    assert (found.scale == 1).all()


@pytest.mark.parametrize("method", ["two_stage", "direct"])
def test_columns_lie_at_one_depth_afterwards(sheets: SimpleNamespace, method: str) -> None:
    """INK-3, INK-6: of 2 layers of wandering less than a third is left, by either method."""
    layers, depth = sheets.sheet(4.0)
    stack = sheets.stack_of(layers, "a")
    how = sheets.how.model_copy(update={"method": method}).resolved([stack])
    assert depth[INNER].std() > 1.4
    assert wander(how.maps(stack), depth) < 0.5


@pytest.mark.parametrize("method", ["two_stage", "direct"])
def test_thickness_and_depth_are_those_of_the_reference(
    sheets: SimpleNamespace, method: str
) -> None:
    """INK-6: a fragment thicker by 1.4 and lying elsewhere gets a scale of 1 / 1.4."""
    one, _ = sheets.sheet(1.0)
    other, _ = sheets.sheet(1.0, 1.4, seed=2)
    other = np.concatenate([other[5:], np.repeat(other[-1:], 5, 0)])  # five layers higher
    stacks = [sheets.stack_of(one, "1"), sheets.stack_of(other, "2")]
    how = sheets.how.model_copy(
        update={"method": method, "reference": "1", "levels": "stack"}
    ).resolved(stacks)
    maps = how.maps(stacks[1])
    assert np.median(maps.scale) == pytest.approx(1 / 1.4, abs=0.03)
    assert np.median(maps.shift) == pytest.approx(32 - (32 - 5) / 1.4, abs=0.8)
    if method == "two_stage":
        assert np.ptp(maps.scale) == 0  # one scale for the fragment
    aligned = read_all(Flattened(stacks[1].volume, [maps]))[0]
    own = read_all(Flattened(stacks[0].volume, [how.maps(stacks[0])]))[0]
    difference = np.abs(aligned.mean((1, 2)) - own.mean((1, 2)))[15:50]
    assert difference.max() < 0.08 * 20000
    assert np.abs(other.mean((1, 2)) - own.mean((1, 2)))[15:50].max() > 0.4 * 20000


def test_the_reference_is_left_where_it_is(sheets: SimpleNamespace) -> None:
    """INK-6: the reference's curve is that after its own first stage, so the second is idle."""
    layers, _ = sheets.sheet(2.0)
    stack = sheets.stack_of(layers, "3")
    how = sheets.how.model_copy(update={"reference": "3"}).resolved([stack])
    own, both = how.own(how.curves(stack), stack), how.maps(stack)
    assert np.abs(both.shift - own.shift).max() < 0.05
    assert both.scale.flat[0] == pytest.approx(1, abs=0.005)


def test_the_mean_curve_after_the_first_stage_is_that_of_the_moved_stack(
    sheets: SimpleNamespace,
) -> None:
    """INK-6: taken by cells; the stack moved pixel by pixel has the same to a few per cent."""
    layers, _ = sheets.sheet(3.0)
    stack = sheets.stack_of(layers, "a")
    curves = sheets.how.curves(stack)
    own = sheets.how.own(curves, stack)
    moved = read_all(Flattened(stack.volume, [own]))[0].mean((1, 2))
    assert np.abs(curves.moved(own) - moved)[8:57].max() < 0.02 * 20000


@pytest.mark.parametrize("seen", [None, (12, 53), (8, 57)])
def test_a_fragment_is_fitted_by_the_layers_that_are_named(
    sheets: SimpleNamespace, seen: tuple[int, int] | None
) -> None:
    """INK-4, INK-6: scipy's trust region from (0, 1) on these layers, straight on beyond them."""
    one, _ = sheets.sheet(1.0)
    other, _ = sheets.sheet(2.0, 1.15, seed=2)
    stacks = [sheets.stack_of(one, "1"), sheets.stack_of(other, "2")]
    how = sheets.how.model_copy(update={"fragment_layers": seen, "reference": "1"})
    how = how.resolved(stacks)
    curves = how.curves(stacks[1])
    own = how.own(curves, stacks[1])
    inside = curves.mean()[slice(*how.slices)]
    curve = (curves.moved(own) - inside.min()) / (inside.max() - inside.min())
    first, end = seen or (0, len(curve))
    known = interp1d(np.arange(first, end), curve[first:end], fill_value="extrapolate")

    def off(p: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(known((np.arange(*how.slices) - 30 * p[0]) / p[1]) - how.curve)

    wanted = least_squares(off, [0, 1], bounds=([-1, 0.1], [1, 10]), method="trf").x
    maps = how.maps(stacks[1])
    scale = float(maps.scale.flat[0])
    shift = maps.shift - np.float32(scale) * own.shift
    assert np.ptp(shift) < 1e-4
    assert (off(np.array([shift.flat[0] / 30, scale])) ** 2).sum() <= (
        off(wanted) ** 2
    ).sum() + 1e-6
    if seen != (12, 53):  # where scipy ends in another valley, ours is the deeper one
        assert [shift.flat[0], scale] == pytest.approx([30 * wanted[0], wanted[1]], abs=0.02)


def test_an_option_added_later_leaves_digests_as_they_were() -> None:
    stored = Flatten().model_dump(mode="json")
    assert "fragment_layers" not in stored
    assert Flatten(fragment_layers=(17, 48)).model_dump(mode="json")["fragment_layers"] == [17, 48]


def test_stages_are_joined_in_the_order_they_were_fitted(sheets: SimpleNamespace) -> None:
    """INK-7: one map does what the tile's shift, and then the fragment's, do one after the other.

    ``released`` adds the shifts as published, which is right only where the scale is 1.
    """
    one, _ = sheets.sheet(1.0)
    other, _ = sheets.sheet(4.0, 1.5, seed=2)
    stacks = [sheets.stack_of(one, "1"), sheets.stack_of(other, "2")]
    how = sheets.how.model_copy(update={"levels": "stack"}).resolved(stacks)
    own = how.own(how.curves(stacks[1]), stacks[1])
    both = how.maps(stacks[1])
    released = how.model_copy(update={"compose": "released"}).maps(stacks[1])
    scale = float(both.scale.flat[0])
    assert scale < 0.8
    fragment = both.shift - scale * own.shift
    assert np.ptp(fragment) < 1e-4
    assert np.abs(released.shift - (own.shift + fragment)).max() < 1e-4
    assert (released.scale == both.scale).all()

    clean = sheets.papyrus(np.arange(65.0))[:, None, None] + np.zeros((1, 1, 3))
    tile = np.array([[-3.0, 0.5, 4.0]], np.float32)
    two_steps = move_layers(
        move_layers(clean, tile, np.ones_like(tile), 0, 65),
        np.full_like(tile, fragment.flat[0]),
        np.full_like(tile, scale),
        0,
        65,
    )
    at_once = move_layers(
        clean, fragment.flat[0] + np.float32(scale) * tile, np.full_like(tile, scale), 0, 65
    )
    assert np.abs(two_steps - at_once)[18:44].max() < 300  # of 20000: interpolated twice, once


def test_a_new_fragment_needs_the_curve_alone(sheets: SimpleNamespace) -> None:
    """INK-6: the curve goes into the recipe, and the recipe reads it again."""
    one, _ = sheets.sheet(1.0)
    other, _ = sheets.sheet(2.0, 1.2, seed=2)
    stacks = [sheets.stack_of(one, "1"), sheets.stack_of(other, "2")]
    how = sheets.how.resolved(stacks)
    again = Flatten.model_validate(how.model_dump(mode="json"))
    assert again == how
    assert again.resolved([]) is again
    assert again.maps(stacks[1]).digest() == how.maps(stacks[1]).digest()
    assert len(again.curve or ()) == 41


def test_pixels_outside_the_mask_do_not_count(sheets: SimpleNamespace) -> None:
    """INK-3: curves are means inside the mask; tiles without any get the mean of the others."""
    layers, _ = sheets.sheet(2.0)
    mask = np.ones(layers.shape[1:], np.uint8)
    mask[:, 150:] = 0
    spoilt = layers.copy()
    spoilt[:, :, 150:] = 65535
    clean, dirty = (sheets.stack_of(one, "a", mask) for one in (layers, spoilt))
    how = sheets.how.resolved([clean])
    assert how.maps(dirty).digest() == how.maps(clean).digest()
    assert np.isfinite(how.maps(dirty).shift).all()


def test_what_is_missing_is_said(sheets: SimpleNamespace) -> None:
    layers, _ = sheets.sheet(2.0)
    stack = sheets.stack_of(layers, "a")
    with pytest.raises(RecipeError, match="'3', which is none of the fragments: a"):
        Flatten(reference="3").resolved([stack])
    with pytest.raises(RecipeError, match="curve is not set"):
        sheets.how.maps(stack)
    with pytest.raises(DataError, match="has 65 layers, and flatten"):
        Flatten(slices=(17, 70)).resolved([stack])
    flat = sheets.stack_of(np.full((65, 64, 64), 7, np.uint16), "flat")
    with pytest.raises(DataError, match="the same mean"):
        sheets.how.resolved([flat])


@pytest.mark.parametrize(
    "options",
    [
        {"slices": (30, 20)},
        {"slices": (30, 32)},
        {"quantiles": (0.95, 0.05)},
        {"quantiles": (0.5, 2)},
        {"scales": (1.5, 2)},
        {"step": 300},
        {"curve": (0.0, 1.0)},
        {"fragment_layers": (20, 10)},
        {"fragment_layers": (20, 22)},
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(OptionError):
        Flatten(**options)


def test_kept_curves_are_not_measured_again(sheets: SimpleNamespace, tmp_path: Path) -> None:
    layers, _ = sheets.sheet(2.0)
    np.save(tmp_path / "a.npy", layers)

    stack = Stack("a", open_volume(tmp_path / "a.npy", "zyx"))
    how = sheets.how.resolved([stack], tmp_path / "kept")
    once = how.maps(stack, tmp_path / "kept")
    assert len(list((tmp_path / "kept").iterdir())) == 1
    assert how.maps(stack).digest() == once.digest()


@pytest.mark.data
def test_fragments_of_bytes_and_twenty_layers_are_aligned(shared_data: Path) -> None:
    """INK-1: real images, which are no sheet: nothing is moved far or lost."""
    root, catalog = shared_data / "surface-volume-standin", Fragments()
    stacks = [catalog.open_stack(root / name / "surface_volume") for name in ("1", "2")]
    how = Flatten(tile=84, step=42, slices=(3, 17), reach=3, scales=(0.8, 1.25)).resolved(stacks)
    volume = Flattened(stacks[1].volume, [how.maps(stacks[1])])
    assert volume.dtype == np.uint8
    assert np.abs(volume.maps.shift).max() < 8
    part = read_all(volume)[0, 5:15].astype(np.float64)
    stored = read_all(stacks[1].volume)[0, 5:15].astype(np.float64)
    assert abs(part.mean() - stored.mean()) < 0.1 * stored.mean()
