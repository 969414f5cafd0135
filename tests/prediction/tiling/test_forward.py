"""What reaches a network in prediction: to the byte what it learnt from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lamina.data.case import Case
from lamina.data.network_input.depth import Depth
from lamina.data.network_input.frame import Frame
from lamina.data.network_input.make_sample import make_sample
from lamina.data.network_input.normalise import AnyNormalise, Fixed, PerCase
from lamina.data.network_input.sample import Draw
from lamina.prediction.tiling.forward import Stacks, _without_nan
from lamina.prediction.tiling.in_memory import answer_image
from lamina.prediction.tiling.tiled_inference import Member, TiledInference
from lamina.recipe.recipe import Predict
from lamina.seeding import rng
from lamina.task import Task
from lamina.volume import ArrayVolume

TASK = Task(kind="restore", names=("value",))
TILE = (32, 32)


class Recorder(nn.Module):
    """Keeps what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        self.seen.extend(x.clone())
        return x[:, :1]


def picture(dtype: type[np.generic], channels: int) -> NDArray[Any]:
    top = {np.uint8: 255, np.uint16: 65535}.get(dtype, 3000)
    values = np.random.default_rng(0).integers(0, top, (channels, 45, 70))
    return (values - 1000 if dtype in (np.int16, np.float32) else values).astype(dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.int32, np.float32])
@pytest.mark.parametrize(
    ("channels", "normalise"),
    [
        (1, Fixed()),
        (1, Fixed(scale=1.0)),
        (1, Fixed(mean=0.3, std=0.0)),
        (3, Fixed(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))),
        (3, PerCase(how="percentile")),
        (2, PerCase(how="standard")),
    ],
)
@pytest.mark.parametrize(
    "options", [{}, {"turn": 1}, {"turn": 3, "border": "zero", "pad": "after"}], ids=str
)
def test_a_tile_is_the_sample_that_training_makes_of_its_region(
    dtype: type[np.generic], channels: int, normalise: AnyNormalise, options: dict[str, Any]
) -> None:
    image = ArrayVolume(picture(dtype, channels))
    frame = Frame(size=TILE, channels=channels, normalise=normalise, **options)
    check_same(image, frame, normalise)


def test_layers_that_prediction_looks_at_are_resized_as_in_training() -> None:
    """INK-13: without a random depth, training sees what prediction sees."""
    normalise = Fixed(mean=0.4, std=0.2)
    frame = Frame(size=TILE, channels=6, depth=Depth(see=6, factor=1), normalise=normalise)
    check_same(ArrayVolume(picture(np.uint8, 6)), frame, normalise)


def check_same(image: ArrayVolume, frame: Frame, normalise: AnyNormalise) -> None:
    network = Recorder()
    member = Member(network, normalise)
    job = TiledInference(
        (member,), frame, TASK.kind, Predict(overlap=0.5), TILE, torch.device("cpu"), None, batch=4
    )
    with torch.inference_mode():
        answer_image(job, image)
    grid = job.grid(member, image.shape, image.axes)
    target = ArrayVolume(np.zeros((1, *image.shape), np.float32))
    case = Case("a", "a", image, target)
    assert len(network.seen) >= len(grid) > 4
    for number in range(len(grid)):
        draw = Draw(0, grid.region(number))
        sample = make_sample(case, draw, frame, normalise, (), TASK, rng(0, "sample"))
        assert network.seen[number].numpy().tobytes() == sample.image.tobytes()


def test_on_a_cpu_batches_are_filled_and_used_in_one_place() -> None:
    stacks = Stacks((2, 1, 4, 4), torch.contiguous_format, torch.device("cpu"))
    first = stacks.free
    first[1] = 3
    there = stacks.sent()
    assert there is first
    assert stacks.free is first
    assert there.tolist() == [[[[0.0] * 4] * 4], [[[3.0] * 4] * 4]]


def test_a_view_without_nan_is_averaged_alike_whether_it_was_asked_or_not() -> None:
    """A GPU is not asked whether an answer has a NaN: leaving none out changes no bit."""
    answer = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    found, missing = _without_nan(answer, 0.5, None)
    found, missing = _without_nan(found, 0.5, missing)
    assert torch.equal(found, answer)
    assert torch.equal(answer / torch.where(missing > 1 - 1e-6, torch.nan, 1 - missing), answer)
