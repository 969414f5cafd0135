"""A network is tried on repeating its input."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from lamina.errors import RecipeError
from lamina.recipe.load import load_recipe
from lamina.recipe.recipe import Recipe
from lamina.synthetic.seismic import write_pairs
from lamina.training.probe import probe, table

RECIPE = """
name: repeat
precision: float32
task: {kind: restore}
data:
  kind: volume_pairs
  image: seismic_w_noise_vol*.npy
  target: seismicCubes_RFC*.npy
  stretch: {to: unit}
  stretch_target: own
split: {kind: folds, count: 2}
frame: {size: [32, 32], slices: {axes: yx}, normalise: {kind: fixed, scale: 1}}
network: {kind: dncnn, depth: 3, width: 8}
loss: [{kind: mse}]
train: {epochs: 1, batch: 4, optimizer: {kind: adam, lr: 1e-2}}
monitor: {kind: ssim}
metric: {kind: ssim}
decide: {kind: as_is}
predict: {overlap: 0, window: constant}
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    (tmp_path / "repeat.yaml").write_text(RECIPE)
    return load_recipe(str(tmp_path / "repeat.yaml"))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pairs(tmp_path_factory.mktemp("pairs"), count=2, seed=3, shape=(32, 32, 32))


def test_more_steps_repeat_the_input_better_and_the_report_says_what_it_cost(
    recipe: Recipe, data: Path
) -> None:
    short, long = (
        probe(recipe, data=data, steps=steps, cases=4, device="cpu") for steps in (2, 120)
    )
    one, other = short.networks[0], long.networks[0]
    assert one.psnr < other.psnr
    assert other.ssim > one.ssim + 0.2
    # 3x3: 1 to 8 with bias, 8 to 8 with a norm, 8 to 1 with bias
    assert other.parameters == 9 * 8 + 8 + 9 * 64 + 16 + 9 * 8 + 1
    # at least what the two ReLUs of four crops keep
    assert other.memory > 2 * 4 * 8 * 32 * 32 * 4
    assert other.seconds > 0
    assert math.isfinite(other.loss)
    json.dumps(long.to_dict())
    assert table(long).splitlines()[-1].startswith("dncnn")


def test_networks_are_set_side_by_side(recipe: Recipe, data: Path) -> None:
    found = probe(
        recipe, data=data, steps=1, cases=2, compare=["dncnn", "unet", "nafnet"], device="cpu"
    )
    assert [network.network for network in found.networks] == ["dncnn", "unet", "nafnet"]
    assert len(table(found).splitlines()) == 5


def test_a_residual_network_has_to_repeat_its_input_as_well(recipe: Recipe, data: Path) -> None:
    """With the input added to its answer it would be perfect before the first step."""
    residual = recipe.model_copy(
        update={"network": recipe.network.model_copy(update={"residual": True})}
    )
    found = [probe(one, data=data, steps=1, cases=1, device="cpu") for one in (recipe, residual)]
    assert found[0].networks[0].psnr == found[1].networks[0].psnr


def test_clean_images_are_repeated_where_the_recipe_makes_the_noise(
    recipe: Recipe, tmp_path: Path
) -> None:
    (tmp_path / "clean").mkdir()
    for number in range(2):
        np.save(tmp_path / "clean" / f"{number}.npy", np.full((40, 40), 100, np.uint8))
    changes = ["data={kind: corrupt}", "frame={size: [32, 32]}"]
    corrupt = load_recipe(str(tmp_path / "repeat.yaml"), changes)
    found = probe(corrupt, data=tmp_path / "clean", steps=1, cases=1, device="cpu")
    assert found.range == 1.0  # a flat image has none


@pytest.mark.parametrize(
    ("compare", "says"), [("bread", "--compare bread"), ("unet", "needs multiples of 32")]
)
def test_networks_that_do_not_exist_or_suit_are_refused(
    recipe: Recipe, data: Path, compare: str, says: str
) -> None:
    frame = recipe.frame.model_copy(update={"size": (40, 40)})
    odd = recipe.model_copy(update={"frame": frame})
    with pytest.raises(RecipeError, match=says):
        probe(odd, data=data, compare=[compare], steps=1, device="cpu")


def test_masks_are_no_copy_of_the_input(data: Path) -> None:
    with pytest.raises(RecipeError, match="only a network that restores"):
        probe(load_recipe("volume-laptop"), data=data)
