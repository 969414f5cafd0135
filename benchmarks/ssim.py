"""How fast structural similarity is, against scikit-image and what else is installed.

Promise    2-D <= 0.15 and 3-D 128^3 <= 0.30 of scikit-image's time with the Gaussian
           window, on float32; values equal to 1e-6 to its own in float64
Beside     torchmetrics and pytorch-msssim where they are installed; their values may differ
Run        python benchmarks/ssim.py             about 20 seconds, one core
Keep       python benchmarks/ssim.py --write     writes benchmarks/ssim.json
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"  # before NumPy starts its threads

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.metrics import structural_similarity

from lamina.files import write_json
from lamina.geometry.similarity import Window, similarity

Image = NDArray[np.float32]
Way = Callable[[], float]
ROUNDS = 7
GOALS = {"1024x1024": 0.15, "300x1259": 0.15, "128x128x128": 0.30}
WINDOWS: tuple[Window, ...] = ("uniform", "gaussian")


def images(shape: tuple[int, ...]) -> tuple[Image, Image]:
    """Return smooth structure within 0..1 and a noisy copy."""
    chance = np.random.default_rng(7)
    clean = chance.random(shape, np.float32)
    for axis in range(len(shape)):
        clean = np.cumsum(clean - clean.mean(axis, keepdims=True), axis, np.float32)
    clean = (clean - clean.min()) / np.ptp(clean)
    noisy = np.clip(clean + 0.1 * chance.standard_normal(shape, np.float32), 0, 1)
    return clean, noisy


def ours(a: Image, b: Image, window: Window) -> float:
    """Return the mean similarity by lamina."""
    total, count = similarity(a, b, span=1.0, window=window, sample=window == "uniform")
    return total / count


def theirs(a: NDArray[Any], b: NDArray[Any], window: Window) -> float:
    """Return the mean similarity by scikit-image, with its settings for either window."""
    options: dict[str, Any] = {}
    if window == "gaussian":
        options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    return float(structural_similarity(a, b, data_range=1.0, **options))


def others(a: Image, b: Image) -> dict[str, Way]:
    """Return the ways of other packages that are installed, all with the Gaussian window."""
    found: dict[str, Way] = {}
    if importlib.util.find_spec("torchmetrics") or importlib.util.find_spec("pytorch_msssim"):
        import torch

        torch.set_num_threads(1)
        x, y = torch.from_numpy(a)[None, None], torch.from_numpy(b)[None, None]
    if importlib.util.find_spec("torchmetrics"):
        from torchmetrics.functional.image import structural_similarity_index_measure

        found["torchmetrics"] = lambda: float(
            structural_similarity_index_measure(x, y, data_range=1.0)
        )
    if importlib.util.find_spec("pytorch_msssim"):
        from pytorch_msssim import ssim

        found["pytorch_msssim"] = lambda: float(ssim(x, y, data_range=1.0))
    return found


def interleaved(ways: dict[str, Way]) -> dict[str, float]:
    """Return the median CPU seconds of each way; rounds alternate, so all meet the same noise."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(ROUNDS + 1):
        for name, way in ways.items():
            begun = time.thread_time()
            way()
            if turn:  # the first round warms up
                seconds[name].append(time.thread_time() - begun)
    return {name: statistics.median(values) for name, values in seconds.items()}


def measure(shape: tuple[int, ...], window: Window) -> dict[str, Any]:
    """Return values, nanoseconds per pixel and the ratio to scikit-image for one size."""
    clean, noisy = images(shape)
    ways: dict[str, Way] = {
        "lamina": lambda: ours(clean, noisy, window),
        "skimage": lambda: theirs(clean, noisy, window),
    }
    if window == "gaussian":
        ways |= others(clean, noisy)
    values = {name: way() for name, way in ways.items()}
    exact = theirs(clean.astype(np.float64), noisy.astype(np.float64), window)
    assert abs(values["lamina"] - exact) <= 1e-6, (values["lamina"], exact)
    seconds = interleaved(ways)
    return {
        "ns_per_px": {name: round(s / clean.size * 1e9, 2) for name, s in seconds.items()},
        "values": {name: round(v, 7) for name, v in {**values, "float64": exact}.items()},
        "ratio": round(seconds["lamina"] / seconds["skimage"], 4),
        "goal": GOALS["x".join(map(str, shape))] if window == "gaussian" else None,
    }


def versions() -> dict[str, str]:
    """Return the versions of the packages that are compared and installed."""
    names = ("numpy", "opencv-python-headless", "scikit-image", "torchmetrics", "pytorch-msssim")
    found = {}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="keep the result beside this script")
    write = parser.parse_args().write
    cv2.setNumThreads(1)
    sizes = {name: tuple(int(n) for n in name.split("x")) for name in GOALS}
    result = {
        "machine": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": versions(),
        "rounds": ROUNDS,
        "images": {
            name: {window: measure(shape, window) for window in WINDOWS}
            for name, shape in sizes.items()
        },
    }
    print(json.dumps(result, indent=1))
    if write:
        write_json(Path(__file__).with_suffix(".json"), result)


if __name__ == "__main__":
    main()
