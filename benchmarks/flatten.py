"""How fast layers are moved along their depth, against scipy with a compiled callback and others.

Promise    65 x 2000 x 2000 uint16: >= 250 million voxels a second on one core, >= 20 times
           scipy.ndimage.geometric_transform with a callback in machine code (LowLevelCallable of a
           numba cfunc), which is how the published pipeline does it; numbers equal to float64
           but for rounding; a stack is written aligned within the memory of a block of rows
Beside     map_coordinates, numpy, torch (gather and grid_sample), a plain copy; slow ones move the
           first rows of the stack alone. Shifts of 1000 tiles against scipy's least_squares
Run        python benchmarks/flatten.py            about a minute, one core, 1.3 GB
           python benchmarks/flatten.py --quick    tiny sizes, to see that it runs
Keep       python benchmarks/flatten.py --write    writes benchmarks/flatten.json
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"  # before NumPy starts its threads

import numba
import numpy as np
import torch
from numba import types
from numpy.typing import NDArray
from scipy import LowLevelCallable
from scipy.ndimage import geometric_transform, map_coordinates
from scipy.optimize import least_squares

from lamina.data.flatten import Flattened, Maps
from lamina.data.readers import open_volume
from lamina.files import write_json
from lamina.geometry.depth.fit import Target, fit_shift, fit_shift_and_scale
from lamina.geometry.depth.shift import move_layers
from lamina.geometry.region import Region
from lamina.outputs.write_layers import write_layers
from lamina.prediction.tiling.memory import keep_memory
from lamina.volume import Crop

HERE = Path(__file__)
ROUNDS = 5
LAYERS = 65
Stack = NDArray[np.uint16]
Map = NDArray[np.float32]
Way = Callable[[Stack, Map, Map], Any]


def stack_of(rows: int, columns: int) -> Stack:
    """Return a sheet with grain in 65 layers."""
    chance = np.random.default_rng(7)
    y, x = np.mgrid[:rows, :columns]
    middle = 32 + 5 * np.sin(x / 350) * np.cos(y / 290)
    out = np.empty((LAYERS, rows, columns), np.uint16)
    for z in range(LAYERS):
        hill = np.exp(-(((z - middle) / 8) ** 2))
        out[z] = 20000 + 25000 * hill + chance.integers(0, 6000, (rows, columns), np.uint16)
    return out


def maps_of(rows: int, columns: int) -> tuple[Map, Map]:
    """Return smooth maps as fitting gives them: tiles of 512 pixels, one scale."""
    y, x = np.mgrid[:rows, :columns]
    shift = 4 - 5 * np.sin(x / 350) * np.cos(y / 290)
    return shift.astype(np.float32), np.full((rows, columns), 0.8, np.float32)


def lamina(stack: Stack, shift: Map, scale: Map) -> Any:
    return move_layers(stack, shift, scale, 0, len(stack))


@numba.cfunc(
    types.intc(
        types.CPointer(types.intp),
        types.CPointer(types.double),
        types.intc,
        types.intc,
        types.voidptr,
    )
)
def _callback(out: Any, place: Any, out_rank: Any, rank: Any, data: Any) -> Any:
    """Where an output voxel reads: user data are [columns, rows, shift..., scale...]."""
    size = numba.carray(data, (2,), np.float32)
    columns, rows = np.intp(size[0]), np.intp(size[1])
    maps = numba.carray(data, (2 + 2 * rows * columns,), np.float32)
    at = out[1] * columns + out[2]
    place[0] = (out[0] - maps[2 + at]) / maps[2 + rows * columns + at]
    place[1] = out[1]
    place[2] = out[2]
    return 1


def scipy_callback(stack: Stack, shift: Map, scale: Map) -> Any:
    rows, columns = shift.shape
    data = np.concatenate([[columns, rows], shift.ravel(), scale.ravel()]).astype(np.float32)
    pointer = ctypes.c_void_p(data.ctypes.data)
    return geometric_transform(
        stack,
        LowLevelCallable(_callback.ctypes, pointer),
        order=1,
        mode="constant",
        cval=0,
        prefilter=False,
    )


def scipy_python(stack: Stack, shift: Map, scale: Map) -> Any:
    def where(at: tuple[int, int, int]) -> tuple[float, int, int]:
        z, y, x = at
        return (z - shift[y, x]) / scale[y, x], y, x

    return geometric_transform(stack, where, order=1, mode="constant", cval=0, prefilter=False)


def scipy_coordinates(stack: Stack, shift: Map, scale: Map) -> Any:
    z, y, x = np.indices(stack.shape, np.float32)
    return map_coordinates(stack, [(z - shift) / scale, y, x], order=1, cval=0, prefilter=False)


def numpy_gather(stack: Stack, shift: Map, scale: Map) -> Any:
    depth = len(stack)
    place = (np.arange(depth, dtype=np.float32)[:, None, None] - shift) / scale
    low = np.floor(place).clip(0, depth - 2).astype(np.intp)
    a = np.take_along_axis(stack, low, 0).astype(np.float32)
    b = np.take_along_axis(stack, low + 1, 0).astype(np.float32)
    found = a + (place - low) * (b - a) + np.float32(0.5)
    return np.where((place >= 0) & (place <= depth - 1), found, 0).astype(np.uint16)


def torch_gather(stack: Stack, shift: Map, scale: Map) -> Any:
    depth = len(stack)
    layers = torch.from_numpy(stack.astype(np.float32))
    z = torch.arange(depth, dtype=torch.float32)[:, None, None]
    place = (z - torch.from_numpy(shift)) / torch.from_numpy(scale)
    low = place.floor().clamp(0, depth - 2).long()
    found = torch.lerp(layers.gather(0, low), layers.gather(0, low + 1), place - low)
    inside = (place >= 0) & (place <= depth - 1)
    return (found * inside + 0.5).to(torch.int32).numpy().astype(np.uint16)


def torch_grid(stack: Stack, shift: Map, scale: Map) -> Any:
    depth, rows, columns = stack.shape
    layers = torch.from_numpy(stack.astype(np.float32))[None, None]
    z, y, x = torch.meshgrid(
        *(torch.arange(n, dtype=torch.float32) for n in stack.shape), indexing="ij"
    )
    place = (z - torch.from_numpy(shift)) / torch.from_numpy(scale)
    sides = ((x, columns), (y, rows), (place, depth))
    grid = torch.stack([2 * at / max(n - 1, 1) - 1 for at, n in sides], -1)
    found = torch.nn.functional.grid_sample(layers, grid[None], align_corners=True)
    return (found[0, 0] + 0.5).to(torch.int32).numpy().astype(np.uint16)


def copy(stack: Stack, shift: Map, scale: Map) -> Any:
    return stack.copy()


# Rows that a way moves: slow ones take a part, and are no slower for it.
WAYS: dict[str, tuple[Way, int]] = {
    "lamina": (lamina, 1 << 30),
    "scipy_callback": (scipy_callback, 40),
    "scipy_python": (scipy_python, 2),
    "scipy_coordinates": (scipy_coordinates, 40),
    "numpy": (numpy_gather, 100),
    "torch_gather": (torch_gather, 100),
    "torch_grid_sample": (torch_grid, 40),
    "copy": (copy, 1 << 30),
}


def speeds(stack: Stack, rounds: int) -> dict[str, dict[str, float]]:
    """Return voxels a second of CPU time; rounds alternate, so all meet the same noise."""
    shift, scale = maps_of(*stack.shape[1:])
    parts = {}
    for name, (_, rows) in WAYS.items():
        cut = slice(0, min(rows, stack.shape[1]))
        parts[name] = tuple(np.ascontiguousarray(one[..., cut, :]) for one in (stack, shift, scale))
    seconds: dict[str, list[float]] = {name: [] for name in WAYS}
    for turn in range(rounds + 1):
        for name, (way, _) in WAYS.items():
            begun = time.thread_time()
            way(*parts[name])
            if turn:  # the first round warms up
                seconds[name].append(time.thread_time() - begun)
    found = {}
    for name, took in seconds.items():
        voxels = parts[name][0].size / 1e6
        found[name] = {
            "mvoxels_per_second": round(voxels / statistics.median(took), 1),
            "best": round(voxels / min(took), 1),
            "rows": parts[name][0].shape[1],
        }
    return found


def errors(stack: Stack) -> dict[str, float]:
    """Return the largest difference of each way from float64, in grey levels, away from the ends.

    The last layer of a stack that ends where a place ends may be 0 or not by rounding.
    """
    part = np.ascontiguousarray(stack[:, :2])
    shift, scale = maps_of(*part.shape[1:])
    place = (np.arange(LAYERS)[:, None, None] - shift.astype(np.float64)) / scale
    low = np.floor(place).clip(0, LAYERS - 2).astype(np.intp)
    a, b = (np.take_along_axis(part, low + k, 0).astype(np.float64) for k in (0, 1))
    exact = a + (place - low) * (b - a)
    inner = (place > 1e-3) & (place < LAYERS - 1 - 1e-3)
    return {
        name: round(float(np.abs(way(part, shift, scale) - exact)[inner].max()), 3)
        for name, (way, _) in WAYS.items()
        if name != "copy"
    }


def fits(tiles: int) -> dict[str, Any]:
    """Return milliseconds a tile for fitting, against scipy's bounded trust region."""
    chance = np.random.default_rng(3)
    z = np.arange(LAYERS, dtype=np.float64)
    true = chance.uniform(-8, 8, tiles)
    curves = np.exp(-(((z - 32 + true[:, None]) / 8) ** 2)) + chance.normal(
        0, 0.01, (tiles, LAYERS)
    )
    target = Target(np.exp(-(((z[17:48] - 32) / 8) ** 2)), 17)

    def clock(work: Callable[[], Any]) -> tuple[float, Any]:
        begun = time.thread_time()
        done = work()
        return time.thread_time() - begun, done

    def one(curve: NDArray[np.float64], both: bool) -> Any:
        def off(p: NDArray[np.float64]) -> NDArray[np.float64]:
            scale = p[1] if both else 1.0
            place = (target.layers - 30 * p[0]) / scale
            return np.asarray(np.interp(place, z, curve) - target.values)

        bounds = ([-1, 0.1], [1, 10]) if both else ([-1], [1])
        return least_squares(off, [0, 1] if both else [0], bounds=bounds, method="trf").x

    some = min(tiles, 30)
    found: dict[str, Any] = {"tiles": tiles}
    for name, both in (("shift", False), ("shift_and_scale", True)):
        ours, fitted = clock(
            lambda both=both: (
                fit_shift_and_scale(curves, target, 30, (0.1, 10))
                if both
                else fit_shift(curves, target, 30)
            )
        )
        theirs, _ = clock(lambda both=both: [one(curve, both) for curve in curves[:some]])
        shifts = fitted[0] if both else fitted
        found[name] = {
            "ms_a_tile": round(1e3 * ours / tiles, 4),
            "scipy_ms_a_tile": round(1e3 * theirs / some, 3),
            "times": round(theirs / some / (ours / tiles), 1),
            "error_layers": round(float(np.median(np.abs(shifts - true))), 4),
        }
    return found


