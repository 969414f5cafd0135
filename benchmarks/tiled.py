"""What tiling an image costs beside the network itself, in time and in memory.

Promise    1a  a real U-Net: total <= 1.02 of the pure forward of the same tiles
           1b  one convolution, 2048 x 2048: total <= 1.25 of the pure forward, or what is not
               the forward <= 0.22 ms per tile (the ratio depends on how fast one convolution is)
           1c  a real U-Net, float32: total <= 0.60 of MONAI at its defaults
           1d  the same in bfloat16, where the processor is fast at it: <= 0.30
           1e  peak memory above the loaded image: <= 5 bytes per pixel and class
           1f  a network that changes nothing gives the image back to 5e-7, at every size
Run        python benchmarks/tiled.py              about 3 minutes, one core
Try        python benchmarks/tiled.py --quick      under a minute; the figures mean nothing
Keep       python benchmarks/tiled.py --write      writes benchmarks/tiled.json

Every way runs in a process of its own, since keeping memory is a setting of the process; the
processes take turns round by round. Seconds are of CPU time, on one thread. MONAI takes part
where it is installed (``pip install lamina[bench]``).
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
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from lamina.data.network_input.frame import Frame
from lamina.data.network_input.normalise import Fixed
from lamina.files import write_json
from lamina.prediction.engine import Member, predict_image
from lamina.prediction.tiling.memory import keep_memory
from lamina.prediction.tiling.precision import fast_on_cpu
from lamina.recipe.recipe import Predict
from lamina.task import Task
from lamina.volume import ArrayVolume

TILE, STEP = 384, 192
HERE = Path(__file__)
Array = NDArray[np.float32]


def network(model: str) -> nn.Module:
    """Return the model of that name, 1 channel in and out, with the same weights every time."""
    torch.manual_seed(0)
    if model == "identity":
        return nn.Identity()
    if model == "conv":
        return nn.Conv2d(1, 1, 3, padding=1).eval()
    import segmentation_models_pytorch as smp

    return smp.Unet(  # type: ignore[no-any-return]
        "tu-mobilenetv3_small_100",
        encoder_weights=None,
        in_channels=1,
        classes=1,
        decoder_channels=(64, 32, 16, 16, 8),
    ).eval()


def image(size: int) -> Array:
    return np.random.default_rng(0).random((1, size, size), np.float32)


def starts(size: int) -> list[int]:
    return [*range(0, max(size - TILE, 0), STEP), max(size - TILE, 0)]


def batches(pixels: Array, batch: int) -> list[torch.Tensor]:
    """Return all tiles of the image, cut out and stacked, the last batch filled up."""
    corners = [(r, c) for r in starts(pixels.shape[1]) for c in starts(pixels.shape[2])]
    corners += corners[: -len(corners) % batch]
    tiles = torch.from_numpy(np.stack([pixels[:, r : r + TILE, c : c + TILE] for r, c in corners]))
    return [one.to(memory_format=torch.channels_last) for one in tiles.split(batch)]


def forward(tiles: list[torch.Tensor], net: nn.Module, way: dict[str, Any]) -> None:
    """The floor: pass the tiles, which lie ready, and do nothing with the answers."""
    precision = torch.bfloat16 if way.get("bfloat16") else None
    with torch.inference_mode(), torch.autocast("cpu", precision, enabled=precision is not None):
        for stack in tiles:
            net(stack)


def lamina(pixels: Array, net: nn.Module, way: dict[str, Any]) -> Array:
    return predict_image(
        ArrayVolume(pixels),
        [Member(net, Fixed(scale=1.0))],
        Frame(channels=1),
        Task(kind="restore", names=("x",)),
        Predict(overlap=0.5, window=way.get("window", "gaussian")),
        tile=(TILE, TILE),
        device=torch.device("cpu"),
        precision=torch.bfloat16 if way.get("bfloat16") else None,
        batch=way["batch"],
    )


def monai(pixels: Array, net: nn.Module, way: dict[str, Any]) -> Array:
    from monai.inferers import sliding_window_inference

    with torch.inference_mode():
        found = sliding_window_inference(
            torch.from_numpy(pixels)[None],
            (TILE, TILE),
            way["batch"],
            net,
            overlap=0.5,
            mode=way.get("window", "gaussian"),
        )
    return found[0].numpy()  # type: ignore[union-attr,no-any-return]


def notebook(pixels: Array, net: nn.Module, way: dict[str, Any]) -> Array:
    """The loop of the competitions' notebooks: a sum and a weight map in float64."""
    x = np.exp(-((8 * (np.arange(TILE) - (TILE - 1) / 2) / TILE) ** 2) / 2)
    window = np.outer(x, x) if way.get("window") != "constant" else np.ones((TILE, TILE))
    total, weight = np.zeros(pixels.shape), np.zeros(pixels.shape)
    corners = [(r, c) for r in starts(pixels.shape[1]) for c in starts(pixels.shape[2])]
    for first in range(0, len(corners), way["batch"]):
        part = corners[first : first + way["batch"]]
        stack = np.stack([pixels[:, r : r + TILE, c : c + TILE] for r, c in part])
        with torch.inference_mode():
            answers = net(torch.from_numpy(stack)).numpy()
        for (r, c), answer in zip(part, answers, strict=True):
            total[:, r : r + TILE, c : c + TILE] += answer * window
            weight[:, r : r + TILE, c : c + TILE] += window
    return (total / weight).astype(np.float32)


