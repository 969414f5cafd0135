"""What a GPU does with Lamina: training and prediction against loops that do nothing else.

Promise    training ``steel`` at 0.9 of the images/s of a plain bfloat16 channels-last loop whose
           batches lie on the GPU; the GPU idle for at most 5 % of the time in training and
           prediction; ``train.compile`` is worth an option at 1.1 times the images/s, and
           small images that share forward passes at 1.2 times
Run        python benchmarks/gpu.py --out gpu.json      at most ten minutes; needs a GPU
Try        python benchmarks/gpu.py --device cpu --quick    a minute; the figures mean nothing
Keep       python benchmarks/gpu.py --write             writes benchmarks/gpu.json

Everything is made here: strips of steel, an image of 4096 x 4096 pixels and a volume of 512 x 512
x 512 voxels in Zarr; networks begin with random weights. Results are written after each part, so
that a run that is cut off leaves those it has. The idle share is of one more run under torch's
profiler: one less the time in which at least one kernel or copy runs on the GPU, over the time from
the first to the last of them.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import zarr
from torch import nn
from torch.nn import functional

from lamina.data.case import Case
from lamina.data.network_input.normalise import Fixed
from lamina.data.readers import open_volume
from lamina.errors import LaminaError, RecipeError
from lamina.files import write_json
from lamina.geometry.tiling.grid import TileGrid
from lamina.machine.cores import allowed_cores
from lamina.model.memory_layout import lay_out
from lamina.prediction.engine import Member, predict_case, predict_gathered, stream_case
from lamina.prediction.streaming.place import Place
from lamina.prediction.tiling.memory import keep_memory
from lamina.prediction.tiling.precision import (
    cast_weights,
    choose,
    choose_device,
    device_kind,
    name_of,
)
from lamina.recipe.load import load_recipe
from lamina.recipe.recipe import Recipe
from lamina.synthetic.steel import CLASSES, strip
from lamina.training.process_state import arithmetic, own_accelerator
from lamina.training.saving.state import Position
from lamina.training.stage.context import FoldContext, StageState
from lamina.training.stage.loading.loader import default_workers
from lamina.training.stage.loop import _train_epoch
from lamina.training.stage.signals import Stop
from lamina.training.stage.steps.compiled import CompiledNetwork
from lamina.volume import ArrayVolume, Volume

NORMALISE = Fixed(mean=0.34, std=0.2, scale=255)
NAMES = json.dumps([f"class_{k + 1}" for k in range(CLASSES)])


@dataclass(frozen=True)
class Sizes:
    """How much is done."""

    strips: int
    strip: tuple[int, int]
    epochs: int
    """Measured ones, after one that warms up."""
    image: int
    volume: int
    steps: int
    """Of the loops to compare with."""
    changes: tuple[str, ...] = ()
    """Of the recipe of steel."""


FULL = Sizes(strips=640, strip=(256, 1600), epochs=3, image=4096, volume=512, steps=40)
QUICK = Sizes(
    strips=8,
    strip=(64, 128),
    epochs=1,
    image=96,
    volume=32,
    steps=2,
    changes=("network.encoder=resnet18", "frame.size=[64,64]", "predict.tile=[64,64]"),
)


def waited(device: torch.device) -> float:
    """Return the time once the device has done all that it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def seconds(run: Callable[[], object], device: torch.device) -> float:
    begun = waited(device)
    run()
    return waited(device) - begun


def covered(spans: Iterable[tuple[float, float]]) -> float:
    """Return the length of the union of spans."""
    total, end = 0.0, -float("inf")
    for first, last in sorted(spans):
        total += max(last - max(first, end), 0.0)
        end = max(end, last)
    return total


def idle_share(run: Callable[[], object], device: torch.device) -> float | None:
    """Return the share of the time in which the GPU had nothing to do; None: there is no GPU."""
    if device.type != "cuda":
        run()
        return None
    kinds = [torch.profiler.ProfilerActivity.CUDA]
    with torch.profiler.profile(activities=kinds, acc_events=True) as profile:
        seconds(run, device)
    spans = [
        (event.time_range.start, event.time_range.end)
        for event in profile.events()
        if event.device_type == torch.autograd.DeviceType.CUDA
    ]
    if not spans:
        raise RuntimeError("torch's profiler saw nothing of the GPU")
    whole = max(last for _, last in spans) - min(first for first, _ in spans)
    return round(1 - covered(spans) / whole, 4)


