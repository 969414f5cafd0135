"""Views against numpy's own flips and turns, on arrays and tensors, and the way back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from lamina.geometry.view import AS_IS, FLIP_X, FLIP_Y, FLIP_Z, QUARTER, View, Views, members, turns

Values = NDArray[np.int16]
GROUPS: tuple[Views, ...] = get_args(Views)
EVERY = [View(*map(bool, bits)) for bits in np.ndindex(2, 2, 2)]
OF_BLOCKS = [View(*map(bool, bits)) for bits in np.ndindex(2, 2, 2, 2)]
views = st.sampled_from(EVERY)
blocks = arrays(np.int16, array_shapes(min_dims=3, max_dims=5, max_side=5))
stacks = arrays(np.int16, array_shapes(min_dims=2, max_dims=5, max_side=5))


def test_the_named_views_are_those_of_numpy() -> None:
    x = np.arange(24).reshape(2, 3, 4)
    np.testing.assert_array_equal(AS_IS.see(x), x)
    np.testing.assert_array_equal(FLIP_X.see(x), np.flip(x, -1))
    np.testing.assert_array_equal(FLIP_Y.see(x), np.flip(x, -2))
    np.testing.assert_array_equal(QUARTER.see(x), np.rot90(x, axes=(-2, -1)))


@given(stacks, views)
def test_undo_is_the_way_back_of_an_array(x: Values, view: View) -> None:
    """N07."""
    seen = view.see(x)
    assert seen.shape == ((*x.shape[:-2], x.shape[-1], x.shape[-2]) if view.transpose else x.shape)
    np.testing.assert_array_equal(view.undo(seen), x)
    np.testing.assert_array_equal(view.see(view.undo(x)), x)


@given(stacks, views)
def test_a_tensor_is_seen_as_an_array_is(x: Values, view: View) -> None:
    tensor = torch.from_numpy(x)
    seen = view.see(tensor)
    assert isinstance(seen, torch.Tensor)
    np.testing.assert_array_equal(seen.numpy(), view.see(x))
    assert torch.equal(view.undo(seen), tensor)


@given(stacks, views, views)
def test_one_view_then_another_is_one_view(x: Values, first: View, after: View) -> None:
    np.testing.assert_array_equal(first.then(after).see(x), after.see(first.see(x)))


@given(blocks, st.sampled_from(OF_BLOCKS), st.sampled_from(OF_BLOCKS))
def test_views_of_blocks_are_undone_and_follow_one_another(
    x: Values, first: View, after: View
) -> None:
    np.testing.assert_array_equal(first.undo(first.see(x)), x)
    np.testing.assert_array_equal(first.then(after).see(x), after.see(first.see(x)))
    tensor = torch.from_numpy(x)
    assert torch.equal(first.undo(first.see(tensor)), tensor)
    np.testing.assert_array_equal(FLIP_Z.see(x), np.flip(x, -3))


@pytest.mark.parametrize(("name", "count"), [("flips", 8), ("flips_yx", 4), ("dihedral", 8)])
def test_blocks_are_mirrored_along_z_too_and_turned_in_their_plane(name: Views, count: int) -> None:
    x = np.arange(27).reshape(3, 3, 3)
    group = members(name, 3)
    assert len({view.see(x).tobytes() for view, _ in group}) == len(group) == count
    assert group[0][0] == View()
    assert sum(weight for _, weight in group) == pytest.approx(1, abs=1e-12)
    for view, _ in group:
        np.testing.assert_array_equal(view.undo(view.see(x)), x)
        planes = [0, 1, 2][:: -1 if view.flip_planes else 1]
        assert [sorted(plane.ravel()) for plane in view.see(x)] == [
            sorted(x[number].ravel()) for number in planes
        ]
    assert turns(name) == any(view.transpose for view, _ in group)


def test_the_eight_views_differ() -> None:
    x = np.arange(9).reshape(3, 3)
    assert len({view.see(x).tobytes() for view in EVERY}) == 8


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("as_is", 1),
        ("flip_x", 2),
        ("flip_y", 2),
        ("flips", 4),
        ("rotations", 4),
        ("dihedral", 8),
        ("ink12", 8),
        ("flips_yx", 4),
    ],
)
def test_members_differ_begin_with_the_plain_view_and_share_a_weight_of_one(
    name: Views, count: int
) -> None:
    group = members(name)
    assert len(group) == len({view for view, _ in group}) == count
    assert group[0][0] == View()
    assert sum(weight for _, weight in group) == pytest.approx(1, abs=1e-12)


def test_every_group_is_listed_here() -> None:
    named = {"as_is", "flip_x", "flip_y", "flips", "rotations", "dihedral", "ink12", "flips_yx"}
    assert set(GROUPS) == named


def test_the_twelve_views_of_the_ink_recipe_are_eight_of_which_four_count_twice() -> None:
    weights = sorted(weight for _, weight in members("ink12"))
    assert weights == [1 / 12] * 4 + [2 / 12] * 4


def slow_mean(x: Values, name: Views) -> NDArray[np.float64]:
    """The mean of a group as its recipe writes it: all members, one by one, with numpy alone."""
    same: Callable[[Any], Any] = np.asarray
    flips: dict[str, list[Callable[[Any], Any]]] = {
        "as_is": [same],
        "flip_x": [same, np.fliplr],
        "flip_y": [same, np.flipud],
        "flips": [same, np.fliplr, np.flipud, lambda a: np.rot90(a, 2)],
        "flips_yx": [same, np.fliplr, np.flipud, lambda a: np.rot90(a, 2)],
        "rotations": [same],
        "dihedral": [same, np.fliplr],
        "ink12": [same, np.fliplr, np.flipud],
    }
    quarters = range(4) if name in ("rotations", "dihedral", "ink12") else range(1)
    seen = np.stack([np.rot90(flip(x), k) for flip in flips[name] for k in quarters])
    mean: NDArray[np.float64] = seen.mean(0, dtype=np.float64)
    return mean


@pytest.mark.parametrize("name", GROUPS)
def test_the_weighted_mean_is_the_mean_of_all_members(name: Views) -> None:
    x = np.random.default_rng(5).integers(0, 99, (4, 4)).astype(np.int16)
    mean = sum(weight * view.see(x) for view, weight in members(name))
    np.testing.assert_allclose(mean, slow_mean(x, name), rtol=1e-12)