WAYS: dict[str, Callable[[Any, nn.Module, dict[str, Any]], Any]] = {
    "forward": forward,
    "lamina": lamina,
    "monai": monai,
    "notebook": notebook,
}


def work(way: dict[str, Any]) -> None:
    """Be one way: run once for every line that comes in, and answer with CPU seconds."""
    torch.set_num_threads(1)
    if way["keep"]:
        keep_memory()
    pixels, net = image(way["size"]), network(way["model"])
    if way.get("channels_last"):
        net = net.to(memory_format=torch.channels_last)
    run = WAYS[way["name"]]
    if way.get("memory"):
        run(image(TILE + STEP), net, way)
        print(peak_above(lambda: run(pixels, net, way)), flush=True)
        return
    ready: Any = batches(pixels, way["batch"]) if run is forward else pixels
    run(ready, net, way)  # load, compile, take memory
    for _ in sys.stdin:
        begun = time.process_time()
        run(ready, net, way)
        print(time.process_time() - begun, flush=True)


def peak_above(run: Callable[[], object]) -> int:
    """Return by how many bytes ``run`` raises the most memory this process holds (Linux)."""
    before = _status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # forget the high-water mark
    run()
    return _status("VmHWM") - before


def _status(key: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) * 1024
    raise SystemExit(f"no {key} in /proc/self/status")