def strips(count: int, shape: tuple[int, int]) -> list[Case]:
    """Return cases of at most 64 different strips, which loader processes are sent once."""
    made = [strip(index, shape=shape) for index in range(min(count, 64))]
    pixels = [
        (ArrayVolume(image[None]), ArrayVolume(masks.astype(np.uint8))) for image, masks in made
    ]
    facts = [
        {"classes": ",".join(str(k) for k in np.flatnonzero(masks.any((1, 2))))}
        for _, masks in made
    ]
    return [
        Case(str(n), str(n), *pixels[n % len(made)], facts=facts[n % len(made)])
        for n in range(count)
    ]


def steel(sizes: Sizes) -> Recipe:
    return load_recipe("steel", ["network.weights=none", f"task.names={NAMES}", *sizes.changes])


def network_of(recipe: Recipe, device: torch.device) -> nn.Module:
    torch.manual_seed(1)
    return lay_out(recipe.network.build(recipe.frame.inputs, recipe.task.outputs).to(device))


@contextmanager
def job_of(recipe: Recipe, cases: list[Case], device: torch.device, workers: int) -> Any:
    precision = choose("auto", device)
    with own_accelerator(device, precision) as accelerator, tempfile.TemporaryDirectory() as name:
        yield FoldContext(
            recipe=recipe,
            task=recipe.task,
            folder=Path(name),
            title="benchmark",
            cases=cases,
            held_out=[],
            normalise=NORMALISE,
            accelerator=accelerator,
            precision=precision,
            workers=workers,
            stop=Stop(),
            track=lambda row, step: None,
        )


def trained(sizes: Sizes, cases: list[Case], device: torch.device, compiled: bool) -> Any:
    """Return images per second of the epochs of lamina's own loop, and the idle share."""
    recipe = steel(sizes)
    stage, network = recipe.stages[0], network_of(recipe, device)
    workers = default_workers(device)
    with (
        job_of(recipe, cases, device, workers) as job,
        arithmetic(device, recipe.precision, deterministic=False),
    ):
        optimizer = stage.optimizer.build(network.train())
        rates = [float(group["lr"]) for group in optimizer.param_groups]
        now = StageState(stage, network, optimizer, rates, None, Position(), lambda: None, 1e9)
        now.compiled = CompiledNetwork(network, "benchmark") if compiled else None

        def epoch() -> None:
            now.position.batch = 0
            _train_epoch(job, now)
            now.position.epoch += 1

        first = seconds(epoch, device)
        seen = now.position.sums["samples"]
        times = [seconds(epoch, device) for _ in range(sizes.epochs)]
        idle = idle_share(epoch, device)
        now.loader = None
    return {
        "images_per_s": round(seen / statistics.median(times), 1),
        "first_epoch_s": round(first, 1),
        "epoch_s": [round(one, 2) for one in times],
        "idle": idle,
        "loader_processes": workers,
    }


def plain(sizes: Sizes, device: torch.device) -> dict[str, Any]:
    """Return images per second of a loop whose batches lie on the device."""
    recipe = steel(sizes)
    stage, network = recipe.stages[0], network_of(recipe, device).train()
    optimizer = stage.optimizer.build(network)
    shape = (stage.batch, recipe.frame.inputs, *recipe.frame.size)
    image = torch.randn(shape, device=device).to(memory_format=torch.channels_last)
    target = (torch.rand(stage.batch, CLASSES, *recipe.frame.size, device=device) > 0.95).float()

    def steps(count: int) -> None:
        for _ in range(count):
            with torch.autocast(device.type, torch.bfloat16):
                logits = network(image)
            functional.binary_cross_entropy_with_logits(logits.float(), target).backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

    with arithmetic(device, recipe.precision, deterministic=False):
        steps(3)
        spent = seconds(lambda: steps(sizes.steps), device)
        idle = idle_share(lambda: steps(sizes.steps), device)
    return {"images_per_s": round(sizes.steps * stage.batch / spent, 1), "idle": idle}


