"""How fast training samples are made, against albumentations 2.0.8 with the same changes.

Promise    steel (STEEL-7): at least 1.0 times its images per second; the 18 slices of ink
           (INK-13, INK-14): at least 1.6 times
Run        python benchmarks/augment.py            about two minutes, one core
Keep       python benchmarks/augment.py --write    writes benchmarks/augment.json

Both begin with an image and masks in memory and end with contiguous float32 arrays, channels
first. "common" leaves out what few libraries have.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # it asks the network for news of itself

import albumentations as A
import cv2
import numpy as np
from numpy.typing import NDArray

from lamina.data.case import Case
from lamina.data.network_input.frame import Frame
from lamina.data.network_input.make_sample import make_sample
from lamina.data.network_input.normalise import Fixed
from lamina.data.network_input.sample import Draw
from lamina.data.transforms import (
    Affine,
    AnyTransform,
    Blur,
    BrightnessContrast,
    Clahe,
    Cutout,
    Flip,
    GridDistort,
    Noise,
    OneOf,
    Rot90,
    Sharpen,
)
from lamina.files import write_json
from lamina.geometry.region import Region
from lamina.seeding import rng
from lamina.task import Task
from lamina.volume import ArrayVolume

ROUNDS = 9
Made = tuple[NDArray[np.float32], NDArray[np.float32]]
Maker = Callable[[int], Made]

GOALS = {"steel, full": 1.0, "ink, common": 1.6, "ink, full": 1.6}
STEEL = (256, 416)
INK = (384, 384)


def texture(shape: Sequence[int]) -> NDArray[np.uint8]:
    """Return smooth noise with the grain of a photograph."""
    noise = np.random.default_rng(1).normal(120, 40, shape).astype(np.float32)
    planes = [cv2.GaussianBlur(plane, (0, 0), 2) * 3 - 240 for plane in noise]
    return np.stack(planes).clip(0, 255).astype(np.uint8)


def masks(count: int, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Return ``count`` masks with a few blobs."""
    noise = np.random.default_rng(2).normal(0, 1, (count, *shape)).astype(np.float32)
    smooth = np.stack([cv2.GaussianBlur(plane, (0, 0), 16) for plane in noise])
    return (smooth > 1.8 * smooth.std()).astype(np.uint8)


def lamina(
    image: NDArray[np.uint8],
    target: NDArray[np.uint8],
    size: tuple[int, int],
    transforms: Sequence[AnyTransform],
) -> Maker:
    """Return what makes sample ``n`` by the road that training takes."""
    task = Task(kind="multilabel", names=tuple(f"c{k}" for k in range(len(target))))
    if len(target) == 1:
        task = Task(kind="binary", names=("ink",))
    case = Case("a", "a", ArrayVolume(image), ArrayVolume(target))
    frame = Frame(size=size, channels=len(image), normalise=Fixed(mean=0.34, std=0.2, scale=255))

    def make(n: int) -> Made:
        chance = rng(1, "bench", n)
        top, left = (
            int(chance.integers(0, max(1, whole - side + 1)))
            for whole, side in zip(image.shape[1:], size, strict=True)
        )
        region = Region((top, left), (top + size[0], left + size[1]))
        sample = make_sample(
            case, Draw(0, region), frame, frame.normalise, transforms, task, chance
        )
        return sample.image, sample.target

    return make


def albumentations(
    image: NDArray[np.uint8], target: NDArray[np.uint8], steps: Sequence[Any]
) -> Maker:
    """Return what makes a sample by albumentations, then turned to channels first."""
    compose = A.Compose(list(steps), seed=1)
    pixels = np.ascontiguousarray(image.transpose(1, 2, 0))
    mask = np.ascontiguousarray(target.transpose(1, 2, 0))

    def make(_: int) -> Made:
        done = compose(image=pixels, mask=mask)
        return (
            np.ascontiguousarray(done["image"].transpose(2, 0, 1), np.float32),
            np.ascontiguousarray(done["mask"].transpose(2, 0, 1), np.float32),
        )

    return make


def steel(*, full: bool) -> dict[str, Maker]:
    """Crops of strips of 256 x 1600 with four masks."""
    image, target = texture((1, 256, 1600)), masks(4, (256, 1600))
    flips = Flip(axes="x", p=0.5), Flip(axes="y", p=0.5)
    touch = OneOf(
        of=(
            Clahe(clip=(4, 4), p=0.5),
            Blur(kernel=3, p=0.3),
            Sharpen(alpha=(0.2, 0.3), lightness=(0.5, 1), p=0.3),
        )
    )
    ours: tuple[AnyTransform, ...] = (*((touch,) if full else ()), *flips)
    peer_touch = A.OneOf(
        [
            A.CLAHE(clip_limit=(4, 4), tile_grid_size=(8, 8), p=0.5),
            A.GaussianBlur(blur_limit=(3, 3), p=0.3),
            A.Sharpen(alpha=(0.2, 0.3), lightness=(0.5, 1), p=0.3),
        ],
        p=1,
    )
    peer = [
        A.RandomCrop(*STEEL),
        *((peer_touch,) if full else ()),
        A.HorizontalFlip(p=0.5),
        A.VerticalFlip(p=0.5),
        A.Normalize(mean=(0.34,), std=(0.2,)),
    ]
    return {
        "lamina": lamina(image, target, STEEL, ours),
        "albumentations": albumentations(image, target, peer),
    }