def child(way: dict[str, Any]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(HERE), "--worker", json.dumps(way)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def take_turns(ways: dict[str, dict[str, Any]], rounds: int) -> dict[str, float]:
    """Return the median seconds of each way over interleaved rounds."""
    children = {name: child(way) for name, way in ways.items()}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, process in children.items():
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write("\n")
            process.stdin.flush()
            line = process.stdout.readline()
            if not line:
                raise SystemExit(f"{name}: its process died")
            seconds[name].append(float(line))
    for process in children.values():
        process.communicate()
    return {name: statistics.median(values) for name, values in seconds.items()}


def table(times: dict[str, float], floor: str) -> dict[str, Any]:
    return {
        name: {"seconds": round(value, 4), "of_forward": round(value / times[floor], 3)}
        for name, value in times.items()
    }


def time_all(sizes: dict[str, int], rounds: int) -> dict[str, Any]:
    """Time every way on every model; one process of each way at a time."""
    with_monai = importlib.util.find_spec("monai") is not None
    found: dict[str, Any] = {}
    for model in ("identity", "conv", "unet"):
        base = {"model": model, "size": sizes[model], "batch": 4, "keep": True}
        ways = {name: {**base, "name": name} for name in WAYS if with_monai or name != "monai"}
        for name in ("forward", "lamina"):
            ways[name]["channels_last"] = True
        found[model] = table(take_turns(ways, rounds), "forward")
    base = {"model": "unet", "size": sizes["unet"], "channels_last": True, "keep": True, "batch": 8}
    ways = {"lamina": {**base, "name": "lamina"}, "forward": {**base, "name": "forward"}}
    ways["lamina_bfloat16"] = {**base, "name": "lamina", "bfloat16": True}
    peer = {"model": "unet", "size": sizes["unet"], "keep": False, "batch": 4}
    for name in ("monai", "notebook"):
        if name in found["unet"]:
            ways[f"{name}_defaults"] = {**peer, "name": name}
    found["unet_as_shipped"] = table(take_turns(ways, rounds), "forward")
    return found


def memory_all(sizes: list[int]) -> dict[str, Any]:
    """Return peak bytes above the loaded image per way and size, and bytes per pixel."""
    found: dict[str, Any] = {}
    for name in ("lamina", "monai", "notebook"):
        if name == "monai" and importlib.util.find_spec("monai") is None:
            continue
        peaks = {}
        for size in sizes:
            way = {"name": name, "model": "conv", "size": size, "batch": 4, "keep": False}
            out, _ = child({**way, "memory": True}).communicate()
            peaks[size] = int(out)
        small, large = sizes[-2:]
        slope = (peaks[large] - peaks[small]) / (large**2 - small**2)
        found[name] = {
            "mib": {str(size): round(peak / 2**20, 1) for size, peak in peaks.items()},
            "bytes_per_pixel": round(slope, 2),
        }
    return found


def exactness(size: int) -> dict[str, float]:
    """Return the worst relative error of the identity, and the deviations of the U-Net."""
    torch.set_num_threads(1)
    sides = [1, 2, 17, 383, 384, 385, 577, 1000]
    worst = 0.0
    for height in sides:
        for width in sides[::3]:
            pixels = np.random.default_rng(0).random((1, height, width), np.float32)
            back = lamina(pixels, nn.Identity(), {"batch": 4})
            worst = max(worst, float(np.abs(back - pixels).max() / pixels.max()))
    pixels, net = image(size), network("unet")
    way = {"batch": 4, "window": "constant"}
    ours = lamina(pixels, net.to(memory_format=torch.channels_last), way)
    low = lamina(pixels, net, {**way, "bfloat16": True})
    theirs = notebook(pixels, network("unet"), way)
    span = float(np.ptp(theirs))
    return {
        "identity_worst_relative": worst,
        "unet_against_notebook_of_range": float(np.abs(ours - theirs).max()) / span,
        "unet_bfloat16_of_range": float(np.abs(low - ours).max()) / span,
    }


def per_tile(times: dict[str, Any], tiles: int) -> float:
    """Return the milliseconds per tile that are not the forward pass."""
    extra = times["lamina"]["seconds"] - times["forward"]["seconds"]
    return float(round(extra / tiles * 1e3, 3))


def goals(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Set each promise beside what was measured."""
    shipped = found["time"]["unet_as_shipped"]
    rows = {
        "1a": (found["time"]["unet"]["lamina"]["of_forward"], 1.02),
        "1b": (found["time"]["conv"]["lamina"]["of_forward"], 1.25),
        "1b_ms_per_tile": (per_tile(found["time"]["conv"], found["conv_tiles"]), 0.22),
        "1e": (found["memory"]["lamina"]["bytes_per_pixel"], 5.0),
        "1f": (found["exact"]["identity_worst_relative"], 5e-7),
    }
    if "monai_defaults" in shipped:
        peer = shipped["monai_defaults"]["seconds"]
        rows["1c"] = (round(shipped["lamina"]["seconds"] / peer, 3), 0.60)
        if fast_on_cpu():
            rows["1d"] = (round(shipped["lamina_bfloat16"]["seconds"] / peer, 3), 0.30)
    return {
        name: {"measured": value, "promised": most, "kept": value <= most}
        for name, (value, most) in sorted(rows.items())
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that it runs")
    parser.add_argument("--write", action="store_true", help="write the result beside this file")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.worker:
        work(json.loads(asked.worker))
        return
    quick = asked.quick
    sizes = {"identity": 2048, "conv": 2048, "unet": 1152}
    if quick:
        sizes = dict.fromkeys(sizes, 768)
    found: dict[str, Any] = {
        "conv_tiles": len(starts(sizes["conv"])) ** 2,
        "time": time_all(sizes, 2 if quick else 3),
        "memory": memory_all([576, 768] if quick else [1024, 2048]),
        "exact": exactness(768 if quick else 1152),
    }
    found["goals"] = goals(found)
    found["machine"] = {
        "cpu": platform.processor() or platform.machine(),
        "bfloat16": fast_on_cpu(),
        "torch": torch.__version__,
        "numpy": np.__version__,
    }
    print(json.dumps(found, indent=1))
    if asked.write:
        write_json(HERE.with_suffix(".json"), found)


if __name__ == "__main__":
    main()
