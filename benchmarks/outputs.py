"""What ``predict`` costs with all its files beside masks and probabilities alone.

Goal       with overlays, objects and native files at most 1.03 of the time without them, by the
           laptop recipes of images
Run        python benchmarks/outputs.py             about five minutes, two cores
Keep       python benchmarks/outputs.py --write     writes benchmarks/outputs.json

Both predict the same images in one process, in turns; who is first takes turns as well. Networks
run on one thread. Compared is the time of the processor, which is what a machine of one core
takes and what other processes on it hardly disturb, and the time by the clock, within which a
second core writes files while the first predicts: ratios are medians over the pairs, and the
clock's are to be read of a machine that does nothing else. A run has so many images that its
start, which both have, is a small part of it. Networks have random weights. Their decision has the
threshold that covers a fiftieth of an image, and a minimum size of parts, so that masks are a few
objects of each class.
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import tifffile
import torch

import lamina
from lamina.bundle import Bundle, MemberWeights
from lamina.data.network_input.normalise import Fixed
from lamina.files import write_json
from lamina.prediction.outputs.write import KINDS
from lamina.recipe.load import load_recipe
from lamina.result.decisions import Threshold
from lamina.task import Task

ROUNDS = 5
RECIPES: dict[str, tuple[tuple[int, int], int, Task]] = {
    "steel-laptop": ((256, 1600), 8, Task(kind="multilabel", names=("1", "2", "3", "4"))),
    "xray-laptop": ((1024, 1024), 24, Task(kind="binary", names=("pneumothorax",))),
    "folder-laptop": ((512, 512), 8, Task(kind="multilabel", names=("scratch", "dent"))),
}
"""Rows and columns of the images, how many there are, and what is predicted."""

COVERED, AREA = 0.02, 150


def image_of(shape: tuple[int, int], seed: int) -> np.ndarray[Any, Any]:
    """Return a grey texture with some spots."""
    rng = np.random.default_rng(seed)
    grain = cv2.GaussianBlur(rng.standard_normal(shape).astype(np.float32), (0, 0), 2)
    spots = cv2.GaussianBlur(rng.standard_normal(shape).astype(np.float32), (0, 0), 16)
    mixed = grain / grain.std() * 12 + (spots > 2 * spots.std()) * 60 + 110
    return mixed.clip(0, 255).astype(np.uint8)


def prepare(folder: Path, name: str) -> None:
    """Write images as TIFF, whose native output is TIFF, and a bundle of one member."""
    shape, count, task = RECIPES[name]
    (folder / "images").mkdir()
    for n in range(count):
        tifffile.imwrite(folder / "images" / f"{n}.tif", image_of(shape, n), compression="zlib")
    recipe = load_recipe(name, ["precision=float32"])
    recipe = recipe.model_copy(update={"task": task})
    torch.manual_seed(7)
    weights = recipe.network.untrained().build(recipe.frame.inputs, task.outputs).state_dict()
    member = MemberWeights("fold0", weights, 0, "main", 0.5, Fixed(mean=0.5))
    bundle = Bundle.make(recipe, [member], cases={})
    bundle.save(folder / "plain")
    model = lamina.load(folder / "plain", device="cpu")
    prob = model(image_of(shape, 0)).probabilities
    limits = tuple(float(np.quantile(one, 1 - COVERED)) for one in prob)
    decision = Threshold(threshold=limits, min_component=AREA)
    bundle.with_decision(decision, {}).save(folder / "bundle")


class Run(NamedTuple):
    """The seconds of a prediction."""

    processor: float
    clock: float
    objects: int


def timed(folder: Path, save: tuple[str, ...]) -> Run:
    """Predict all images into a new folder."""
    out = Path(tempfile.mkdtemp(dir=folder))
    begun, clock = time.process_time(), time.perf_counter()
    lamina.predict(
        folder / "bundle", folder / "images", out / "pred", device="cpu", save=save, progress=False
    )
    took = time.process_time() - begun, time.perf_counter() - clock
    table = out / "pred" / "objects.csv"
    objects = table.read_text().count("\n") - 1 if table.exists() else 0
    shutil.rmtree(out)
    return Run(*took, objects)


def measure(folder: Path, name: str) -> dict[str, Any]:
    """Time predictions without and with all files in turns."""
    prepare(folder, name)
    plain, whole = [], []
    for number in range(ROUNDS):
        for runs, save in ((plain, ()), (whole, KINDS))[:: -1 if number % 2 else 1]:
            runs.append(timed(folder, save))
    shape, count, _ = RECIPES[name]
    pairs = list(zip(plain, whole, strict=True))
    ratios = sorted(both.processor / alone.processor for alone, both in pairs)
    return {
        "images": count,
        "shape": shape,
        "objects": whole[0].objects,
        "plain_cpu_s": round(statistics.median(run.processor for run in plain), 3),
        "all_cpu_s": round(statistics.median(run.processor for run in whole), 3),
        "all_of_plain": round(statistics.median(ratios), 3),
        "least_and_most": [round(ratios[0], 3), round(ratios[-1], 3)],
        "all_of_plain_by_clock": round(
            statistics.median(both.clock / alone.clock for alone, both in pairs), 3
        ),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="keep the result beside this script")
    parser.add_argument(
        "--recipe", choices=list(RECIPES), action="append", help="only this one; the others stay"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    result: dict[str, Any] = {
        "machine": f"{platform.system()} {platform.machine()}",
        "torch": torch.__version__,
        "rounds": ROUNDS,
    }
    for name in options.recipe or RECIPES:
        with tempfile.TemporaryDirectory() as folder:
            result[name] = measure(Path(folder), name)
    print(json.dumps(result, indent=1))
    if options.write:
        place = Path(__file__).with_suffix(".json")
        before = json.loads(place.read_text(encoding="utf-8")) if options.recipe else {}
        write_json(place, before | result)


if __name__ == "__main__":
    main()
