"""How long calibration and the cross-fitted choice of a decision take, and in how much memory.

Promise    1,000 images of 256 x 1600 with 4 classes within 2 minutes on one core and 1 GiB, the
           pass over the maps apart; the histograms of 12,568 such images stay below 3 GiB
Run        python benchmarks/decisions.py             about 3 minutes, one core
Keep       python benchmarks/decisions.py --write     writes benchmarks/decisions.json

Maps are simulated with the spread of a trained network's: images in groups that share a shift of
their logits, and one in eight shows a class.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lamina.files import write_json
from lamina.recipe.load import load_recipe
from lamina.result.calibration import calibrate
from lamina.result.expected.column import Column
from lamina.result.search.threshold import Tables
from lamina.tuning.candidates import candidates_of
from lamina.tuning.selection import choose

IMAGES, SHAPE, CLASSES, EACH = 1000, (256, 1600), 4, 4
STEEL = 12_568
"""Images of the steel competition."""


def image(group: int, rng: np.random.Generator) -> tuple[NDArray[np.float16], NDArray[np.bool_]]:
    """Return maps and truth (K, *S) of one image."""
    shift = np.random.default_rng(group).normal(0, 0.6)
    logit = rng.standard_normal((CLASSES, *SHAPE), np.float32) + np.float32(shift - 5)
    truth = np.zeros(logit.shape, np.bool_)
    for k in np.flatnonzero(rng.random(CLASSES) < 0.125):
        row, column = rng.integers(0, 150), rng.integers(0, 1300)
        truth[k, row : row + 80, column : column + 250] = True
        logit[k, row : row + 80, column : column + 250] += rng.normal(6, 1)
    return (1 / (1 + np.exp(-logit))).astype(np.float16), truth


def peak() -> float:
    """Return the largest memory of the process so far, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="keep the result beside this script")
    parser.add_argument("--images", type=int, default=IMAGES)
    options = parser.parse_args()
    names = json.dumps([f"class_{k}" for k in range(CLASSES)])
    recipe = load_recipe("steel-laptop", [f"task.names={names}"])
    aim, rng = recipe.metric.aim(CLASSES), np.random.default_rng(0)
    tables, begun = Tables(CLASSES), time.thread_time()
    drawing = 0.0
    for number in range(options.images):
        before = time.thread_time()
        prob, truth = image(number // EACH, rng)
        drawing += time.thread_time() - before
        tables.add(prob, truth, fold=number % 5)
    counted, held = time.thread_time(), peak()
    groups = np.arange(options.images) // EACH
    curves = [calibrate(Column.of(one), groups, "platt") for one in tables.thinned()[:-1]]
    calibrated = time.thread_time()
    candidates = candidates_of(recipe, aim, groups, tables, None)
    _, selection = choose(candidates, candidates, None, ())
    done = time.thread_time()
    arrays = {
        id(array): array.nbytes  # where every pixel counts, two of them are one
        for column in tables.counts
        for case in column
        for array in (case.codes, case.area, case.predicted, case.positives)
    }
    each = sum(arrays.values()) / options.images
    result = {
        "machine": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "images": f"{options.images} of {SHAPE[0]}x{SHAPE[1]}, {CLASSES} classes",
        "pass_s": round(counted - begun - drawing, 1),
        "calibration_s": round(calibrated - counted, 1),
        "selection_s": round(done - calibrated, 1),
        "calibration_and_selection_s": round(done - counted, 1),
        "peak_gib": round(peak(), 2),
        "peak_after_pass_gib": round(held, 2),
        "histograms_kb_per_image": round(each / 1000, 1),
        f"histograms_of_{STEEL}_gib": round(each * STEEL / 2**30, 2),
        "calibrated": [curve.summary for curve in curves],
        "chosen": selection.sentence,
    }
    print(json.dumps(result, indent=1))
    if options.write:
        write_json(Path(__file__).with_suffix(".json"), result)


if __name__ == "__main__":
    main()
