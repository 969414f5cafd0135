"""Many images: opening, digests, statistics, folds and draws with and without an index; tables.

Promise    what is done for each image costs the same at 500 and at 4,000 (slope 1); opened again
           with an index, an image and its mask take <= 0.5 ms; histograms of `tune` hold <= 2 GB
           of memory at 100,000 images, by slope
Run        python benchmarks/many_files.py            about five minutes, one core
Keep       python benchmarks/many_files.py --write    writes benchmarks/many_files.json

Seconds are of the CPU, so that other work on the machine counts little. Each measurement has a
process of its own; memory is what that process holds besides mapped files at its end.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from lamina.files import write_json

SIZES = (500, 4_000)
MAPS = (500, 1_000)
SIDE = 96
CLASSES = 4
MAP = (64, 400)


def write_images(root: Path, count: int) -> None:
    """Write pairs of grey images and masks, no two images alike."""
    rng = np.random.default_rng(0)
    base = cv2.GaussianBlur(rng.integers(0, 255, (SIDE, SIDE), np.uint8), (0, 0), 3)
    for name in ("images", "masks"):
        (root / name).mkdir(parents=True)
    for number in range(count):
        image = np.roll(base, (number % SIDE, number // SIDE % SIDE), (0, 1)).copy()
        image[0, :4] = np.frombuffer(np.int32(number).tobytes(), np.uint8)
        mask = np.zeros((SIDE, SIDE), np.uint8)
        if number % 2:
            cv2.circle(mask, tuple(rng.integers(20, 70, 2).tolist()), 9, 1, -1)
        for name, pixels in (("images", image), ("masks", mask)):
            options = [cv2.IMWRITE_PNG_COMPRESSION, 1]
            cv2.imwrite(str(root / name / f"{number:06d}.png"), pixels, options)


def opening(root: str, index: str) -> dict[str, float]:
    """Return the CPU seconds of what training does before its first step."""
    from lamina import files
    from lamina.recipe.load import load_recipe
    from lamina.seeding import rng
    from lamina.training.dataset import index_of, open_data

    recipe = load_recipe("folder-laptop", [])
    known = index_of(recipe, None, Path(index)) if index else None
    seconds, begun = {}, time.process_time()
    opened = open_data(recipe, Path(root), known)
    seconds["opening and folds"] = time.process_time() - begun
    names = [name for case in opened.cases for name in (*case.files, *case.label_files)]
    begun = time.process_time()
    if known is None:
        for name in names:
            files.digest(Path(name))
    else:
        known.digests(names)
    seconds["digests"] = time.process_time() - begun
    begun = time.process_time()
    for fold in opened.numbers:
        recipe.frame.fit(opened.training(fold))
    seconds["statistics of 5 folds"] = time.process_time() - begun
    begun = time.process_time()
    cases = opened.training(0)
    stage = recipe.stages[0]
    stage.sampler.draws(cases, size=recipe.frame.size, batch=8, epoch=0, rng=rng(1, "draws"))
    seconds["draws of an epoch"] = time.process_time() - begun
    return seconds


def tables(count: str, folder: str) -> dict[str, float]:
    """Return CPU seconds and held bytes of the histograms that ``tune`` searches."""
    from lamina.result.search import kept_counts
    from lamina.result.search.threshold import Tables

    kept_counts.LIMIT = 1 << 20  # so that what is in files decides, not what waits for them

    rng = np.random.default_rng(0)
    noise = [
        np.stack([cv2.GaussianBlur(rng.random(MAP, np.float32), (0, 0), 2) for _ in range(CLASSES)])
        for _ in range(8)
    ]
    before, begun = _held(), time.process_time()
    found = Tables(CLASSES, folder=Path(folder) if folder else None)
    for number in range(int(count)):
        prob = (noise[number % 8] ** 8 * (1 + number % 7)).clip(0, 1).astype(np.float16)
        found.add(prob, prob > 0.5, fold=number % 5)
    held = _held() - before
    return {"seconds": time.process_time() - begun, "MB": held / 1e6}


def _held() -> float:
    """Return the bytes of memory that belong to no file."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("RssAnon"):
            return float(line.split()[1]) * 1024
    raise RuntimeError("needs Linux")


def apart(*arguments: str) -> dict[str, float]:
    """Return what a measurement in a process of its own says."""
    command = [sys.executable, __file__, "--only", *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def slope(few: float, many: float, sizes: tuple[int, int]) -> float:
    """Return the power of the number of images that a cost grows by; 1: it is linear."""
    return round(math.log(max(many, 1e-3) / max(few, 1e-3)) / math.log(sizes[1] / sizes[0]), 2)


def measured(folder: Path) -> dict[str, object]:
    """Return all rows, by name, with both sizes and their slope."""
    rows: dict[str, dict[str, list[float]]] = {}
    for size in SIZES:
        root, index = folder / f"data{size}", str(folder / f"index{size}.jsonl")
        write_images(root, size)
        for how, place in (("no index", ""), ("index, first", index), ("index, again", index)):
            for name, seconds in apart("opening", str(root), place).items():
                rows.setdefault(name, {}).setdefault(how, []).append(round(seconds, 3))
    opened = {
        f"{name}, {how}": {"seconds": values, "slope": slope(values[0], values[1], SIZES)}
        for name, of in rows.items()
        for how, values in of.items()
    }
    kept = {}
    for how, place in (("in memory", ""), ("in files", str(folder))):
        found = [apart("tables", str(count), place) for count in MAPS]
        per_image = (found[1]["MB"] - found[0]["MB"]) / (MAPS[1] - MAPS[0])
        kept[how] = {
            "seconds": [round(one["seconds"], 2) for one in found],
            "MB": [round(one["MB"], 1) for one in found],
            "GB_at_100000": round(found[0]["MB"] / 1e3 + per_image * 100, 2),
        }
    return {"images": SIZES, "rows": opened, "maps": MAPS, "tables of tune": kept}


def main() -> None:
    """Measure, print and, on request, keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write benchmarks/many_files.json")
    parser.add_argument("--only", nargs="+", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.only:
        name, *arguments = asked.only
        print(json.dumps({"opening": opening, "tables": tables}[name](*arguments)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        found = {
            "machine": f"{platform.system()} {platform.machine()}",
            "python": platform.python_version(),
            "images_of": [SIDE, SIDE],
            "maps_of": [CLASSES, *MAP],
            **measured(Path(temporary)),
        }
    print(json.dumps(found, indent=1))
    if asked.write:
        write_json(Path(__file__).with_suffix(".json"), found)


if __name__ == "__main__":
    main()
