"""How fragments are answered (INK-22 to INK-26), against the plainest words of the notebooks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pydantic import ValidationError
from torch import Tensor, nn

from lamina.data.case import Case
from lamina.data.network_input.frame import Frame
from lamina.data.network_input.normalise import Fixed
from lamina.geometry.region import Region
from lamina.geometry.tiling.window import spline
from lamina.prediction.engine import Member, predict_case, predict_image
from lamina.recipe.recipe import MeanOf, Predict, Recipe
from lamina.task import Task
from lamina.volume import ArrayVolume

CPU = torch.device("cpu")
INK = Task(kind="binary", names=("ink",))
NUMBERS = Fixed(mean=0.449, std=0.226, scale=65536)  # INK-14
RELEASED = MeanOf(views="logit", tiles="probability", members="probability")
Array = NDArray[np.float32]


def net(seed: int, inputs: int = 2) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(inputs, 4, 3, padding=1), nn.Tanh(), nn.Conv2d(4, 1, 3))


class Padded(nn.Module):
    """A network whose answers depend on where in the tile a pixel lies."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.net, self.tiles = net(seed), list[Tensor]()

    def forward(self, x: Tensor) -> Tensor:
        self.tiles += list(x)
        logits: Tensor = nn.functional.pad(self.net(x), (1, 1, 1, 1))
        return 3 * logits + torch.linspace(-1, 1, x.shape[-1])