def peaks(folder: Path, heights: tuple[int, ...], columns: int) -> dict[str, dict[str, float]]:
    """Return what a process takes, in MiB, that writes an aligned stack of each height."""
    found = {}
    for rows in heights:
        path = folder / f"{rows}.npy"
        np.save(path, stack_of(rows, columns))
        done = subprocess.run(
            [sys.executable, str(HERE), "--worker", str(path), str(folder / f"{rows}")],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(done.stderr)
        found[str(rows)] = json.loads(done.stdout.splitlines()[-1])
        path.unlink()
    return found


def work(source: Path, out: Path) -> None:
    """Be a process that writes one aligned stack, and say what it took."""
    keep_memory()
    volume = open_volume(source, "zyx")
    _, rows, columns = volume.shape
    middles = np.arange(0, rows, 256.0), np.arange(0, columns, 256.0)
    y, x = np.meshgrid(*middles, indexing="ij")
    shift = (5 * np.sin(x / 350) * np.cos(y / 290)).astype(np.float32)
    aligned = Flattened(volume, [Maps(shift, np.full_like(shift, 0.8), *middles)])
    small = Crop(aligned, Region((0, 0, 0), (LAYERS, 8, columns)))
    write_layers(small, out.with_name(f"{out.name}-small"), (0, 2))  # load what is needed
    gc.collect()
    peak = Peak()
    cpu, wall = time.process_time(), time.perf_counter()
    with peak:
        write_layers(aligned, out, (0, LAYERS))
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    found = {
        "peak_mib": round(peak.bytes / 2**20, 1),
        "mvoxels_per_second": round(LAYERS * rows * columns / 1e6 / cpu, 1),
        "wall_seconds": round(wall, 2),
    }
    print(json.dumps(found), flush=True)


class Peak:
    """The most memory taken while the block lasts, beyond what there was, mapped files left out."""

    def __enter__(self) -> None:
        self.bytes, self._before, self._done = 0, _anonymous(), threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(0.002):
            self.bytes = max(self.bytes, _anonymous() - self._before)


def _anonymous() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise SystemExit("no RssAnon in /proc/self/status")


def promises(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Set each promise beside what was measured."""
    ways = found["speed"]
    ours, theirs = (ways[name]["mvoxels_per_second"] for name in ("lamina", "scipy_callback"))
    peaks = [one["peak_mib"] for one in found["written"].values()]
    rows: dict[str, tuple[float, float, bool]] = {
        "mvoxels_per_second": (ours, 250, ours >= 250),
        "times_scipy_callback": (round(ours / theirs, 1), 20, ours >= 20 * theirs),
        "error_grey_levels": (found["error"]["lamina"], 0.72, found["error"]["lamina"] <= 0.72),
        "growth_of_memory_with_rows": (
            round(peaks[-1] / peaks[0], 2),
            1.15,
            peaks[-1] <= 1.15 * peaks[0],
        ),
    }
    return {
        name: {"measured": measured, "promised": promised, "kept": kept}
        for name, (measured, promised, kept) in rows.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that it runs")
    parser.add_argument("--write", action="store_true", help="keep the result beside this script")
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.worker:
        work(*map(Path, asked.worker))
        return
    torch.set_num_threads(1)
    keep_memory()  # as every verb does; or the system's fresh pages would be measured
    side = 200 if asked.quick else 2000
    stack = stack_of(side, side)
    found: dict[str, Any] = {
        "stack": list(stack.shape),
        "rounds": ROUNDS,
        "speed": speeds(stack, 1 if asked.quick else ROUNDS),
        "error": errors(stack),
    }
    del stack
    found["fit"] = fits(40 if asked.quick else 1000)
    with tempfile.TemporaryDirectory() as name:
        heights = (100, 200) if asked.quick else (600, 1200)
        found["written"] = peaks(Path(name), heights, side)
    found["promises"] = promises(found)
    found["machine"] = {
        "processor": platform.processor() or platform.machine(),
        "threads": 1,
        **{name: importlib.metadata.version(name) for name in ("numpy", "numba", "scipy", "torch")},
    }
    print(json.dumps(found, indent=1))
    if asked.write:
        write_json(HERE.with_suffix(".json"), found)


if __name__ == "__main__":
    main()
