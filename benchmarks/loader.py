"""How long an epoch waits for its first batch, with loader processes that stay or begin anew.

Promise    with processes that stay, at most a tenth of what it takes with new ones, and no more for
           20,000 cases than twice that for 1,000
Run        python benchmarks/loader.py            about two minutes
Keep       python benchmarks/loader.py --write    writes benchmarks/loader.json

Two loader processes make batches of 4 crops of 32 x 32 pixels from small PNG images. Seconds of the
clock from the call to the first batch, the median of the epochs after the first; both ways take
turns, so that other work on the machine delays them alike.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from lamina.data.case import Case
from lamina.data.network_input.normalise import Fixed
from lamina.data.readers import open_volume
from lamina.files import write_json
from lamina.recipe.load import load_recipe
from lamina.training.stage.loading.loader import BatchLoader
from lamina.training.stage.loading.samples import Batch, StageData

COUNTS, EPOCHS, PROCESSES = (1_000, 20_000), 6, 2
CHANGES = ["frame.size=[32,32]", "stages.main.batch=4", "transforms=[]", 'task.names=["a"]']


def cases(folder: Path, count: int) -> list[Case]:
    """Return cases of 16 files, each with objects of its own."""
    pixels = np.random.default_rng(0).integers(0, 256, (16, 48, 48), np.uint8)
    for n, plane in enumerate(pixels):
        cv2.imwrite(str(folder / f"{n}.png"), plane)
        cv2.imwrite(str(folder / f"{n}_mask.png"), (plane > 200).astype(np.uint8))
    paths = [(folder / f"{n % 16}.png", folder / f"{n % 16}_mask.png") for n in range(count)]
    opened = [(open_volume(image), open_volume(mask)) for image, mask in paths]
    return [Case(str(n), str(n), image, mask) for n, (image, mask) in enumerate(opened)]


def first(made: Iterator[Batch], begun: float) -> float:
    """Return the seconds to the first batch; the others are drawn."""
    next(made)
    waited = time.perf_counter() - begun
    for _ in made:
        pass
    return waited


def measured(folder: Path, count: int) -> dict[str, float]:
    recipe = load_recipe("steel-laptop", CHANGES)
    stage = recipe.stages[0]
    data = StageData(recipe, recipe.task, cases(folder, count), Fixed(mean=0.4, std=0.2), stage)
    groups = [[4 * n, 4 * n + 1, 4 * n + 2, 4 * n + 3] for n in range(8)]
    staying = BatchLoader(PROCESSES)
    waited: dict[str, list[float]] = {"anew": [], "staying": []}
    for number in range(EPOCHS):
        epoch = data.epoch(number)
        for name, loader in (("anew", BatchLoader(PROCESSES)), ("staying", staying)):
            seconds = first(loader.batches(epoch, groups), time.perf_counter())
            if number:  # the first epoch starts the processes that stay
                waited[name].append(seconds)
    found = {f"{name}_ms": round(statistics.median(waited[name]) * 1e3, 1) for name in waited}
    return {**found, "ratio": round(found["staying_ms"] / found["anew_ms"], 3)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="keep the result beside this script")
    asked = parser.parse_args()
    result: dict[str, object] = {"machine": f"{platform.system()} {platform.machine()}"}
    rows = {}
    with tempfile.TemporaryDirectory() as name:
        for count in COUNTS:
            rows[f"{count} cases"] = measured(Path(name), count)
    small, large = rows.values()
    growth = round(large["staying_ms"] / small["staying_ms"], 2)
    goals = {
        "ratio": {"measured": large["ratio"], "promised": 0.1, "kept": large["ratio"] <= 0.1},
        "growth": {"measured": growth, "promised": 2, "kept": growth <= 2},
    }
    result |= {"loader processes": PROCESSES, **rows, "goals": goals}
    print(json.dumps(result, indent=1))
    if asked.write:
        write_json(Path(__file__).with_suffix(".json"), result)


if __name__ == "__main__":
    main()
