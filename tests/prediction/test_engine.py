"""The engine against brute force, against whole images, and against its own promises."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor, nn

from lamina.data.network_input.frame import Frame, Slices
from lamina.data.network_input.normalise import Fixed, PerCase
from lamina.errors import DataError, RecipeError, ResourceError
from lamina.geometry.region import Region
from lamina.geometry.tiling.grid import TileGrid
from lamina.geometry.tiling.window import Window, normalised
from lamina.geometry.view import Views, members
from lamina.prediction.engine import Member, activate, predict_case, predict_image
from lamina.prediction.tiling.averaging import combine
from lamina.recipe.recipe import Level, MeanOf, Pool, Predict, Recipe
from lamina.result.calibration import Calibration, calibrated
from lamina.task import Task
from lamina.volume import ArrayVolume

CPU = torch.device("cpu")
AS_STORED = Fixed(scale=1.0)
BINARY, RESTORE = Task(kind="binary", names=("x",)), Task(kind="restore", names=("x",))
Array = NDArray[np.float32]


def member(network: nn.Module, weight: float = 1.0) -> Member:
    return Member(network, AS_STORED, weight)


def conv(seed: int, outputs: int = 1, inputs: int = 1) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(inputs, 4, 3, padding=1), nn.Tanh(), nn.Conv2d(4, outputs, 1))


def image(height: int, width: int, channels: int = 1, seed: int = 0) -> Array:
    return np.random.default_rng(seed).random((channels, height, width), np.float32)


def predict(
    pixels: NDArray[np.generic],
    *networks: nn.Module,
    task: Task = RESTORE,
    tile: tuple[int, int] = (16, 16),
    batch: int = 4,
    frame: Frame | None = None,
    **options: object,
) -> Array:
    return predict_image(
        ArrayVolume(pixels),
        [member(network) for network in networks],
        frame or Frame(channels=len(pixels)),
        task,
        Predict(**options),  # type: ignore[arg-type]
        tile=tile,
        device=CPU,
        batch=batch,
    )


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 70),
    st.integers(1, 70),
    st.sampled_from(["constant", "linear", "spline", "gaussian", "hann"]),
    st.sampled_from([0.0, 0.25, 0.5, 0.8]),
    st.sampled_from(["as_is", "flip_x", "rotations", "ink12"]),
)
def test_the_identity_gives_the_image_back_at_every_size(
    height: int, width: int, window: Window, overlap: float, views: Views
) -> None:
    """I11."""
    pixels = image(height, width)
    found = predict(pixels, nn.Identity(), window=window, overlap=overlap, views=views)
    assert found.shape == pixels.shape
    bound = 5e-7 if overlap <= 0.5 else 1.5e-6  # up to 36 tiles then add up over a pixel
    assert np.abs(found - pixels).max() <= bound * np.abs(pixels).max()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float64])
def test_every_stored_type_is_read_as_its_values(dtype: type) -> None:
    """I08."""
    pixels = (image(40, 33) * 100).astype(dtype)
    np.testing.assert_allclose(predict(pixels, nn.Identity()), pixels, rtol=5e-7, atol=1e-5)


def test_tiles_equal_the_whole_image_where_the_border_is_far() -> None:
    """N05."""
    pixels, network = image(80, 90), conv(0)
    found = predict(pixels, network, tile=(32, 32), window="hann", overlap=0.5)
    with torch.inference_mode():
        whole = network(torch.from_numpy(pixels)[None])[0].numpy()
    inner = (slice(None), slice(2, -2), slice(2, -2))
    assert np.abs(found - whole)[inner].max() < 2e-3  # what the rims' small weights leave
    np.testing.assert_allclose(found[:, 8, 8], whole[:, 8, 8], atol=1e-5)


def test_a_constant_stays_a_constant_through_a_network_that_keeps_constants() -> None:
    """N06."""

    class Mean(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.mean((2, 3), keepdim=True).expand_as(x)

    pixels = np.full((1, 50, 61), 0.7, np.float32)
    np.testing.assert_allclose(predict(pixels, Mean()), 0.7, rtol=1e-6)


def slow(
    pixels: Array, networks: list[nn.Module], kind: Task, options: Predict, tile: int
) -> Array:
    """One tile, one view, one member at a time, in float64 and in the plainest words."""
    step = max(1, round(tile * (1 - options.overlap)))
    grid = TileGrid(pixels.shape[1:], (tile, tile), (step, step))
    rows, columns = normalised(options.window, grid)
    by_member = []
    for network in networks:
        total: NDArray[np.float64] | None = None
        for number, region in enumerate(grid):
            x = torch.from_numpy(pixels[(slice(None), *region.slices)].copy())[None]
            views = []
            for view, weight in members(options.views):
                with torch.inference_mode():
                    y = network(view.see(x).contiguous())
                if options.mean_of.views == "probability":
                    y = activate(kind.kind, y)
                views.append(view.undo(y).double() * weight)
            y = torch.stack(views).sum(0)
            if options.mean_of.views == "logit" and options.mean_of.tiles == "probability":
                y = activate(kind.kind, y)
            i, j = divmod(number, len(columns))
            weighted = y[0].numpy() * np.outer(rows[i], columns[j])
            total = np.zeros((len(weighted), *pixels.shape[1:])) if total is None else total
            total[(slice(None), *region.slices)] += weighted
        assert total is not None
        if options.mean_of.tiles == "logit" and options.mean_of.members != "logit":
            total = activate(kind.kind, torch.from_numpy(total)[None])[0].numpy()
        by_member.append(total)
    power = {"root_mean_square": 2, "cubic": 3}.get(options.mean_of.members, 1)
    mean = np.mean([one**power for one in by_member], 0) ** (1 / power)
    if power > 1 and kind.exclusive:
        mean = mean / mean.sum(0)
    if options.mean_of.members == "logit":
        mean = activate(kind.kind, torch.from_numpy(mean)[None])[0].numpy()
    return mean.astype(np.float32)


LEVELS: list[tuple[Any, ...]] = [
    ("logit", "logit", "logit"),
    ("logit", "logit", "probability"),
    ("logit", "probability", "probability"),
    ("probability", "probability", "probability"),
    ("logit", "logit", "cubic"),  # STEEL-24
    ("logit", "probability", "root_mean_square"),
    ("probability", "probability", "root_mean_square"),
    ("probability", "probability", "cubic"),
]


@pytest.mark.parametrize(
    ("levels", "kind", "views"),
    list(
        itertools.product(LEVELS, ["binary", "multiclass"], ["as_is", "flips", "dihedral", "ink12"])
    ),
)
def test_means_of_views_tiles_and_members_agree_with_brute_force(
    levels: tuple[Any, ...],
    kind: Literal["binary", "multiclass"],
    views: Views,
) -> None:
    task = Task(kind=kind, names=("a",) if kind == "binary" else ("a", "b", "c"))
    networks = [conv(1, task.outputs), conv(2, task.outputs)]
    mean_of = MeanOf(views=levels[0], tiles=levels[1], members=levels[2])
    options = Predict(overlap=0.4, views=views, mean_of=mean_of)
    pixels = image(37, 29) * 4
    found = predict(
        pixels, *networks, task=task, overlap=0.4, views=views, mean_of=mean_of, batch=3
    )
    np.testing.assert_allclose(found, slow(pixels, networks, task, options, 16), atol=2e-6)
    assert found.min() >= 0
    assert found.max() <= 1 + 1e-6


@pytest.mark.parametrize("pool", ["logit", "probability", "root_mean_square", "cubic"])
def test_members_with_other_tiles_and_frames_are_averaged_as_whole_answers(pool: Pool) -> None:
    level: Any = "logit" if pool == "logit" else "probability"
    options = Predict(overlap=0.4, mean_of=MeanOf(views=level, tiles=level, members=pool))
    pixels, networks = image(37, 29) * 4, [conv(1), conv(2)]
    frames = [Frame(), Frame(border="zero")]
    tiles = [(16, 16), (32, 24)]
    together = [
        Member(network, AS_STORED, weight, frame, tile)
        for network, weight, frame, tile in zip(networks, (2, 1), frames, tiles, strict=True)
    ]
    volume = ArrayVolume(pixels)

    def ask(members: list[Member], tile: tuple[int, int]) -> Array:
        return predict_image(volume, members, Frame(), BINARY, options, tile=tile, device=CPU)

    found = ask(together, (8, 8))
    each = [
        predict_image(volume, [member(n)], frame, BINARY, options, tile=tile, device=CPU)
        for n, frame, tile in zip(networks, frames, tiles, strict=True)
    ]
    np.testing.assert_allclose(found, combine(each, [2, 1], "binary", pool), atol=2e-6)


@pytest.mark.parametrize("tiles", ["probability", "logit"])
def test_members_that_see_other_sizes_answer_at_the_size_of_the_image(tiles: Level) -> None:
    pixels, networks = image(20, 28), [conv(1), conv(2)]
    frames = [Frame(resize=(10, 14)), Frame(resize=(20, 28))]
    mean_of = MeanOf(tiles=tiles, views=tiles)
    found = predict_image(
        ArrayVolume(pixels),
        [Member(net, AS_STORED, 1.0, frame) for net, frame in zip(networks, frames, strict=True)],
        Frame(),
        BINARY,
        Predict(mean_of=mean_of, views="flip_x"),
        tile=(8, 8),
        device=CPU,
    )
    small = np.ascontiguousarray(pixels.reshape(1, 10, 2, 14, 2).mean((2, 4)))
    options = {"task": BINARY, "tile": (8, 8), "mean_of": mean_of, "views": "flip_x"}
    low = torch.from_numpy(predict(small, networks[0], **options))[None]  # type: ignore[arg-type]
    up = nn.functional.interpolate(low, (20, 28), mode="bilinear", align_corners=False)[0]
    high = predict(pixels, networks[1], **options)  # type: ignore[arg-type]
    assert np.allclose(found, (up.numpy() + high) / 2, atol=1e-5)


def test_slices_are_resized_one_by_one() -> None:
    volume = ArrayVolume(image(10, 12, channels=3)[None], "zyx")
    found = predict_case(
        volume,
        [member(nn.Identity())],
        recipe(None, frame={"size": [32, 32], "resize": [5, 6], "slices": {}}),
        device=CPU,
    )
    small = volume.array[0].reshape(3, 5, 2, 6, 2).mean((2, 4))
    up = nn.functional.interpolate(
        torch.from_numpy(small)[None], (10, 12), mode="bilinear", align_corners=False
    )[0]
    assert np.allclose(found[0], up.numpy(), atol=1e-5)


def test_members_count_by_their_weights() -> None:
    pixels = image(20, 20)
    volume, frame = ArrayVolume(pixels), Frame(channels=1)
    one, two = conv(1), conv(2)
    alone = [predict(pixels, network) for network in (one, two)]
    found = predict_image(
        volume,
        [member(one, 3), member(two, 1)],
        frame,
        RESTORE,
        Predict(),
        tile=(16, 16),
        device=CPU,
    )
    np.testing.assert_allclose(found, 0.75 * alone[0] + 0.25 * alone[1], atol=1e-6)


@pytest.mark.parametrize("kind", ["binary", "multiclass"])
def test_each_member_is_calibrated_before_the_mean_whatever_the_order(kind: str) -> None:
    outputs = 1 if kind == "binary" else 3
    task = Task(kind=kind, names=tuple("abc"[:outputs]))  # type: ignore[arg-type]
    curves = [
        tuple(Calibration(slope=0.5 + n, shift=k - 1.0) for k in range(outputs)) for n in (0, 1)
    ]
    members = [
        replace(member(conv(n, outputs)), calibration=own, weight=1.0 + n)
        for n, own in enumerate(curves)
    ]

    def answer(chosen: list[Member]) -> Array:
        return predict_image(
            ArrayVolume(image(40, 40)),
            chosen,
            Frame(channels=1),
            task,
            Predict(),
            tile=(16, 16),
            device=CPU,
        )

    both, turned = answer(members), answer(members[::-1])
    np.testing.assert_allclose(both, turned, atol=1e-6)
    alone = [answer([replace(one, calibration=())]) for one in members]
    wanted = sum(
        weight * calibrated(one.astype(np.float32), own, exclusive=kind == "multiclass")
        for weight, one, own in zip((1 / 3, 2 / 3), alone, curves, strict=True)
    )
    np.testing.assert_allclose(both, wanted, atol=1e-3)  # tables hold float16
    assert np.abs(both - (alone[0] / 3 + alone[1] * 2 / 3)).max() > 0.05


def test_each_member_sees_the_image_by_its_own_normalisation() -> None:
    pixels = image(20, 20)
    found = predict_image(
        ArrayVolume(pixels),
        [Member(nn.Identity(), Fixed(scale=1, mean=0.5)), Member(nn.Identity(), Fixed(scale=2))],
        Frame(channels=1),
        RESTORE,
        Predict(),
        tile=(16, 16),
        device=CPU,
    )
    np.testing.assert_allclose(found, ((pixels - 0.5) + pixels / 2) / 2, atol=1e-6)


@pytest.mark.parametrize("batch", [2, 3, 7, 64])
def test_the_batch_changes_nothing_but_rounding(batch: int) -> None:
    # Kernels may be chosen by the size of the batch, hence rounding and not bytes.
    pixels, network = image(70, 65), conv(3)
    one = predict(pixels, network, task=BINARY, batch=1, views="flips")
    many = predict(pixels, network, task=BINARY, batch=batch, views="flips")
    assert np.abs(one - many).max() <= 3e-7


def test_neighbours_in_the_batch_change_not_a_byte() -> None:
    pixels, network = image(64, 64), conv(3)
    other = pixels.copy()
    other[:, 40:] = 0.123  # no tile reaches from there to the rows above 24
    one = predict(pixels, network, task=BINARY, batch=5, views="flips")
    two = predict(other, network, task=BINARY, batch=5, views="flips")
    assert one[:, :24].tobytes() == two[:, :24].tobytes()
    assert one.tobytes() != two.tobytes()


def test_oblong_tiles_may_be_turned() -> None:
    pixels = image(40, 60)
    found = predict(pixels, nn.Identity(), tile=(8, 24), views="dihedral")
    np.testing.assert_allclose(found, pixels, atol=5e-7)


def test_several_channels_reach_the_network_in_order() -> None:
    pixels = image(30, 20, channels=3)
    np.testing.assert_allclose(predict(pixels, nn.Identity()), pixels, atol=5e-7)


def test_the_network_is_left_as_it_was() -> None:
    network = nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1), nn.Dropout())
    network.train()
    network[1].eval()  # frozen, as an encoder may be
    before = {k: v.clone() for k, v in network.state_dict().items()}
    predict(image(20, 20), network)
    assert [part.training for part in network.modules()] == [True, True, False, True]
    assert all(torch.equal(before[k], v) for k, v in network.state_dict().items())
    network(torch.ones(1, 1, 4, 4)).sum().backward()  # weights still learn
    assert network[0].weight.grad is not None


def test_an_answer_may_be_a_constant_of_the_network_itself() -> None:
    class Constant(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.value = nn.Parameter(torch.ones(1, 1, 16, 16))

        def forward(self, x: Tensor) -> Tensor:
            return self.value.expand(len(x), -1, -1, -1)

    network = Constant()
    for _ in range(2):
        np.testing.assert_allclose(predict(image(20, 40), network, views="flips"), 1, atol=1e-6)
    assert torch.equal(network.value, torch.ones(1, 1, 16, 16))


def test_bfloat16_comes_back_as_float32_close_to_it() -> None:
    pixels, network = image(40, 40), conv(1)
    exact = predict(pixels, network, task=BINARY)
    coarse = predict_image(
        ArrayVolume(pixels), [member(network)], Frame(channels=1), BINARY, Predict(),
        tile=(16, 16), device=CPU, precision=torch.bfloat16,
    )  # fmt: skip
    assert coarse.dtype == np.float32
    assert 0 < np.abs(coarse - exact).max() < 0.01


def test_the_answer_is_written_where_it_is_wanted() -> None:
    out = np.full((1, 3, 40, 30), 7, np.float32)
    pixels = image(40, 30)
    found = predict_image(
        ArrayVolume(pixels), [member(nn.Identity())], Frame(channels=1), RESTORE, Predict(),
        tile=(16, 16), device=CPU, out=out[:, 1],
    )  # fmt: skip
    assert np.shares_memory(found, out)
    np.testing.assert_allclose(out[:, 1], pixels, atol=5e-7)
    assert (out[:, ::2] == 7).all()
    with pytest.raises(ValueError, match="float32"):
        predict_image(
            ArrayVolume(pixels), [member(nn.Identity())], Frame(channels=1), RESTORE, Predict(),
            tile=(16, 16), device=CPU, out=np.zeros((1, 3, 3), np.float32),
        )  # fmt: skip


class Hungry(nn.Module):
    def __init__(self, most: int) -> None:
        super().__init__()
        self.most, self.seen = most, list[int]()

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(len(x))
        if len(x) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return x


def test_M05_batches_shrink_until_they_fit(capsys: pytest.CaptureFixture[str]) -> None:
    pixels, network = image(64, 64), Hungry(most=2)
    np.testing.assert_allclose(predict(pixels, network, batch=8), pixels, atol=5e-7)
    # 49 tiles in batches of one size, at most 8, 4 and 2, with as little padding as can be
    assert network.seen == [7, 3] + [2] * 25
    assert "going on with 2 tiles" in capsys.readouterr().err
    with pytest.raises(ResourceError, match=r"16 x 16 pixels.*predict\.tile"):
        predict(pixels, Hungry(most=0), batch=2)


def test_other_errors_of_a_network_are_not_taken_for_memory() -> None:
    class Broken(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise RuntimeError("shape mismatch")

    with pytest.raises(RuntimeError, match="shape mismatch"):
        predict(image(20, 20), Broken())


def recipe(slices: Slices | None, **more: object) -> Recipe:
    values = {
        "name": "test",
        "task": {"kind": "restore", "names": ["x"]},
        "data": {"kind": "folder"},
        "network": {"kind": "unet"},
        "loss": [{"kind": "mse"}],
        "stages": [{"epochs": 1}],
        "frame": {"size": [32, 32], "channels": 1, "slices": slices},
    }
    return Recipe.model_validate({**values, **more})


def test_a_volume_is_predicted_along_every_axis_and_averaged() -> None:
    voxels = np.random.default_rng(0).random((1, 5, 40, 33), np.float32)
    network, ticks = conv(4), []
    found = predict_case(
        ArrayVolume(voxels, "zyx"),
        [member(network)],
        recipe(Slices(axes="zx")),
        device=CPU,
        progress=lambda: ticks.append(1),
    )
    options = {"tile": (32, 32), "frame": Frame(channels=1)}
    along_z = np.stack([predict(voxels[:, i], network, **options) for i in range(5)], 1)
    along_x = np.stack([predict(voxels[..., i], network, **options) for i in range(33)], 3)
    np.testing.assert_allclose(found, (along_z + along_x) / 2, atol=1e-6)
    assert len(ticks) == 5 + 33


def test_neighbours_become_channels() -> None:
    class Middle(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            assert x.shape[1] == 3
            return x[:, 1:2]

    voxels = np.random.default_rng(0).random((1, 4, 20, 33), np.float32)
    found = predict_case(
        ArrayVolume(voxels, "zyx"), [member(Middle())], recipe(Slices(context=1)), device=CPU
    )
    np.testing.assert_allclose(found, voxels, atol=5e-7)


def test_axes_that_do_not_fit_are_named() -> None:
    volume = ArrayVolume(np.zeros((1, 4, 8, 8), np.float32), "zyx")
    with pytest.raises(RecipeError, match=r"axes 'zyx'.*frame\.slices"):
        predict_case(volume, [member(nn.Identity())], recipe(None), device=CPU)
    with pytest.raises(DataError, match=r"frame\.slices names 't'"):
        predict_case(volume, [member(nn.Identity())], recipe(Slices(axes="t")), device=CPU)


def test_an_image_is_only_read_a_tile_at_a_time() -> None:
    class Watched(ArrayVolume):
        def read(self, region: Region) -> NDArray[np.float32]:
            assert max(region.shape) <= 16
            return super().read(region)

    pixels = image(100, 90)
    found = predict_image(
        Watched(pixels), [member(nn.Identity())], Frame(channels=1), RESTORE, Predict(),
        tile=(16, 16), device=CPU,
    )  # fmt: skip
    np.testing.assert_allclose(found, pixels, atol=5e-7)


def test_an_image_by_its_own_numbers_is_normalised_as_a_whole() -> None:
    pixels = image(40, 40)
    found = predict_image(
        ArrayVolume(pixels),
        [Member(nn.Identity(), PerCase(how="minmax"))],
        Frame(channels=1),
        RESTORE,
        Predict(),
        tile=(16, 16),
        device=CPU,
    )
    low, high = pixels.min(), pixels.max()
    np.testing.assert_allclose(found, (pixels - low) / (high - low), atol=1e-5)
