"""What predicting a volume along three axes costs beside the network, in time and in memory.

Promise    2a  peak memory, streamed: does not grow with depth; 512 x 512 x 512 <= 300 MiB
           2b  one convolution, streamed from Zarr to Zarr: total <= 1.5 of the pure forward of
               the same slices; in memory <= 1.15 (the ratios depend on how fast one convolution
               is, and are for 512 x 512 x 512; smaller slices cost more beside the network)
Run        python benchmarks/volume.py             256 x 256 x 256, about 2 minutes, one core
Big        python benchmarks/volume.py --big       512 x 512 x 512 as well, and depths up to
           2048 x 512 x 512, about 15 minutes and 5 GB of disk
Try        python benchmarks/volume.py --quick     seconds; the figures mean nothing
Pairs      python benchmarks/volume.py --pairs     both beside the forward in turns in one process,
           three times; with --big 512 x 512 x 512. It is what tells 2b on a machine that is busy
Keep       python benchmarks/volume.py --write     writes benchmarks/volume.json; with --pairs only
           their part of it

A volume of uint8 in chunks of 64 x 64 x 64 is predicted slice by slice along z, y and x, as it is
and flipped, and the answers are averaged (FAULT-14 without its networks). Every way runs once in
a process of its own, since the most memory a process ever held is what is measured. Seconds are
of CPU time on one thread, the threads of the Zarr library included; ``wall`` has the waits for
the disk as well. MONAI takes part where it is installed (``pip install lamina[bench]``).
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import zarr
from numpy.typing import NDArray
from torch import nn

from lamina.data.network_input.normalise import Fixed
from lamina.data.readers import open_volume
from lamina.files import write_json
from lamina.prediction.engine import Member, Place, predict_case, stream_case
from lamina.prediction.tiling.memory import keep_memory
from lamina.recipe.recipe import Recipe
from lamina.volume import ArrayVolume

HERE = Path(__file__)
Array = NDArray[np.float32]
Shape = tuple[int, ...]


def network() -> nn.Module:
    """Return one convolution with the same weights every time."""
    torch.manual_seed(0)
    return nn.Conv2d(1, 1, 3, padding=1).eval()


def write_volume(path: Path, shape: Shape) -> None:
    array = zarr.create_array(path, shape=shape, chunks=(64, 64, 64), dtype="uint8")
    rng = np.random.default_rng(0)
    for start in range(0, shape[0], 64):
        part = rng.integers(0, 256, (min(64, shape[0] - start), *shape[1:]), np.uint8)
        array[start : start + 64] = part


def recipe(shape: Shape) -> Recipe:
    # Slices of any depth have the eight tiles at least that one forward pass takes.
    side = min(-(-max(shape) // 32) * 32, 256)
    return Recipe.model_validate(
        {
            "name": "volume",
            "task": {"kind": "restore", "names": ["x"]},
            "data": {"kind": "folder"},
            "network": {"kind": "unet"},
            "loss": [{"kind": "mse"}],
            "stages": [{"epochs": 1}],
            "frame": {"size": [side, side], "slices": {"axes": "zyx"}},
            "predict": {"views": "flip_x", "overlap": 0, "window": "constant"},
        }
    )


def forward(source: Path, out: Path, shape: Shape) -> None:
    """The floor: cut each slice out of the volume in memory, pass it both ways, drop the answer."""
    voxels = np.asarray(zarr.open_array(source, mode="r")[...])
    net = network().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    with torch.inference_mode():
        for at in range(3):
            for plane in np.moveaxis(voxels, at, 0):
                x = torch.from_numpy(plane.astype(np.float32, order="C"))[None, None]
                net(x)
                net(x.flip(3))


def member() -> Member:
    net = network().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Member(net, Fixed(scale=255.0))


def exact_tiles(wanted: Recipe, shape: Shape) -> Recipe:
    """Return the recipe with tiles as large as the slices, so that nothing is padded."""
    if len(set(shape)) != 1:
        return wanted
    predict = wanted.predict.model_copy(update={"tile": shape[:2]})
    return wanted.model_copy(update={"predict": predict})


def streamed(source: Path, out: Path, shape: Shape) -> None:
    stream_case(
        open_volume(source, "zyx"),
        [member()],
        exact_tiles(recipe(shape), shape),
        place=Place(out / "work", out / "out.zarr", "plan"),
        device=torch.device("cpu"),
    )


def in_memory(source: Path, out: Path, shape: Shape) -> Array:
    whole = ArrayVolume(np.asarray(zarr.open_array(source, mode="r")[...])[None], "zyx")
    wanted = exact_tiles(recipe(shape), shape)
    return predict_case(whole, [member()], wanted, device=torch.device("cpu"))


def naive(source: Path, out: Path, shape: Shape) -> Array:
    """The loop of the notebooks: a stack of answers for each axis, then their mean."""
    voxels = np.asarray(zarr.open_array(source, mode="r")[...]).astype(np.float32) / 255
    net, stacks = network(), []
    with torch.inference_mode():
        for at in range(3):
            answers = []
            for plane in np.moveaxis(voxels, at, 0):
                x = torch.from_numpy(np.ascontiguousarray(plane))[None, None]
                answers.append(((net(x) + net(x.flip(3)).flip(3)) / 2)[0, 0].numpy())
            stacks.append(np.moveaxis(np.stack(answers), 0, at))
    return np.asarray(np.mean(stacks, axis=0))


def monai(source: Path, out: Path, shape: Shape) -> Array:
    from monai.inferers import SliceInferer

    voxels = np.asarray(zarr.open_array(source, mode="r")[...]).astype(np.float32) / 255
    x, net, total = torch.from_numpy(voxels)[None, None], network(), torch.zeros(1, 1, *shape)

    def both(tiles: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = (net(tiles) + net(tiles.flip(3)).flip(3)) / 2
        return found

    with torch.inference_mode():
        for at in range(3):
            size = shape[:at] + shape[at + 1 :]
            inferer = SliceInferer(roi_size=size, sw_batch_size=4, spatial_dim=at, overlap=0)
            total += inferer(x, both)  # type: ignore[arg-type,operator]
    return (total / 3).numpy()


WAYS: dict[str, Callable[[Path, Path, Shape], object]] = {
    "forward": forward,
    "streamed": streamed,
    "in_memory": in_memory,
    "naive": naive,
    "monai": monai,
}


def work(asked: dict[str, Any]) -> None:
    """Be one way: run once and answer with seconds and bytes."""
    torch.set_num_threads(1)
    keep_memory()
    run, source, shape = WAYS[asked["way"]], Path(asked["source"]), tuple(asked["shape"])
    with tempfile.TemporaryDirectory(dir=source.parent) as name:
        write_volume(Path(name) / "small.zarr", (8, 8, 8))
        (Path(name) / "first").mkdir()
        run(Path(name) / "small.zarr", Path(name) / "first", (8, 8, 8))  # load what is needed
        before = _status("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # forget the high-water mark
        cpu, wall = time.process_time(), time.perf_counter()
        run(source, Path(name), shape)
        found = {
            "seconds": round(time.process_time() - cpu, 3),
            "wall": round(time.perf_counter() - wall, 3),
            "peak_mib": round((_status("VmHWM") - before) / 2**20, 1),
        }
    print(json.dumps(found), flush=True)


def pairs(folder: Path, shape: Shape, rounds: int = 3) -> dict[str, Any]:
    """Return CPU seconds of the forward, and of both ways over it, in turns in this process."""
    torch.set_num_threads(1)
    keep_memory()
    for name, sides in (("small", (8, 8, 8)), ("whole", shape)):
        write_volume(folder / f"{name}.zarr", sides)
    ways = ("forward", "streamed", "in_memory")
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for turn in range(rounds + 1):  # the first loads what is needed
        for way in ways:
            source = folder / ("whole.zarr" if turn else "small.zarr")
            with tempfile.TemporaryDirectory(dir=folder) as out:
                begun = time.process_time()
                WAYS[way](source, Path(out), shape if turn else (8, 8, 8))
                if turn:
                    seconds[way].append(time.process_time() - begun)
    floor = seconds["forward"]
    ratios = {
        way: [a / b for a, b in zip(seconds[way], floor, strict=True)]
        for way in ("streamed", "in_memory")
    }
    return {
        "forward_seconds": round(statistics.median(floor), 2),
        **{way: round(statistics.median(each), 2) for way, each in ratios.items()},
        "rounds": {way: [round(one, 2) for one in each] for way, each in ratios.items()},
        "load": [round(one, 1) for one in os.getloadavg()],
    }


def _status(key: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) * 1024
    raise SystemExit(f"no {key} in /proc/self/status")


def measure(way: str, source: Path, shape: Shape) -> dict[str, Any]:
    asked = json.dumps({"way": way, "source": str(source), "shape": shape})
    done = subprocess.run(
        [sys.executable, str(HERE), "--worker", asked],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    if done.returncode:
        raise SystemExit(f"{way}: {done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def compare(folder: Path, shape: Shape) -> dict[str, Any]:
    """Return seconds and peak of every way for one volume."""
    source = folder / f"{'x'.join(map(str, shape))}.zarr"
    write_volume(source, shape)
    names = [name for name in WAYS if name != "monai" or importlib.util.find_spec("monai")]
    found = {name: measure(name, source, shape) for name in names}
    for row in found.values():
        row["of_forward"] = round(row["seconds"] / found["forward"]["seconds"], 2)
    return found


def depths(folder: Path, shapes: list[Shape]) -> dict[str, float]:
    """Return the peak of streaming, in MiB, by depth."""
    found = {}
    for shape in shapes:
        source = folder / f"depth{shape[0]}.zarr"
        write_volume(source, shape)
        found[str(shape[0])] = measure("streamed", source, shape)["peak_mib"]
    return found


def goals(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Set each promise beside what was measured."""
    peaks = list(found["depth"].values())
    rows = {"2a_growth_with_depth": (round(peaks[-1] / peaks[0], 2), 1.15)}
    big = found.get("512x512x512")
    if big is not None:
        rows["2a_mib"] = (big["streamed"]["peak_mib"], 300)
        rows["2b_streamed"] = (big["streamed"]["of_forward"], 1.5)
        rows["2b_in_memory"] = (big["in_memory"]["of_forward"], 1.15)
    return {
        name: {"measured": value, "promised": most, "kept": value <= most}
        for name, (value, most) in rows.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that it runs")
    parser.add_argument("--big", action="store_true", help="512 x 512 x 512 as well")
    parser.add_argument("--write", action="store_true", help="write the result beside this file")
    parser.add_argument("--pairs", action="store_true", help="ratios of one process alone")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.worker:
        work(json.loads(asked.worker))
        return
    if asked.pairs:
        side = 64 if asked.quick else 512 if asked.big else 256
        with tempfile.TemporaryDirectory() as name:
            row = {f"{side}x{side}x{side}": pairs(Path(name), (side, side, side))}
        print(json.dumps(row, indent=1))
        if asked.write:
            kept = json.loads(HERE.with_suffix(".json").read_text(encoding="utf-8"))
            kept["pairs"] = {**kept.get("pairs", {}), **row}
            write_json(HERE.with_suffix(".json"), kept)
        return
    sizes = [64] if asked.quick else [256, 512] if asked.big else [256]
    side = 32 if asked.quick else 512 if asked.big else 128
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        for size in sizes:
            found[f"{size}x{size}x{size}"] = compare(Path(name), (size, size, size))
        found["depth"] = depths(Path(name), [(n, side, side) for n in (2 * side, 4 * side)])
    found["promises"] = goals(found)
    found["machine"] = {
        "processor": platform.processor() or platform.machine(),
        "threads": 1,
        "torch": torch.__version__,
        "zarr": zarr.__version__,
    }
    print(json.dumps(found, indent=1))
    if asked.write:
        write_json(HERE.with_suffix(".json"), found)


if __name__ == "__main__":
    main()
