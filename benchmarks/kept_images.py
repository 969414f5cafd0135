"""An epoch of resized images: decoded and resized images kept, against those of 64 MiB alone.

Promise    where all images fit what training allows, reading them in a later epoch takes
           <= 1/3 of the CPU seconds of decoding and resizing them again
Run        python benchmarks/kept_images.py             under a minute, one core
Keep       python benchmarks/kept_images.py --write     writes benchmarks/kept_images.json
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from lamina.data.case import Case
from lamina.data.readers import open_volume
from lamina.data.readers.cache import RECENT
from lamina.data.views.resized import resized
from lamina.files import write_json
from lamina.volume import read_all

COUNT = 150
ROUNDS = 5
STORED, SEEN = (512, 512), (256, 256)


def cases_of(folder: Path) -> list[Case]:
    """Write colour images of JPEG and return them resized."""
    rng = np.random.default_rng(0)
    cases = []
    for number in range(COUNT):
        path = folder / f"{number}.jpg"
        pixels = cv2.GaussianBlur(rng.integers(0, 255, (*STORED, 3), np.uint8), (0, 0), 2)
        cv2.imwrite(str(path), pixels)
        cases.append(resized(Case(str(number), str(number), open_volume(path)), SEEN))
    return cases


def epoch(cases: list[Case]) -> float:
    """Return the CPU seconds of reading every image once."""
    begun = time.process_time()
    for case in cases:
        read_all(case.image)
    return time.process_time() - begun


def main() -> None:
    """Measure, print and, on request, keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write benchmarks/kept_images.json")
    write = parser.parse_args().write
    with tempfile.TemporaryDirectory() as temporary:
        cases = cases_of(Path(temporary))
        again = [epoch(cases) for _ in range(ROUNDS)]
        with RECENT.allowing(4 << 30):
            epoch(cases)
            kept = [epoch(cases) for _ in range(ROUNDS)]
    ratio = statistics.median(again) / statistics.median(kept)
    found = {
        "machine": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "images": COUNT,
        "stored": STORED,
        "seen": SEEN,
        "ms_per_image": {
            "64 MiB": round(1e3 * statistics.median(again) / COUNT, 3),
            "all kept": round(1e3 * statistics.median(kept) / COUNT, 3),
        },
        "times_faster": round(ratio, 1),
        "promise_kept": ratio >= 3,
    }
    print(json.dumps(found, indent=1))
    if write:
        write_json(Path(__file__).with_suffix(".json"), found)


if __name__ == "__main__":
    main()