def forward(
    recipe: Recipe, network: nn.Module, device: torch.device, batch: int, count: int
) -> Any:
    """Return the tiles per second of the network alone, on tiles that lie on the device."""
    tiles = torch.randn((batch, recipe.frame.inputs, *recipe.tile), device=device)
    tiles = tiles.to(memory_format=torch.channels_last)

    def passes(times: int) -> None:
        with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16):
            for _ in range(times):
                network(tiles)

    network.eval()
    passes(3)
    return batch * count / seconds(lambda: passes(count), device)


def predicted(
    recipe: Recipe, volume: Volume, device: torch.device, sizes: Sizes, *, tiles: int, batch: int
) -> dict[str, Any]:
    """Return the seconds of a streamed prediction, and what the network alone takes of them."""
    precision = choose("auto", device)
    network = cast_weights(network_of(recipe, device), precision)  # as for every prediction
    member = Member(network, NORMALISE)

    def run() -> None:
        with tempfile.TemporaryDirectory() as name:
            place = Place(Path(name) / "work", Path(name) / "out.zarr", "plan")
            options: dict[str, Any] = {"device": device, "precision": precision, "batch": batch}
            stream_case(volume, [member], recipe, place=place, memory=2**31, **options)

    rate = forward(recipe, network, device, batch, sizes.steps)
    first = seconds(run, device)
    again = seconds(run, device)
    return {
        "seconds": round(again, 2),
        "first_s": round(first, 2),
        "tiles": tiles,
        "batch": batch,
        "forward_s": round(tiles / rate, 2),
        "of_forward": round(again * rate / tiles, 2),
        "pixels_per_s": round(float(np.prod(volume.shape)) / again),
        "idle": idle_share(run, device),
    }


def image(sizes: Sizes, device: torch.device, batch: int) -> dict[str, Any]:
    recipe, side = steel(sizes), sizes.image
    pixels = np.random.default_rng(0).integers(0, 256, (1, side, side), np.uint8)
    tile, overlaps = recipe.tile, recipe.predict.overlaps(2)
    steps = tuple(max(1, round(n * (1 - part))) for n, part in zip(tile, overlaps, strict=True))
    tiles = len(TileGrid((side, side), tile, steps))
    volume = ArrayVolume(pixels, name="image")
    return predicted(recipe, volume, device, sizes, tiles=tiles, batch=batch)


def volume(sizes: Sizes, device: torch.device, batch: int) -> dict[str, Any]:
    side = sizes.volume
    recipe = Recipe.model_validate(
        {
            "name": "volume",
            "task": {"kind": "binary", "names": ["x"]},
            "data": {"kind": "folder"},
            "network": {"kind": "unet", "encoder": "resnet34", "weights": "none"},
            "loss": [{"kind": "bce"}],
            "stages": [{"epochs": 1}],
            "frame": {"size": [side, side], "channels": 1, "slices": {"axes": "zyx"}},
            "predict": {"overlap": 0, "window": "constant", "views": "as_is"},
        }
    )
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "volume.zarr"
        sides = (min(64, side),) * 3
        array = zarr.create_array(path, shape=(side,) * 3, chunks=sides, dtype="uint8")
        rng = np.random.default_rng(0)
        for start in range(0, side, 64):
            thick = min(64, side - start)
            array[start : start + thick] = rng.integers(0, 256, (thick, side, side), np.uint8)
        opened = open_volume(path, "zyx")
        return predicted(recipe, opened, device, sizes, tiles=3 * side, batch=batch)


