"""What predicting a fragment takes, end to end, in memory and in time.

Promise    the memory does not grow with the rows: 65 x 8000 x 8000 voxels within 1.05 of
           65 x 4000 x 8000
           it is what the process needs for a fragment of 2000 x 2000, and what ``held_bytes`` says
           of the width: <= 1.05 of both together
           a mask that is decided and a csv that is handed in take no more than the prediction
Run        python benchmarks/fragment.py --folder DIR     about 5 minutes, one core, 9 GB of disk
Try        python benchmarks/fragment.py --quick          a minute; the figures mean nothing
Keep       python benchmarks/fragment.py --write          writes benchmarks/fragment.json

The fragment is written first: 65 layers of 16 bit, uncompressed TIFF, of noise over slow waves,
denser towards the middle layer, and a round mask in a PNG; smaller fragments are its upper left
corner. With ``--aligned`` each is predicted a second time, its layers aligned as they are read.
The network is a narrow U-Net over 24 layers that sees tiles of 384 x 384 pixels, every 288 pixels;
its weights are random, since what it answers takes no less time. Memory is the most that ``lamina
predict`` and ``lamina submit`` hold, as the system counts it, each a process of its own (Linux);
what the program itself takes before it reads anything, libraries included, is most of ``submit``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from lamina.bundle import Bundle, MemberWeights
from lamina.files import write_json
from lamina.prediction.folder.predictions import Predictions
from lamina.prediction.streaming.units.held_bytes import held_bytes
from lamina.recipe.recipe import Recipe
from lamina.synthetic.files.tiff import begin_grey16
from lamina.volume import ArrayVolume

HERE = Path(__file__)
LAYERS, FIRST, STOP = 65, 20, 44
PROFILE = 0.4 + 0.6 * np.exp(-(((np.arange(LAYERS) - 32) / 9) ** 2))
"""What is left of the pattern in each layer."""

SIZES = ((2000, 2000), (4000, 8000), (8000, 8000))
QUICK = ((300, 400), (600, 1000), (1200, 1000))
RECIPE: dict[str, Any] = {
    "name": "fragment",
    "precision": "float32",
    "task": {"kind": "binary", "names": ["ink"]},
    "data": {"kind": "fragments", "layers": [FIRST, STOP]},
    "network": {
        "kind": "unet",
        "encoder": "mobilenetv3_small_050",
        "decoder": {"encoder_depth": 3, "decoder_channels": [16, 8, 8]},
    },
    "frame": {
        "size": [384, 384],
        "channels": STOP - FIRST,
        "normalise": {"kind": "fixed", "mean": 0.449, "std": 0.226, "scale": 65536},
    },
    "loss": [{"kind": "bce"}],
    "stages": [{"epochs": 1}],
    "predict": {
        "window": "spline",
        "overlap": 0.25,
        "border_tiles": "beyond",
        "only_valid": True,
        "rounding": "uint8",
        "mean_of": {"views": "logit"},
        "batch": 4,
    },
    "submit": {"kind": "vesuvius"},
}


def write_fragment(folder: Path, source: NDArray[np.uint16], rows: int, columns: int) -> None:
    """Write a corner of the fragment whose rows repeat those of ``source``, layer by layer."""
    stack = folder / "surface_volume"
    stack.mkdir(parents=True)
    for layer in range(LAYERS):
        shifted = np.roll(source, 7 * layer, axis=1)[:, :columns]
        shifted = (shifted * np.float32(PROFILE[layer])).astype(np.uint16)
        with (stack / f"{layer:02d}.tif").open("wb") as stream:
            stream.write(begin_grey16((rows, columns)))
            for row in range(0, rows, len(source)):
                stream.write(shifted[: rows - row].data)
    y, x = np.ogrid[:rows, :columns]
    inside = ((y - rows / 2) / rows) ** 2 + ((x - columns / 2) / columns) ** 2 < 0.23
    cv2.imwrite(str(folder / "mask.png"), inside.astype(np.uint8) * 255)


def pattern(rows: int, columns: int) -> NDArray[np.uint16]:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:rows, :columns].astype(np.float32)
    waves = 9000 * np.sin(y / 61) * np.cos(x / 83) + 30000
    values: NDArray[np.uint16] = (waves + rng.integers(0, 12000, waves.shape)).astype(np.uint16)
    return values


def save_bundle(folder: Path, *, aligned: bool = False) -> None:
    values = RECIPE
    if aligned:
        low, high = 17, 48
        curve = (PROFILE[low:high] - PROFILE[low]) / (PROFILE.max() - PROFILE[low])
        flatten = {"kind": "flatten", "slices": (low, high), "curve": curve.tolist()}
        values = {**RECIPE, "data": {**RECIPE["data"], "prepare": flatten}}
    recipe = Recipe.model_validate(values)
    torch.manual_seed(0)
    weights = recipe.network.build(recipe.frame.inputs, 1).state_dict()
    member = MemberWeights("fold0", weights, 0, "main", 0.5, recipe.frame.normalise)
    Bundle.make(recipe, [member], cases={}).save(folder / "bundle")


_VERB = """
import atexit, pathlib, sys
out = pathlib.Path(sys.argv.pop())
status = pathlib.Path("/proc/self/status")
atexit.register(lambda: out.write_text(status.read_text()))
from lamina.cli.main import run
run()
"""
"""What a process of its own does. It says itself what it held: what the system says of a child
that has ended includes what its parent held."""


def run(folder: Path, *arguments: str) -> dict[str, float]:
    """Run a verb as a process of its own; return the most memory it held, and its seconds."""
    begun, said = time.monotonic(), folder / "status.txt"
    process = subprocess.Popen(
        [sys.executable, "-c", _VERB, *arguments, str(said)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"lamina {' '.join(arguments)} ended with {status}")
    lines = dict(line.split(":", 1) for line in said.read_text().splitlines() if ":" in line)
    return {
        "mib": round(int(lines["VmHWM"].split()[0]) / 1024, 1),
        "seconds": round(time.monotonic() - begun, 1),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 1),
    }


def measure(
    folder: Path, rows: int, columns: int, source: NDArray[np.uint16], *, aligned: bool
) -> dict[str, Any]:
    fragment, pred = folder / "a", folder / "pred"
    for path in (fragment, pred):
        shutil.rmtree(path, ignore_errors=True)
    begun = time.monotonic()
    write_fragment(fragment, source, rows, columns)
    written = time.monotonic() - begun
    predicted = {}
    for way in ("predict", "aligned") if aligned else ("predict",):
        shutil.rmtree(pred, ignore_errors=True)
        ask = (str(folder / way), str(fragment), "--out", str(pred), "--device", "cpu")
        predicted[way] = run(folder, "predict", *ask)
    found = Predictions.open(pred)
    handed_in = run(folder, "submit", str(pred), "--out", str(folder / "s.csv"))
    return {
        "written_seconds": round(written, 1),
        "banded": found.case("a").banded,
        **predicted,
        "submit": handed_in,
        "disk_mib": round(sum(p.stat().st_size for p in pred.rglob("*") if p.is_file()) / 2**20, 1),
    }


def stated(columns: int) -> float:
    """Return the MiB that ``held_bytes`` says of a width, above a process that holds nothing."""
    strip: NDArray[np.uint16] = np.zeros((1, 1, 1), np.uint16)
    wide = ArrayVolume(np.broadcast_to(strip, (STOP - FIRST, 2**20, columns)))
    return held_bytes(wide, 1, [384]) / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that it runs")
    parser.add_argument("--write", action="store_true", help="write the result beside this file")
    parser.add_argument("--aligned", action="store_true", help="align layers, in a second run")
    parser.add_argument("--folder", type=Path, help="where the fragment is written and removed")
    asked = parser.parse_args()
    sizes = QUICK if asked.quick else SIZES
    with tempfile.TemporaryDirectory(dir=asked.folder) as name:
        folder = Path(name)
        for way in ("predict", "aligned"):
            save_bundle(folder / way, aligned=way == "aligned")
        source = pattern(1000, max(columns for _, columns in sizes))
        each = {
            f"{LAYERS}x{h}x{w}": measure(folder, h, w, source, aligned=asked.aligned)
            for h, w in sizes
        }
    small, half, whole = (one["predict"]["mib"] for one in each.values())
    limit = small + stated(sizes[-1][1])
    goals: dict[str, dict[str, float]] = {
        "rows": {"measured": round(whole / half, 3), "promised": 1.05},
        "width": {"measured": round(whole / limit, 3), "promised": 1.05},
        "submit": {
            "measured": round(list(each.values())[-1]["submit"]["mib"] / whole, 3),
            "promised": 1.0,
        },
    }
    if asked.aligned:
        peaks = [one["aligned"]["mib"] for one in each.values()]
        goals["rows_aligned"] = {"measured": round(peaks[-1] / peaks[-2], 3), "promised": 1.05}
    found = {
        "sizes": each,
        "stated_mib_of_width": round(stated(sizes[-1][1]), 1),
        "goals": {
            name: {**goal, "kept": goal["measured"] <= goal["promised"]}
            for name, goal in goals.items()
        },
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
