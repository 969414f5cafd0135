"""What a slice of a volume costs where the volume lies, against pictures made of it first.

Promise    2c  no data creation; a slice at <= 1.2x of the raw memory map, and >= 8x faster than
               the PNG made of it; out of Zarr, read slab by slab, <= 1 ms per slice
Run        python benchmarks/slices.py             300 x 300 x 1259 float32, a minute, one core
Try        python benchmarks/slices.py --quick     seconds; the figures mean nothing
Keep       python benchmarks/slices.py --write     writes benchmarks/slices.json

The volume is that of the faults pipeline (FAULT-1, FAULT-3) with noise in it: the pipeline first
wrote a PNG of 8 bits for every slice of axes 0 and 1. Here the slices are read in random order from
a mapped .npy file (plainly, and as Lamina reads them for training: a plane of a volume), from the
PNG files by OpenCV, and from a copy that Lamina unpacked out of Zarr; and in order, slab by slab,
out of Zarr in chunks of 64 x 64 x 64, packed and not, as Lamina predicts. Milliseconds of CPU time
per slice, the threads of the Zarr library included; all files are in the page cache. The ways take
turns, and each figure is the median of its rounds.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.codecs import BloscCodec

from lamina.data.case import Case
from lamina.data.prepare.unpack import unpacked
from lamina.data.readers import open_volume
from lamina.files import write_json
from lamina.prediction.streaming.slabs import LoadedBox, cut, thickness
from lamina.prediction.tiling.memory import keep_memory
from lamina.volume import Plane, Volume, read_all

HERE = Path(__file__)
AXES = "zy"
Array = NDArray[np.float32]
Way = Callable[[str, int], object]


def write_files(folder: Path, shape: tuple[int, ...]) -> dict[str, float]:
    """Write the volume in every form; return the seconds that each took."""
    rng = np.random.default_rng(0)
    cube = rng.standard_normal(shape, np.float32)
    seconds = {}

    def timed(name: str, write: Callable[[], object]) -> None:
        begun = time.process_time()
        write()
        seconds[name] = round(time.process_time() - begun, 3)

    timed("npy", lambda: np.save(folder / "cube.npy", cube))
    timed("png", lambda: write_pictures(folder, cube))
    blosc = BloscCodec(cname="lz4", clevel=1, shuffle="bitshuffle")
    timed("zarr", lambda: write_zarr(folder / "plain.zarr", cube, None))
    timed("zarr_lz4", lambda: write_zarr(folder / "lz4.zarr", cube, blosc))
    return seconds


def write_pictures(folder: Path, cube: Array) -> None:
    """Write what the pipeline called data creation, of both axes."""
    low, high = cube.min(), cube.max()
    grey = ((cube - low) / (high - low) * 255).astype(np.uint8)
    for at, axis in enumerate(AXES):
        for index in range(cube.shape[at]):
            cv2.imwrite(str(folder / f"{axis}{index:04d}.png"), grey.take(index, at))


def write_zarr(path: Path, cube: Array, codec: Any) -> None:
    chunks = tuple(min(64, n) for n in cube.shape)
    array = zarr.create_array(
        path, shape=cube.shape, chunks=chunks, dtype=cube.dtype, compressors=codec
    )
    array[...] = cube


def ways(folder: Path) -> dict[str, Way]:
    """Return what reads one slice at random, by name."""
    mapped = np.load(folder / "cube.npy", mmap_mode="r")
    volume = open_volume(folder / "cube.npy")
    packed = open_volume(folder / "lz4.zarr")
    copy = unpacked([Case("a", "a", packed)], folder / "unpacked")[0].image

    return {
        "map": lambda axis, index: np.array(mapped[index] if axis == "z" else mapped[:, index]),
        "lamina": lambda axis, index: read_all(Plane(volume, axis, index)),
        "unpacked": lambda axis, index: read_all(Plane(copy, axis, index)),
        "png": lambda axis, index: cv2.imread(
            str(folder / f"{axis}{index:04d}.png"), cv2.IMREAD_GRAYSCALE
        ),
    }


def at_random(
    found: dict[str, Way], shape: tuple[int, ...], slices: int, rounds: int
) -> dict[str, dict[str, float]]:
    """Return the milliseconds of a slice by way and axis; the ways take turns."""
    rng, times = np.random.default_rng(1), dict[tuple[str, str], list[float]]()
    for _ in range(rounds + 1):
        for at, axis in enumerate(AXES):
            places = rng.integers(0, shape[at], slices).tolist()
            for name, way in found.items():
                begun = time.process_time()
                for index in places:
                    way(axis, index)
                each = (time.process_time() - begun) * 1000 / slices
                times.setdefault((name, axis), []).append(each)
    return {
        name: {axis: round(statistics.median(times[name, axis][1:]), 4) for axis in AXES}
        for name in found
    }


def slab_by_slab(volume: Volume) -> dict[str, float]:
    """Return the milliseconds of a slice where all are read in order, a slab at a time."""
    found = {}
    for axis in AXES:
        begun, count = time.process_time(), 0
        for slab in cut(volume, axis, thickness(volume, axis, outputs=1)):
            held = LoadedBox.of(volume, slab, context=0)
            for index in range(slab.start, slab.stop):
                read_all(Plane(held, axis, index))
                count += 1
        found[axis] = (time.process_time() - begun) * 1000 / count
    return found


def in_order(folder: Path, rounds: int) -> dict[str, dict[str, float]]:
    """Return the milliseconds of a slice out of Zarr, packed and not."""
    stores = {name: open_volume(folder / f"{name}.zarr") for name in ("plain", "lz4")}
    times: dict[str, list[dict[str, float]]] = {name: [] for name in stores}
    for _ in range(rounds + 1):
        for name, volume in stores.items():
            times[name].append(slab_by_slab(volume))
    return {
        f"zarr_{name}": {
            axis: round(statistics.median(one[axis] for one in found[1:]), 4) for axis in AXES
        }
        for name, found in times.items()
    }


def goals(found: dict[str, dict[str, float]]) -> dict[str, dict[str, Any]]:
    """Set each promise beside what was measured, on the axis where it is worst."""

    def worst(over: str, under: str) -> float:
        return round(max(found[over][axis] / found[under][axis] for axis in AXES), 3)

    rows = {
        "2c_of_the_map": (worst("lamina", "map"), 1.2),
        "2c_of_png": (worst("lamina", "png"), 1 / 8),
        "2c_zarr_ms": (max(found["zarr_plain"].values()), 1.0),
    }
    return {
        name: {"measured": value, "promised": most, "kept": value <= most}
        for name, (value, most) in rows.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that it runs")
    parser.add_argument("--write", action="store_true", help="write the result beside this file")
    asked = parser.parse_args()
    cv2.setNumThreads(1)
    keep_memory()  # as all commands of Lamina do
    shape = (40, 40, 120) if asked.quick else (300, 300, 1259)
    slices, rounds = (10, 2) if asked.quick else (60, 9)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        seconds = write_files(folder, shape)
        found = at_random(ways(folder), shape, slices, rounds)
        found |= in_order(folder, max(rounds // 3, 1))
    result = {
        "shape": shape,
        "mib": round(math.prod(shape) * 4 / 2**20),
        "ms_per_slice": found,
        "seconds_to_write": seconds,
        "promises": goals(found),
        "machine": {
            "processor": platform.processor() or platform.machine(),
            "threads": 1,
            "numpy": np.__version__,
            "opencv": cv2.__version__,
            "zarr": zarr.__version__,
        },
    }
    print(json.dumps(result, indent=1))
    if asked.write:
        write_json(HERE.with_suffix(".json"), result)


if __name__ == "__main__":
    main()
