"""What ``predict`` costs with all its files beside masks and probabilities alone.

Goal       with overlays, objects and native files at most 1.03 of the processor's time without
           them, by the laptop recipes of images; not reached by steel-laptop (see the JSON)
Run        python benchmarks/outputs.py             about five minutes, one core
Keep       python benchmarks/outputs.py --write     writes benchmarks/outputs.json

Networks have random weights. Their decision has the threshold that covers a fiftieth of an image,
and a minimum size of parts, so that masks are a few objects of each class.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

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

ROUNDS, IMAGES = 2, 6
RECIPES: dict[str, tuple[tuple[int, int], Task]] = {
    "steel-laptop": ((256, 1600), Task(kind="multilabel", names=("1", "2", "3", "4"))),
    "xray-laptop": ((1024, 1024), Task(kind="binary", names=("pneumothorax",))),
    "folder-laptop": ((512, 512), Task(kind="multilabel", names=("scratch", "dent"))),
}
"""Rows and columns of the images, and what is predicted."""

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
    shape, task = RECIPES[name]
    (folder / "images").mkdir()
    for n in range(IMAGES):
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


def seconds(folder: Path, save: tuple[str, ...]) -> tuple[float, Path]:
    out = Path(tempfile.mkdtemp(dir=folder))
    begun = time.process_time()  # other processes may share the cores
    lamina.predict(
        folder / "bundle", folder / "images", out / "pred", device="cpu", save=save, progress=False
    )
    return time.process_time() - begun, out / "pred"


def measure(folder: Path, name: str) -> dict[str, Any]:
    """Time predictions without and with all files in turns."""
    prepare(folder, name)
    plain, whole = [], []
    for _ in range(ROUNDS):
        plain.append(seconds(folder, ())[0])
        took, pred = seconds(folder, KINDS)
        whole.append(took)
    objects = (pred / "objects.csv").read_text().count("\n") - 1
    return {
        "images": IMAGES,
        "shape": RECIPES[name][0],
        "objects": objects,
        "plain_cpu_s": round(statistics.median(plain), 3),
        "all_cpu_s": round(statistics.median(whole), 3),
        "all_of_plain": round(min(whole) / min(plain), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="keep the result beside this script")
    parser.add_argument("--recipe", choices=list(RECIPES), action="append")
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
        write_json(Path(__file__).with_suffix(".json"), result)


if __name__ == "__main__":
    main()