def ink(*, full: bool) -> dict[str, Maker]:
    """Crops of 18 slices at scales of one half to two, all moved alike."""
    image, target = texture((18, 1200, 1200)), masks(1, (1200, 1200))
    ours: list[AnyTransform] = [
        Affine(rotate=0, scale=(0.5, 2), aspect=(0.9, 1.1), shift=0, p=1),
        Affine(rotate=45, scale=(1, 1), shift=0, p=0.5),
        Flip(axes="yx", p=0.5),
        Rot90(p=0.5),
        BrightnessContrast(brightness=0.1, contrast=0.1, p=0.5),
    ]
    peer: list[Any] = [
        A.RandomResizedCrop(INK, scale=(0.026, 0.41), ratio=(0.9, 1.1), p=1),  # sides 192 to 768
        A.Rotate(45, border_mode=cv2.BORDER_REFLECT_101, p=0.5),
        A.HorizontalFlip(p=0.5),
        A.VerticalFlip(p=0.5),
        A.RandomRotate90(p=0.5),
        A.RandomBrightnessContrast(0.1, 0.1, p=0.5),
    ]
    if full:
        ours += [
            OneOf(
                of=(Noise(low=0.01, high=0.03), Blur(kernel=5), Blur(kernel=5, how="box")), p=0.4
            ),
            GridDistort(steps=5, limit=0.3, p=0.5),
            Cutout(count=1, size=(0.3, 0.3), clear_target=True, p=0.5),
        ]
        peer += [
            A.OneOf(
                [
                    A.GaussNoise(std_range=(0.01, 0.03), p=1),
                    A.GaussianBlur(blur_limit=(3, 5), p=1),
                    A.Blur(blur_limit=(3, 5), p=1),
                ],
                p=0.4,
            ),
            A.GridDistortion(num_steps=5, distort_limit=0.3, p=0.5),
            A.CoarseDropout((1, 1), (0.3, 0.3), (0.3, 0.3), fill=0, fill_mask=0, p=0.5),
        ]
    peer.append(A.Normalize(mean=(0.34,) * 18, std=(0.2,) * 18))
    return {
        "lamina": lamina(image, target, INK, ours),
        "albumentations": albumentations(image, target, peer),
    }


def measure(ways: dict[str, Maker], count: int) -> dict[str, float]:
    """Return images per second of CPU time; rounds alternate, so all meet the same noise."""
    shapes = {tuple(part.shape for part in make(0)) for make in ways.values()}
    if len(shapes) != 1:
        raise SystemExit(f"the samples differ in shape: {shapes}")
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(ROUNDS + 1):
        for name, make in ways.items():
            begun = time.thread_time()
            for n in range(count):
                make(turn * count + n)
            if turn:  # the first round warms up
                seconds[name].append(time.thread_time() - begun)
    rates = {name: round(count / statistics.median(found), 1) for name, found in seconds.items()}
    return {**rates, "ratio": round(rates["lamina"] / rates["albumentations"], 2)}


def goal(measured: float, promised: float) -> dict[str, float | bool]:
    return {"measured": measured, "promised": promised, "kept": measured >= promised}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="keep the result beside this script")
    write = parser.parse_args().write
    cv2.setNumThreads(1)
    warnings.simplefilter("ignore")
    rows = {
        "steel, common": measure(steel(full=False), 100),
        "steel, full": measure(steel(full=True), 60),
        "ink, common": measure(ink(full=False), 6),
        "ink, full": measure(ink(full=True), 6),
    }
    result = {
        "machine": f"{platform.system()} {platform.machine()}",
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "albumentations": A.__version__,
        "rounds": ROUNDS,
        "load": [round(one, 1) for one in os.getloadavg()],
        "images_per_second": rows,
        "goals": {
            name: {
                "measured": rows[name]["ratio"],
                "promised": goal,
                "kept": rows[name]["ratio"] >= goal,
            }
            for name, goal in (("steel, full", 1.0), ("ink, common", 1.6), ("ink, full", 1.6))
        },
    }
    print(json.dumps(result, indent=1))
    if write:
        write_json(Path(__file__).with_suffix(".json"), result)


if __name__ == "__main__":
    main()
