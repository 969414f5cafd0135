"""Volumes in blocks: the engine in three axes against brute force and against its own promises."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor, nn

from lamina.data.network_input.frame import Frame
from lamina.data.network_input.normalise import Fixed, PerCase
from lamina.data.readers import open_volume
from lamina.errors import RecipeError
from lamina.geometry.region import Region
from lamina.geometry.tiling.grid import TileGrid
from lamina.geometry.tiling.window import Window, normalised
from lamina.model.networks import Resunet
from lamina.prediction.engine import Member, predict_case, predict_image, stream_case
from lamina.prediction.streaming import row_bands, zarr_store
from lamina.prediction.streaming.zarr_store import Store
from lamina.prediction.tiling.blend import Sum
from lamina.recipe.recipe import Predict
from lamina.task import Task
from lamina.volume import ArrayVolume
from tests.factories.blocks import place, recipe

CPU = torch.device("cpu")
RESTORE = Task(kind="restore", names=("x",))
Array = NDArray[np.float32]
Block = tuple[int, int, int]


def volume(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).random((1, *shape), np.float32)


def predict(
    pixels: Array, network: nn.Module, tile: Sequence[int], axes: str = "zyx", **options: object
) -> Array:
    return predict_image(
        ArrayVolume(pixels, axes),
        [Member(network, Fixed(scale=1.0))],
        Frame(size=(8, 8, 8) if len(tile) == 3 else (8, 8)),
        RESTORE,
        Predict(**options),  # type: ignore[arg-type]
        tile=tuple(tile),
        device=CPU,
        batch=4,
    )


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(st.integers(1, 20), st.integers(1, 24), st.integers(1, 24)),
    st.sampled_from([(4, 8, 8), (6, 5, 7), (16, 4, 4)]),
    st.sampled_from(["constant", "linear", "spline", "gaussian", "hann"]),
    st.sampled_from([0.0, 0.5, (0.5, 0.25, 0.0), (0.0, 0.6, 0.3)]),
    st.sampled_from(["as_is", "flips", "ink12"]),
    st.sampled_from(["moved", "beyond"]),
    st.sampled_from(["zyx", "xyz", "yzx"]),
)
def test_the_identity_gives_the_volume_back_at_every_size(
    shape: Block,
    tile: Block,
    window: Window,
    overlap: object,
    views: str,
    border_tiles: str,
    axes: str,
) -> None:
    pixels = volume(*shape)
    options = {"window": window, "overlap": overlap, "border_tiles": border_tiles}
    found = predict(pixels, nn.Identity(), tile, axes, views=views, **options)
    np.testing.assert_allclose(found, pixels, rtol=1e-5, atol=1e-6)


def test_blocks_are_added_by_outer_products_of_windows() -> None:
    pixels, tile = volume(9, 12, 10), (4, 8, 6)
    grid = TileGrid((9, 12, 10), tile, (2, 4, 3))
    weights = normalised("gaussian", grid)
    chance = np.random.default_rng(1)
    answers = [chance.random((2, *tile), np.float32) for _ in range(len(grid))]
    total = Sum(grid, "gaussian", 2, device=CPU)
    expected = np.zeros((2, *pixels.shape[1:]))
    for number, (region, answer) in enumerate(zip(grid, answers, strict=True)):
        total.add(number, torch.from_numpy(answer))
        z, y, x = (grid.starts[axis].index(region.start[axis]) for axis in range(3))
        window = np.einsum("i,j,k->ijk", weights[0][z], weights[1][y], weights[2][x])
        expected[:, *region.slices] += answer * window
    np.testing.assert_allclose(total.result(), expected, rtol=1e-5, atol=1e-6)


def test_blocks_lie_along_z_y_and_x_however_they_are_stored() -> None:
    class Depth(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            assert x.shape[2:] == (4, 8, 6)
            return x.cumsum(2)  # along z: no other axis would do

    pixels = volume(4, 16, 6)
    found = predict(pixels, Depth(), (4, 8, 6), overlap=0)
    turned = predict(pixels.transpose(0, 3, 2, 1).copy(), Depth(), (4, 8, 6), "xyz", overlap=0)
    np.testing.assert_allclose(found, pixels.cumsum(1), rtol=1e-6)
    np.testing.assert_array_equal(turned.transpose(0, 3, 2, 1), found)


def test_a_volume_of_one_slice_is_answered_as_an_image() -> None:
    option = Resunet(width=4, blocks=(1, 1))
    networks = []
    for size in ((16, 16), (1, 16, 16)):
        torch.manual_seed(1)
        networks.append(option.suited(size).build(1, 1))
    pixels = volume(40, 28)
    flat = predict(pixels, networks[0], (16, 16), "yx", views="flips")
    deep = predict(pixels[:, None], networks[1], (1, 16, 16), views="flips")
    np.testing.assert_allclose(deep[:, 0], flat, rtol=1e-4, atol=1e-5)


def test_tiles_equal_the_whole_within_their_rim() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv3d(1, 4, 3, padding=1), nn.Tanh(), nn.Conv3d(4, 1, 1))
    pixels = volume(12, 20, 24)
    with torch.inference_mode():
        whole = network(torch.from_numpy(pixels)[None])[0].numpy()
    found = predict(pixels, network, (6, 10, 8), overlap=0)
    far = np.zeros(pixels.shape, np.bool_)
    for region in TileGrid((12, 20, 24), (6, 10, 8), (6, 10, 8)):
        far[0][
            tuple(slice(a + 1, b - 1) for a, b in zip(region.start, region.stop, strict=True))
        ] = 1
    assert far.mean() > 0.3
    np.testing.assert_allclose(found[far], whole[far], rtol=1e-4, atol=1e-5)
    assert not np.allclose(found[~far], whole[~far], atol=1e-3)


def test_images_are_refused_where_blocks_are_seen() -> None:
    from lamina.prediction.engine import is_cut

    image = ArrayVolume(np.zeros((1, 8, 8), np.float32))
    with pytest.raises(RecipeError, match=r"has axes 'yx'.*give volumes of three axes"):
        is_cut(image, Frame(size=(8, 8, 8)))
    assert is_cut(ArrayVolume(np.zeros((1, 4, 8, 8), np.float32), "zyx"), Frame(size=(8, 8)))


def slow(pixels: NDArray[np.float64], network: nn.Module, tile: Block, steps: Block) -> Array:
    """One block, one of eight views at a time, in float64 and in the plainest words; z, y, x."""
    grid = TileGrid(pixels.shape, tile, steps)
    weights = normalised("gaussian", grid)
    total = np.zeros((3, *pixels.shape))
    for region in grid:
        before = [max(-a, 0) for a in region.start]
        after = [max(b - n, 0) for b, n in zip(region.stop, pixels.shape, strict=True)]
        seen = np.pad(pixels, list(zip(before, after, strict=True)), mode="reflect")
        start = [a + n for a, n in zip(region.start, before, strict=True)]
        block = seen[tuple(slice(a, a + n) for a, n in zip(start, tile, strict=True))]
        mean = np.zeros((3, *tile))
        for flips in itertools.product((False, True), repeat=3):
            axes = [axis for axis, flip in enumerate(flips) if flip]
            image = torch.from_numpy(np.flip(block, axes).astype(np.float32))
            with torch.inference_mode():
                answer = network(image[None, None]).softmax(1)[0].double().numpy()
            mean += np.flip(answer, [1 + axis for axis in axes]) / 8
        z, y, x = (grid.starts[axis].index(region.start[axis]) for axis in range(3))
        mean *= np.einsum("i,j,k->ijk", weights[0][z], weights[1][y], weights[2][x])
        part = region.clip_to(Region.whole(pixels.shape))
        inside = [slice(a, a + n) for a, n in zip(before, part.shape, strict=True)]
        total[:, *part.slices] += mean[:, *inside]
    return total.astype(np.float32)


@pytest.mark.parametrize("shape", [(13, 19, 11), (3, 5, 2), (1, 30, 7), (9, 4, 16)])
@pytest.mark.parametrize(
    ("dtype", "axes"),
    [
        ("uint8", "zyx"),
        ("<i2", "xyz"),
        (">i2", "yxz"),
        (">u2", "zyx"),
        (">f4", "xyz"),
        ("<f8", "yxz"),
    ],
)
def test_classes_of_any_file_agree_with_brute_force(
    tmp_path: Path, shape: Block, dtype: str, axes: str
) -> None:
    """Odd sides, sides smaller than a block, every order of bytes; in memory and in columns."""
    order = ["zyx".index(axis) for axis in axes]
    low, high = (0, 256) if dtype in ("uint8", ">u2") else (-900, 900)
    values = np.random.default_rng(0).integers(low, high, shape).astype(dtype)
    np.save(tmp_path / "v.npy", values.transpose(order))
    volume = open_volume(tmp_path / "v.npy", axes=axes)
    wanted = recipe(
        names=3, size=(4, 8, 6), precision="float32", overlap=(0.5, 0.25, 0.4), window="gaussian"
    )
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv3d(1, 4, 3, padding=1), nn.Tanh(), nn.Conv3d(4, 3, 1))
    members, where = [Member(network, PerCase(how="standard"))], place(tmp_path, dtype=np.float32)
    found = predict_case(volume, members, wanted, device=CPU, batch=3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row_bands, "_PLANES", 2)
        patch.setattr(zarr_store, "_CHUNK", 32)
        stream_case(volume, members, wanted, place=where, device=CPU, batch=3, memory=1)
    np.testing.assert_array_equal(Store.open(where.store).read(), found)
    exact = values.astype(np.float64)
    exact = (exact - exact.mean()) / exact.std()
    expected = slow(exact, network, (4, 8, 6), (2, 6, 4))
    back = [0, *(1 + axis for axis in order)]
    np.testing.assert_allclose(found, expected.transpose(back), atol=5e-6)
