"""Samples of every built-in recipe are those that lamina 0.1.0 of November 2026 made.

``tests/data/earlier_samples.npz`` was written by ``stored`` before blocks of voxels were added.
Interpolation and tables differ in their last bits between processors, so values are compared to a
tolerance far below what another draw or another order of draws would change.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from lamina.data.case import Case
from lamina.data.network_input.make_sample import make_sample
from lamina.data.network_input.normalise import Fixed
from lamina.data.network_input.sample import Draw, Sample
from lamina.recipe.load import load_recipe
from lamina.recipe.recipe import Recipe
from lamina.seeding import rng
from lamina.task import Task
from lamina.volume import ArrayVolume

STORED = Path(__file__).parents[1] / "earlier_samples.npz"
RECIPES = (Path(__file__).parents[1] / "earlier_recipes").glob("*.yaml")
NAMES = sorted(path.stem for path in RECIPES if "3d" not in path.stem)
"""Recipes of images; those of blocks came later."""
SIDE, SAMPLES = 32, 3
SINCE: dict[str, list[str]] = {"volume-laptop": ["frame.slices.context=0"]}
"""What recipes had when their samples were stored."""


def case_of(recipe: Recipe) -> tuple[Case, Task]:
    """Return smooth values with labels, in as many channels as the recipe sees."""
    chance = np.random.default_rng(5)
    rows, columns = np.mgrid[:60, :72]
    inputs = recipe.frame.channels if recipe.frame.depth else recipe.frame.inputs
    waves = [np.sin(rows / (5 + k % 7)) * np.cos(columns / (4 + k % 5)) for k in range(inputs)]
    image = (120 + 80 * np.stack(waves) + chance.normal(0, 8, (inputs, 60, 72))).astype(np.uint8)
    names = recipe.task.names or ("a",)
    task = recipe.task.model_copy(update={"names": tuple(names), "unit": 1.0})
    classes = 1 if task.kind in ("multiclass", "restore") else len(names)
    target = (rows + 2 * columns + 9 * np.arange(classes)[:, None, None]) // 16 % 2
    labels = ArrayVolume(target.astype(np.float32 if task.kind == "restore" else np.uint8))
    return Case("a", "a", ArrayVolume(image), labels), task


def samples(recipe: Recipe) -> list[Sample]:
    """Return three samples, whose regions leave the image on one side."""
    case, task = case_of(recipe)
    frame = recipe.frame.model_copy(update={"size": (SIDE, SIDE), "resize": None})
    sampler = recipe.stages[0].sampler
    if sampler.kind == "in_mask":
        sampler = sampler.model_copy(update={"count": SAMPLES})
    draws = sampler.draws([case] * SAMPLES, size=(SIDE, SIDE), batch=1, epoch=0, rng=rng(1, "d"))
    return [
        make_sample(
            case,
            Draw(0, draw.region.shift((-3 * number, 0)), draw.origin, draw.sides),
            frame,
            Fixed(scale=255.0),
            recipe.transforms,
            task,
            rng(7, "sample", number),
        )
        for number, draw in enumerate(draws[:SAMPLES])
    ]


def packed(sample: Sample) -> dict[str, NDArray[np.uint8]]:
    """Return image and target as bytes: two channels of the image, and the first output."""
    return {
        "image": np.rint(sample.image[:: max(len(sample.image) - 1, 1)] * 200 + 28)
        .clip(0, 255)
        .astype(np.uint8),
        "target": np.rint(sample.target[:1] * 200).clip(0, 255).astype(np.uint8),
        "valid": sample.valid.astype(np.uint8),
    }


def stored() -> None:
    """Write the samples of all recipes."""
    arrays = {
        f"{name}/{number}/{part}": values
        for name in NAMES
        for number, sample in enumerate(samples(load_recipe(name, SINCE.get(name, []))))
        for part, values in packed(sample).items()
    }
    np.savez_compressed(STORED, **arrays)


@pytest.mark.parametrize("name", NAMES)
def test_samples_of_images_are_those_of_before(name: str) -> None:
    with np.load(STORED) as before:
        for number, sample in enumerate(samples(load_recipe(name, SINCE.get(name, [])))):
            for part, values in packed(sample).items():
                kept = before[f"{name}/{number}/{part}"].astype(int)
                apart = np.abs(values.astype(int) - kept)
                assert (apart > 2).mean() <= 0.002, (number, part, int(apart.max()))