def fragment(height: int, width: int) -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
    rng = np.random.default_rng(0)
    mask = np.zeros((height, width), np.uint8)
    mask[5 : height // 2, 7 : width // 2] = 255
    mask[height - 1, width - 1] = 1
    return rng.integers(0, 65536, (2, height, width)).astype(np.uint16), mask


def notebook(pixels: NDArray[Any], mask: NDArray[Any], model: nn.Module, tile: int, step: int):  # type: ignore[no-untyped-def]
    """Return the map of one model as INK-22 to INK-25 say, and the number of tiles answered."""
    height, width = mask.shape
    size = [max(-(-n // step) * step, tile) for n in (height, width)]
    image = np.zeros((len(pixels), *size), np.float32)
    image[:, :height, :width] = pixels
    inside = np.zeros(size, bool)
    inside[:height, :width] = mask > 0
    total, weight, count = np.zeros(size), np.zeros(size), 0
    window = np.outer(spline(tile), spline(tile))
    for row in range(0, size[0] - tile + 1, step):
        for column in range(0, size[1] - tile + 1, step):
            at = (slice(row, row + tile), slice(column, column + tile))
            weight[at] += window
            if not inside[at].any():
                continue
            count += 1
            x = torch.from_numpy((image[(slice(None), *at)] / 65536 - 0.449) / 0.226)
            logits = []
            for turns in range(4):
                for axes in ([], [2], [1]):
                    seen = torch.flip(torch.rot90(x, turns, (1, 2)), axes)
                    with torch.inference_mode():
                        y = torch.flip(model(seen[None])[0], axes)
                    logits.append(torch.rot90(y, -turns, (1, 2))[0])
            total[at] += window * torch.nanmean(torch.stack(logits), 0).sigmoid().numpy()
    return ((total / weight) * inside)[:height, :width], count


def ask(
    pixels: NDArray[Any], mask: NDArray[Any] | None, *models: nn.Module, **options: Any
) -> Array:
    return predict_image(
        ArrayVolume(pixels),
        [Member(model, NUMBERS) for model in models],
        Frame(channels=2, border="reflect"),
        INK,
        Predict(**{"window": "spline", "mean_of": RELEASED, **options}),
        tile=(16, 16),
        device=CPU,
        batch=3,
        valid=None if mask is None else ArrayVolume(mask[None]),
    )


@pytest.mark.parametrize(("height", "width"), [(40, 53), (32, 48), (10, 30), (50, 17)])
@pytest.mark.parametrize("overlap", [0.5, 0.875])
def test_a_fragment_is_stitched_as_released(height: int, width: int, overlap: float) -> None:
    """INK-22, INK-23, INK-25: lattice past the border, skipped tiles, spline window, 12 views."""
    pixels, mask = fragment(height, width)
    model = Padded(1)
    wanted, count = notebook(pixels, mask, model, 16, round(16 * (1 - overlap)))
    model.tiles.clear()
    found = ask(pixels, mask, model, overlap=overlap, border_tiles="beyond", views="ink12")
    np.testing.assert_allclose(found[0], wanted, atol=3e-6)
    assert not found[0][mask == 0].any()
    # 8 views stand for 12, and a batch of 3 is filled up with at most 2
    assert 8 * count <= len(model.tiles) < 8 * (count + 3)


def test_a_view_without_a_number_is_left_out_of_the_mean() -> None:
    """INK-25: nan is ignored among the logits of the views."""

    class Holes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = Padded(2)

        def forward(self, x: Tensor) -> Tensor:
            logits: Tensor = self.net(x)
            hole = torch.zeros_like(logits)
            hole[:, :, :3, :5] = torch.nan  # elsewhere in the image in every view
            return logits + hole

    pixels, mask = fragment(16, 16)
    mask[:] = 1
    wanted, _ = notebook(pixels, mask, Holes(), 16, 8)
    found = ask(pixels, mask, Holes(), border_tiles="beyond", views="ink12")
    assert np.isfinite(wanted).all()
    np.testing.assert_allclose(found[0], wanted, atol=3e-6)


def test_members_are_cut_to_bytes_before_their_mean() -> None:
    """INK-26: per model trunc(255 p); the mean is the sum over (255 n)."""
    pixels, mask = fragment(40, 53)
    models = [Padded(seed) for seed in range(5)]
    each = [ask(pixels, mask, model) for model in models]
    found = ask(pixels, mask, *models, rounding="uint8")
    wanted = sum((one * 255).astype(np.uint8).astype(np.float64) for one in each) / (255 * 5)
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    alone = ask(pixels, mask, models[0], rounding="uint8")
    np.testing.assert_allclose(alone, (each[0] * 255).astype(np.uint8) / 255, atol=1e-7)
    assert np.abs(found - sum(each) / 5).max() > 1e-3


def test_inside_the_mask_skipping_changes_nothing() -> None:
    """INK-23: skipped tiles cannot touch the mask."""
    pixels, mask = fragment(60, 71)
    for border in ("moved", "beyond"):
        whole = ask(pixels, None, Padded(1), border_tiles=border)
        found = ask(pixels, mask, Padded(1), border_tiles=border)
        np.testing.assert_allclose(found, whole * (mask > 0), atol=1e-6)


def test_a_mask_without_a_pixel_gives_zeros() -> None:
    pixels, mask = fragment(40, 53)
    assert not ask(pixels, np.zeros_like(mask), Padded(1)).any()


def recipe(**options: Any) -> Recipe:
    values: dict[str, Any] = {
        "name": "test",
        "task": INK,
        "data": {"kind": "folder"},
        "network": {"kind": "unet"},
        "loss": [{"kind": "bce"}],
        "stages": [{"epochs": 1}],
        "frame": {"size": [32, 32], "channels": 2},
    }
    return Recipe.model_validate({**values, **options})


def test_a_case_is_answered_where_it_counts_if_the_recipe_says_so() -> None:
    pixels, mask = fragment(40, 53)
    case = Case("a", "a", ArrayVolume(pixels), valid=ArrayVolume(mask[None]))
    members = [Member(Padded(1), NUMBERS)]
    for wanted in (False, True):
        found = predict_case(case, members, recipe(predict={"only_valid": wanted}), device=CPU)
        assert (found[0][mask == 0] == 0).all() == wanted
        found = predict_case(
            case.image, members, recipe(predict={"only_valid": wanted}), device=CPU
        )
        assert found.all()


def test_beyond_the_border_a_tile_sees_zeros_whatever_the_frame_says() -> None:
    seen: list[Region] = []

    class Watched(ArrayVolume):
        def read(self, region: Region) -> NDArray[Any]:
            seen.append(region)
            return super().read(region)

    class Bright(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x[:, :1] - x.amin((2, 3), keepdim=True)[:, :1]

    pixels = np.full((1, 20, 20), 9, np.uint8)
    found = predict_image(
        Watched(pixels),
        [Member(Bright(), Fixed(scale=1.0))],
        Frame(channels=1),
        Task(kind="restore", names=("x",)),
        Predict(border_tiles="beyond", overlap=0, window="constant"),
        tile=(16, 16),
        device=CPU,
    )
    assert {region.stop for region in seen} <= {(16, 16), (16, 20), (20, 16), (20, 20)}
    assert not found[0, :16, :16].any()
    assert (found[0, 16:] == 9).all()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"predict": {"rounding": "uint8", "mean_of": MeanOf(
            views="logit", tiles="logit", members="logit")}}, "cuts probabilities"),
        ({"predict": {"rounding": "uint8"}, "task": {"kind": "restore"}}, "cuts probabilities"),
        ({"predict": {"only_valid": True}, "frame": {"slices": {}}}, "only_valid is for images"),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        recipe(**changes)
