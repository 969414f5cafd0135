"""How fast the search for triplets is, against the loop that people write.

Promise    10 x 10 x 10 of a list at >= 500 times the speed of the loop over triplets
           and images, with the same scores bit for bit; 10 000 images in a minute on one core
Run        python benchmarks/search.py             about 3 minutes, one core
Keep       python benchmarks/search.py --write     writes benchmarks/search.json
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lamina.files import write_json
from lamina.result.decisions import Triplet, TripletSearch
from lamina.result.search.triplet.search import TripletTables

Map = NDArray[np.float32]
Mask = NDArray[np.bool_]
SIDE, IMAGES, MANY = 1024, 4, 10_000
TOPS = tuple(np.linspace(0.5, 0.95, 10).round(2).tolist())
AREAS = tuple(int(a) for a in np.linspace(500, 5000, 10))
BOTTOMS = tuple(np.linspace(0.1, 0.55, 10).round(2).tolist())


def maps() -> tuple[list[Map], list[Mask]]:
    """Return probabilities and truth of X-ray-like images, half of them empty."""
    chance = np.random.default_rng(7)
    probs, truths = [], []
    for i in range(IMAGES):
        field = cv2.GaussianBlur(chance.standard_normal((SIDE, SIDE)), (0, 0), 24)
        field = (field - field.min()) / (field.max() - field.min())
        noise = cv2.GaussianBlur(chance.standard_normal((SIDE, SIDE)), (0, 0), 2)
        height = 40 * (field - 0.83) + 8 * noise
        probs.append((1 / (1 + np.exp(-height))).astype(np.float32))
        truths.append((field > 0.84) & bool(i % 2))
    return probs, truths


def by_loop(probs: list[Map], truths: list[Mask]) -> list[float]:
    """Score every triplet as the notebooks do: for each triplet, for each image."""
    scores = []
    for top, area, bottom in product(TOPS, AREAS, BOTTOMS):
        total = 0.0
        for prob, truth in zip(probs, truths, strict=True):
            mask = prob > np.float32(bottom)
            if (prob > np.float32(top)).sum() < area:
                mask[:] = False
            size = int(mask.sum()) + int(truth.sum())
            total += 1.0 if size == 0 else 2 * int((mask & truth).sum()) / size
        scores.append(total / len(probs))
    return scores


def by_tables(probs: list[Map], truths: list[Mask]) -> list[float]:
    """Score every triplet by lamina: one pass over the maps, then tables."""
    options = TripletSearch(top=TOPS, area=AREAS, bottom=BOTTOMS)
    tables = TripletTables(1, Triplet(search=options))
    for prob, truth in zip(probs, truths, strict=True):
        tables.add(prob[None], truth[None])
    found: list[float] = tables.scores(0).ravel().tolist()
    return found


def interleaved(
    ways: dict[str, Callable[[], object]], rounds: dict[str, int]
) -> dict[str, list[float]]:
    """Return the CPU seconds of each way; rounds alternate, so all meet the same noise."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(max(rounds.values()) + 1):
        for name, way in ways.items():
            if turn > rounds[name]:
                continue
            begun = time.thread_time()
            way()
            if turn:  # the first round warms up
                seconds[name].append(time.thread_time() - begun)
    return seconds


def triplets() -> dict[str, object]:
    probs, truths = maps()
    assert by_tables(probs, truths) == by_loop(probs, truths)  # every bit of every score
    seconds = interleaved(
        {"loop": lambda: by_loop(probs, truths), "lamina": lambda: by_tables(probs, truths)},
        {"loop": 3, "lamina": 3},
    )
    loop, mine = (statistics.median(seconds[name]) / IMAGES for name in ("loop", "lamina"))
    ratios = [a / b for a, b in zip(seconds["loop"], seconds["lamina"], strict=True)]
    return {
        "grid": f"{len(TOPS)} x {len(AREAS)} x {len(BOTTOMS)}",
        "images": f"{IMAGES} of {SIDE}x{SIDE}, float32",
        "identical_scores": True,
        "loop_s_per_image": round(loop, 4),
        "lamina_s_per_image": round(mine, 6),
        "lamina_ns_per_px": round(mine / SIDE**2 * 1e9, 3),
        "speed_up": round(statistics.median(ratios)),
        "speed_up_of_each_round": [round(ratio) for ratio in ratios],
    }


def many() -> dict[str, object]:
    """Measure 10 000 images, drawn from a few; also all triplets of 257 levels and all areas."""
    probs, truths = maps()
    row: dict[str, object] = {"images": MANY}
    listed = TripletSearch(top=TOPS, area=AREAS, bottom=BOTTOMS)
    for name, search in (("list", listed), ("all", TripletSearch(choice="best"))):
        tables = TripletTables(1, Triplet(search=search))
        begun = time.thread_time()
        for i in range(MANY):
            tables.add(probs[i % IMAGES][None], truths[i % IMAGES][None])
        passed = time.thread_time()
        found = tables.best()
        done = time.thread_time()
        row[name] = {
            "tried": found.tried,
            "pass_s": round(passed - begun, 2),
            "search_s": round(done - passed, 2),
            "total_s": round(done - begun, 2),
        }
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="keep the result beside this script")
    write = parser.parse_args().write
    cv2.setNumThreads(1)
    result = {
        "machine": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "triplets": triplets(),
        "many_images": many(),
    }
    print(json.dumps(result, indent=1))
    if write:
        write_json(Path(__file__).with_suffix(".json"), result)


if __name__ == "__main__":
    main()