def small_images(sizes: Sizes, device: torch.device, batch: int) -> dict[str, Any]:
    """Return images/s of images of one tile each, one after another and gathered in passes."""
    recipe, precision = steel(sizes), choose("auto", device)
    member = Member(cast_weights(network_of(recipe, device), precision), NORMALISE)
    pixels = np.random.default_rng(0).integers(0, 256, (4 * batch, 1, *recipe.tile), np.uint8)
    cases = [Case(str(n), str(n), ArrayVolume(plane)) for n, plane in enumerate(pixels)]
    options: dict[str, Any] = {"device": device, "precision": precision, "batch": batch}

    def apart() -> None:
        for case in cases:
            predict_case(case, [member], recipe, **options)

    def gathered() -> None:
        predict_gathered(cases, [member], recipe, **options)

    ways = {"apart": apart, "gathered": gathered}
    times: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(6):
        for name, way in ways.items():
            spent = seconds(way, device)
            if turn:  # the first chooses kernels
                times[name].append(spent)
    rates = {name: len(cases) / statistics.median(spent) for name, spent in times.items()}
    return {
        **{f"{name}_images_per_s": round(rate, 1) for name, rate in rates.items()},
        "gain": round(rates["gathered"] / rates["apart"], 2),
        "batch": batch,
    }


def goals(rows: dict[str, Any]) -> dict[str, Any]:
    """Set each promise beside what was measured; None: it was not."""

    def of(part: str, key: str) -> float | None:
        value = rows.get(part, {}).get(key)
        return None if value is None else float(value)

    own, floor = of("training", "images_per_s"), of("plain_loop", "images_per_s")
    compiled = of("training_compiled", "images_per_s")
    values = {
        "training_of_plain": (own / floor if own and floor else None, 0.9, ">="),
        "training_idle": (of("training", "idle"), 0.05, "<="),
        "image_idle": (of("image", "idle"), 0.05, "<="),
        "volume_idle": (of("volume", "idle"), 0.05, "<="),
        "gather": (of("small_images", "gain"), 1.2, ">="),
        "compile": (compiled / own if own and compiled else None, 1.1, ">="),
    }
    return {name: promise(*value) for name, value in values.items()}


def promise(value: float | None, wanted: float, sign: str) -> dict[str, Any]:
    kept = None
    if value is not None:
        kept = value >= wanted if sign == ">=" else value <= wanted
        value = round(value, 3)
    return {"measured": value, "promised": f"{sign} {wanted}", "kept": kept}


def asked_for() -> tuple[argparse.Namespace, torch.device]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda", help="cuda, cuda:1, or cpu to try it")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that it runs")
    parser.add_argument("--minutes", type=float, default=6, help="begin no part after so many")
    parser.add_argument("--parts", nargs="+", help="only these, such as plain_loop training")
    parser.add_argument("--out", type=Path, help="where the result is written as JSON")
    parser.add_argument("--write", action="store_true", help="write it beside this script")
    asked = parser.parse_args()
    if asked.device.startswith("cuda") and not torch.cuda.is_available():
        raise RecipeError("torch sees no GPU here; add --device cpu --quick to try the script")
    device = choose_device(asked.device)
    if device.type != "cuda" and not asked.quick:
        raise RecipeError(f"--device is '{device}', which is no GPU; add --quick to try it there")
    return asked, device


def main() -> None:
    begun = time.monotonic()
    asked, device = asked_for()
    sizes = QUICK if asked.quick else FULL
    keep_memory()
    cases = strips(sizes.strips, sizes.strip)
    batch = 2 if asked.quick else 16
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "plain_loop": lambda: plain(sizes, device),
        "training": lambda: trained(sizes, cases, device, False),
        "image": lambda: image(sizes, device, batch),
        "volume": lambda: volume(sizes, device, 2 * batch),
        "small_images": lambda: small_images(sizes, device, 2 * batch),
        "training_compiled": lambda: trained(sizes, cases, device, True),
    }
    found: dict[str, Any] = {
        "machine": {
            "device": device_kind(device),
            "cores": allowed_cores(),
            "torch": torch.__version__,
            "precision": name_of(choose("auto", device)),
        }
    }
    places = [asked.out, Path(__file__).with_suffix(".json") if asked.write else None]
    for name, part in parts.items():
        if asked.parts and name not in asked.parts:
            continue
        if time.monotonic() - begun > 60 * asked.minutes:
            print(f"{name}: left out, for want of time", file=sys.stderr)
            continue
        at = time.monotonic()
        found[name] = part()
        found[name]["took_s"] = round(time.monotonic() - at, 1)
        print(name, json.dumps(found[name]), flush=True)
        if not asked.quick:
            found["promises"] = goals(found)
        for place in places:
            if place is not None:
                write_json(place, found)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    try:
        main()
    except LaminaError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
