"""How fast training samples of blocks of voxels are made, against MONAI and scipy.

Promise    32 x 128 x 128 voxels: mirrored, turned in the plane, gamma, 15 ms at most; turned,
           scaled and bent along all axes, 45 ms at most; no slower than MONAI or scipy
Run        python benchmarks/blocks.py            about a minute, one core
Keep       python benchmarks/blocks.py --write    writes benchmarks/blocks.json

All begin with an image and a mask in memory and end with float32 arrays, channels first. Times are
of the processor, the least of several samples. "planar" changes every plane alike; "solid" moves
voxels along all axes: MONAI by its Rand3DElastic, scipy by map_coordinates with the same places.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from monai import transforms as M
from scipy.ndimage import map_coordinates

from lamina.data.case import Case
from lamina.data.network_input.frame import Frame
from lamina.data.network_input.make_sample import make_sample
from lamina.data.network_input.normalise import Fixed
from lamina.data.network_input.sample import Draw
from lamina.data.network_input.warps.blocks import Voxels
from lamina.data.network_input.warps.look import look
from lamina.data.transforms import Affine, AnyTransform, Elastic, Flip, Gamma, Warp
from lamina.files import write_json
from lamina.geometry.region import Region
from lamina.seeding import rng
from lamina.task import Task
from lamina.volume import ArrayVolume

SIZE = (32, 128, 128)
WHOLE = (64, 256, 256)
REGION = Region((16, 64, 64), (48, 192, 192))
ROUNDS = 15
GOALS = {"planar": 15.0, "solid": 45.0}
STEPS: dict[str, tuple[AnyTransform, ...]] = {
    "planar": (Flip(axes="zyx"), Affine(p=1, shift=0), Gamma(p=1)),
    "solid": (
        Affine(p=1, axes="zyx", tilt=15, shift=0),
        Elastic(p=1, alpha=60, sigma=6, axes="zyx"),
    ),
}


def volumes() -> tuple[Any, Any]:
    """Return an image (1, D, H, W) float32 and a mask uint8, smooth as tissue is."""
    noise = np.random.default_rng(1).normal(0, 1, WHOLE).astype(np.float32)
    image = np.stack([cv2.GaussianBlur(plane, (0, 0), 2) for plane in noise])
    return image[None], (image > image.std())[None].astype(np.uint8)


def lamina(image: Any, mask: Any, steps: tuple[AnyTransform, ...]) -> Callable[[int], object]:
    """Return what makes sample ``n`` by the road that training takes."""
    case = Case("a", "a", ArrayVolume(image, "zyx"), ArrayVolume(mask, "zyx"))
    frame, task = Frame(size=SIZE, normalise=Fixed(scale=1.0)), Task(names=("a",))

    def make(n: int) -> object:
        chance = rng(1, "bench", n)
        return make_sample(case, Draw(0, REGION), frame, frame.normalise, steps, task, chance)

    return make


def monai(image: Any, mask: Any, kind: str) -> Callable[[int], object]:
    """Return what makes a sample by MONAI, of an image and a mask, from the same region."""
    keys, modes = ["image", "label"], ["bilinear", "nearest"]
    how = {"prob": 1.0, "mode": modes, "padding_mode": "border", "keys": keys}
    if kind == "planar":
        steps = [
            *(M.RandFlipd(keys=keys, prob=0.5, spatial_axis=axis) for axis in range(3)),
            M.RandAffined(rotate_range=(0.26, 0, 0), scale_range=(0, 0.1, 0.1), **how),
            M.RandAdjustContrastd(keys=["image"], prob=1.0, gamma=(0.8, 1.2)),
        ]
    else:
        steps = [
            M.Rand3DElasticd(
                sigma_range=(6, 6),
                magnitude_range=(60, 60),
                rotate_range=(0.26, 0.26, 0.26),
                scale_range=(0.1, 0.1, 0.1),
                spatial_size=SIZE,
                **how,
            )
        ]
    compose = M.Compose(steps)
    compose.set_random_state(1)
    at = (slice(None), *REGION.slices)

    def make(_: int) -> object:
        return compose({"image": image[at].copy(), "label": mask[at].copy()})

    return make


def scipy(image: Any, mask: Any, kind: str) -> Callable[[int], object]:
    """Return what resamples image and mask with lamina's places, by scipy."""
    warps = [step for step in STEPS[kind] if isinstance(step, Warp)]

    def make(n: int) -> object:
        chance = rng(1, "bench", n)
        drawn = [(step, step.pick(SIZE, chance)) for step in warps]
        view = look(REGION, [pick for pick in drawn if pick[1] is not None])
        if not isinstance(view, Voxels):
            raise TypeError(f"{kind} moves planes by themselves")
        places = [view.planes, view.rows, view.columns]
        at = (0, *view.window.clip(WHOLE).slices)
        shown = map_coordinates(image[at], places, order=1, mode="nearest")
        return shown, map_coordinates(mask[at], places, order=0, mode="nearest")

    return make


def milliseconds(make: Callable[[int], object]) -> float:
    """Return the least processor time of a sample."""
    make(0)
    times = []
    for n in range(ROUNDS):
        begun = time.process_time()
        make(n)
        times.append(time.process_time() - begun)
    return round(1000 * min(times), 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the JSON file")
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    image, mask = volumes()
    rows: dict[str, Any] = {}
    for kind, goal in GOALS.items():
        row = {"lamina": milliseconds(lamina(image, mask, STEPS[kind]))}
        row["monai"] = milliseconds(monai(image, mask, kind))
        if kind == "solid":
            row["scipy"] = milliseconds(scipy(image, mask, kind))
        row["goal"] = goal
        row["monai_over_lamina"] = round(row["monai"] / row["lamina"], 2)
        rows[kind] = row
        print(kind, json.dumps(row))
    rows["machine"] = {
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "unit": "milliseconds of one core",
    }
    if args.write:
        write_json(Path(__file__).with_suffix(".json"), rows)


if __name__ == "__main__":
    main()
