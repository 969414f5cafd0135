"""lamina as a program of the evidence: `plan` and `train`, or `train` of a built-in recipe.

The clock of training is set to the CPU seconds of this process and its children, so that the
machine's other work does not change the schedule. The trial of a plan measures its steps by the
wall clock of its own process, which settles how long an epoch is and nothing else here. Every case
is learnt from: none is held out, as in the other programs, and epochs are as many as the seconds
allow.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import tifffile
from datasets import Dataset, images
from numpy.typing import NDArray

import lamina.training.stage.time_limit as time_limit
from lamina import load_recipe, predict, train
from lamina.plan.run import complete, plan
from lamina.prediction.folder.predictions import Predictions
from lamina.recipe.recipe import Recipe
from lamina.recipe.stage import MOST_EPOCHS

EPOCHS = 400  # times those of the recipe: the clock ends training before


def spent() -> float:
    """Return the CPU seconds of this process and of the children it has waited for."""
    return sum(os.times()[:4])


CLOCK = SimpleNamespace(monotonic=spent, perf_counter=spent, time=time.time)
time_limit.time = CLOCK
note_time = time_limit.Clock.__init__


def run(
    dataset: Dataset, folder: Path, program: str, seconds: float, seed: int, out: Path
) -> dict[str, Any]:
    """Plan and train within the CPU seconds, predict the test images into `out`."""
    used: dict[str, Any] = {"begun": round(spent(), 1)}
    data = folder / "data"
    if program == "planned":
        found = plan(data, minutes=seconds / 60, device="cpu", **dataset.plan)
        values = complete(found.settings)
        used["recipe"] = found.text
    else:
        values = load_recipe(dataset.hand, dataset.changes).model_dump(mode="json", by_alias=True)
        used["recipe"] = dataset.hand
    used["planned"] = round(spent(), 1)
    recipe = whole(values, dataset, seed)
    begun = spent()
    left = max(seconds - begun, 1.0)

    def from_now(self: time_limit.Clock, out: Path | None, **options: Any) -> None:
        note_time(self, out, **(options | {"begun": begun}))

    time_limit.Clock.__init__ = from_now  # type: ignore[method-assign]
    train(recipe, data=data, out=out / "run", device="cpu", workers=0, max_minutes=left / 60)
    used["trained"] = round(spent(), 1)
    predicted(dataset, folder, out)
    used["predicted"] = round(spent(), 1)
    return used


def whole(values: dict[str, Any], dataset: Dataset, seed: int) -> Recipe:
    """Return the recipe that learns from all cases for as long as the clock allows."""
    values["seed"] = seed
    if dataset.volume:
        values["split"] = {"kind": "sections", "axis": "z", "train": [[0, 14]], "validate": []}
    else:
        values["split"] = {"kind": "folds", "count": 1}
    for stage in values["stages"]:
        stage["epochs"] = min(EPOCHS * stage["epochs"], MOST_EPOCHS)
        stage |= {"member": "last", "validate_from": 0}
        if stage.get("start") == "best":
            stage["start"] = values["stages"][0]["name"]
    values.pop("submit", None)
    return Recipe.model_validate(values)


def predicted(dataset: Dataset, folder: Path, out: Path) -> None:
    """Write the probabilities of all test images."""
    inputs = out / "inputs"
    inputs.mkdir()
    tests = images(folder / "test")
    if dataset.volume:
        stack = np.stack([image for _, image, _ in tests])
        tifffile.imwrite(inputs / "raw.tif", stack, photometric="minisblack")
    else:
        for id, image, _ in tests:
            tifffile.imwrite(inputs / f"{id}.tif", image, photometric="minisblack")
    predict(out / "run", inputs, out / "pred", device="cpu", progress=False)
    found = Predictions.open(out / "pred")
    by_id = {Path(id).stem: id for id in found.ids}
    for number, (id, _, _) in enumerate(tests):
        prob = found.prob(found.ids[0])[:, number] if dataset.volume else found.prob(by_id[id])
        if dataset.restores:
            prob = found.in_stored_units(by_id[id], prob)
        save(out / f"{id}.npz", prob, prob > 0.5, restores=dataset.restores)


def save(path: Path, prob: NDArray[Any], mask: NDArray[Any], *, restores: bool) -> None:
    kind = np.float32 if restores else np.float16
    np.savez(path, prob=prob.astype(kind), mask=mask)
