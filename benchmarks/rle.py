"""How fast masks become run-length text and come back, against the idiom of the notebooks.

Promise    encode <= 0.10 (sparse) and 0.20 (dense) of the idiom's time, decode <= 0.5 and 0.05
           (small masks take up to 0.2 to encode and 0.7 to decode)
Run        python benchmarks/rle.py             about 15 seconds, one core
Keep       python benchmarks/rle.py --write     writes benchmarks/rle.json
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lamina.files import write_json
from lamina.rle.codec import decode, encode

Mask = NDArray[np.bool_]
ROUNDS = 9


def idiom_encode(mask: Mask) -> str:
    """Encode as the notebooks of the competitions do."""
    pixels = mask.T.flatten()
    pixels = np.concatenate([[0], pixels, [0]])
    runs = np.where(pixels[1:] != pixels[:-1])[0] + 1
    runs[1::2] -= runs[::2]
    return " ".join(str(x) for x in runs)


def idiom_decode(text: str, shape: tuple[int, int]) -> Mask:
    """Decode as the notebooks of the competitions do."""
    s = text.split()
    starts, lengths = (np.asarray(x, dtype=int) for x in (s[0::2], s[1::2]))
    starts = starts - 1
    flat = np.zeros(shape[0] * shape[1], dtype=bool)
    for low, high in zip(starts, starts + lengths, strict=True):
        flat[low:high] = 1
    return flat.reshape(shape[::-1]).T


def blobs(shape: tuple[int, int], share: float, radius: float, ragged: float = 0.0) -> Mask:
    """Return a mask of round parts that covers ``share`` of the image, with ``ragged`` rims."""
    chance = np.random.default_rng(7)
    field = cv2.GaussianBlur(chance.standard_normal(shape), (0, 0), radius)
    field = field / field.std() + ragged * chance.standard_normal(shape)
    return field > np.quantile(field, 1 - share)


def masks() -> dict[str, Mask]:
    """Return the masks of the table, by name."""
    return {
        "1024x1024, 1 % blobs": blobs((1024, 1024), 0.01, 24),
        "1024x1024, 40 % ragged": blobs((1024, 1024), 0.40, 12, 0.16),
        "1024x1024, noise": np.random.default_rng(7).random((1024, 1024)) < 0.5,
        "256x1600, 3 % blobs": blobs((256, 1600), 0.03, 16),
        "256x1600, empty": np.zeros((256, 1600), np.bool_),
        "256x256, 1 % blobs": blobs((256, 256), 0.01, 12),
        "128x128, 3 % blobs": blobs((128, 128), 0.03, 12),
        "128x128, empty": np.zeros((128, 128), np.bool_),
        "256x1600, 40 % ragged": blobs((256, 1600), 0.40, 10, 0.16),
    }


def interleaved(ways: dict[str, Callable[[], object]], times: int) -> dict[str, float]:
    """Return the median CPU seconds of each way; rounds alternate, so all meet the same noise."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(ROUNDS + 1):
        for name, way in ways.items():
            begun = time.thread_time()
            for _ in range(times):  # a small mask is too quick for the clock
                way()
            if turn:  # the first round warms up
                seconds[name].append((time.thread_time() - begun) / times)
    return {name: statistics.median(values) for name, values in seconds.items()}


def measure(mask: Mask) -> dict[str, float]:
    """Return nanoseconds per pixel and the ratios of one mask."""
    text, shape = encode(mask, "severstal"), (mask.shape[0], mask.shape[1])
    assert text == idiom_encode(mask)
    assert np.array_equal(decode(text, shape, "severstal"), idiom_decode(text, shape))
    seconds = interleaved(
        {
            "encode": lambda: encode(mask, "severstal"),
            "idiom_encode": lambda: idiom_encode(mask),
            "decode": lambda: decode(text, shape, "severstal"),
            "idiom_decode": lambda: idiom_decode(text, shape),
        },
        times=max(2**21 // mask.size, 1),
    )
    row = {f"{name}_ns_per_px": round(s / mask.size * 1e9, 3) for name, s in seconds.items()}
    return {
        "runs": len(text.split()) // 2,
        **row,
        "encode_ratio": round(seconds["encode"] / seconds["idiom_encode"], 4),
        "decode_ratio": round(seconds["decode"] / seconds["idiom_decode"], 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="keep the result beside this script")
    write = parser.parse_args().write
    result = {
        "machine": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "rounds": ROUNDS,
        "masks": {name: measure(mask) for name, mask in masks().items()},
    }
    print(json.dumps(result, indent=1))
    if write:
        write_json(Path(__file__).with_suffix(".json"), result)


if __name__ == "__main__":
    main()
