"""What twelve views of the ink recipe cost as their eight different members (INK-25).

Promise    the same mean (to 1e-6 of the range) in <= 0.70 of the time of the plain twelve
Run        python benchmarks/tta.py              about a minute, one core
Try        python benchmarks/tta.py --quick      a few seconds; the figures mean nothing
Keep       python benchmarks/tta.py --write      writes benchmarks/tta.json

Both ways run through the engine of prediction, on the same tiles of the same image, in turns; only
the list of views differs. The plain twelve are 4 rotations x {as is, mirrored along x, along y},
each with a share of 1/12, as the notebook has them. Seconds are of CPU time, on one thread.
"""

from __future__ import annotations

import argparse
import itertools
import json
import platform
import statistics
import time
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from lamina.data.network_input.frame import Frame
from lamina.data.network_input.normalise import Fixed
from lamina.files import write_json
from lamina.geometry.view import AS_IS, FLIP_X, FLIP_Y, TURNS, View, members
from lamina.prediction.engine import Member, predict_image
from lamina.prediction.tiling import forward as passes
from lamina.prediction.tiling.memory import keep_memory
from lamina.recipe.recipe import MeanOf, Predict
from lamina.task import Task
from lamina.volume import ArrayVolume

TILE = 384
LAYERS = 18
HERE = Path(__file__)
PLAIN = tuple(
    (flip.then(turn), 1 / 12) for flip, turn in itertools.product((AS_IS, FLIP_X, FLIP_Y), TURNS)
)
"""The twelve views with equal shares, four of them twice."""

Views = tuple[tuple[View, float], ...]


def network() -> nn.Module:
    """Return a U-Net that sees all layers at once, with the same weights every time."""
    import segmentation_models_pytorch as smp

    torch.manual_seed(0)
    return smp.Unet(  # type: ignore[no-any-return]
        "tu-mobilenetv3_small_100",
        encoder_weights=None,
        in_channels=LAYERS,
        classes=1,
        decoder_channels=(64, 32, 16, 16, 8),
    ).eval()


def run(pixels: NDArray[Any], net: nn.Module, views: Views) -> NDArray[np.float32]:
    with mock.patch.object(passes, "views_of", return_value=views):
        return predict_image(
            ArrayVolume(pixels),
            [Member(net, Fixed(mean=0.449, std=0.226, scale=65536))],
            Frame(channels=LAYERS),
            Task(kind="binary", names=("ink",)),
            Predict(window="spline", views="ink12", mean_of=MeanOf(views="logit")),
            tile=(TILE, TILE),
            device=torch.device("cpu"),
            batch=4,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a tiny image, to see that it runs")
    parser.add_argument("--write", action="store_true", help="write the result beside this file")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    keep_memory()
    side, rounds = (TILE, 1) if asked.quick else (TILE + TILE // 2, 5)
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 65536, (LAYERS, side, side)).astype(np.uint16)
    net = network().to(memory_format=torch.channels_last)
    ways = {"plain_12": PLAIN, "distinct_8": members("ink12")}
    answers = {name: run(pixels, net, views) for name, views in ways.items()}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, views in ways.items():
            begun = time.process_time()
            run(pixels, net, views)
            seconds[name].append(time.process_time() - begun)
    times = {name: statistics.median(each) for name, each in seconds.items()}
    share = times["distinct_8"] / times["plain_12"]
    apart = float(np.abs(answers["plain_12"] - answers["distinct_8"]).max())
    found = {
        "image": [LAYERS, side, side],
        "views": {name: len(views) for name, views in ways.items()},
        "seconds": {name: round(value, 3) for name, value in times.items()},
        "largest_difference": apart,
        "goals": {
            "time": {"measured": round(share, 3), "promised": 0.70, "kept": share <= 0.70},
            "difference": {"measured": apart, "promised": 1e-6, "kept": apart <= 1e-6},
        },
        "speed": round(1 / share, 2),
        "machine": {
            "cpu": platform.processor() or platform.machine(),
            "torch": torch.__version__,
            "numpy": np.__version__,
        },
    }
    print(json.dumps(found, indent=1))
    if asked.write:
        write_json(HERE.with_suffix(".json"), found)


if __name__ == "__main__":
    main()
