"""Values to restore are on one scale, from training to the score."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from lamina.data.case import Case
from lamina.data.network_input.frame import Frame
from lamina.data.network_input.make_sample import make_sample
from lamina.data.network_input.normalise import Fixed
from lamina.data.network_input.sample import Draw
from lamina.data.targets.ground_truth import truth
from lamina.data.units import unit_of, with_unit
from lamina.errors import DataError, OptionError
from lamina.evaluation.score import score
from lamina.geometry.region import Region
from lamina.prediction.engine import Member, predict_case
from lamina.prediction.folder.predictions import Predictions
from lamina.recipe.load import load_recipe
from lamina.seeding import rng
from lamina.task import Task
from lamina.training.dataset import open_data
from lamina.training.stage.validate import validate
from lamina.volume import ArrayVolume
from tests.factories.predictions import predicted_case, prediction_info

RESTORE = Task(kind="restore", names=("value",))
IMAGE = np.random.default_rng(0).integers(0, 256, (1, 64, 64)).astype(np.uint8)
RECIPE = """
name: copy
precision: float32
task: {kind: restore}
data: {kind: folder}
split: {kind: folds, count: 2}
frame: {size: [32, 32], normalise: {kind: fixed, scale: 255}}
network: {kind: unet, encoder: test_resnet, weights: none}
loss: [{kind: mse}]
train: {epochs: 1}
monitor: {kind: mse}
metric: {kind: psnr}
decide: {kind: as_is}
"""


def case(image: np.ndarray[Any, Any], target: np.ndarray[Any, Any]) -> Case:
    return Case("a", "a", ArrayVolume(image), ArrayVolume(target))


@pytest.mark.parametrize(
    ("dtype", "unit"), [("u1", 255), ("u2", 65535), ("f4", 1), ("f2", 1), ("i2", 1), ("?", 1)]
)
def test_the_unit_is_the_greatest_of_whole_numbers_without_a_sign(dtype: str, unit: float) -> None:
    assert unit_of(np.dtype(dtype)) == unit
    some = case(IMAGE, IMAGE.astype(dtype))
    assert with_unit(RESTORE, [some]).unit == unit
    assert with_unit(RESTORE.model_copy(update={"unit": 7.0}), [some]).unit == 7
    assert with_unit(Task(), [some]).unit is None


def test_targets_of_several_ranges_are_refused_unless_the_unit_is_said() -> None:
    both = [case(IMAGE, IMAGE), case(IMAGE, IMAGE.astype(np.float32))]
    with pytest.raises(DataError, match=r"say with task[.]unit"):
        with_unit(RESTORE, both)
    assert with_unit(RESTORE.model_copy(update={"unit": 255.0}), both).unit == 255
    with pytest.raises(OptionError, match="for a restore task"):
        Task(unit=255)


@pytest.mark.parametrize(("dtype", "unit"), [("u1", None), ("u2", None), ("f4", None), ("f4", 9.0)])
def test_what_is_learnt_is_what_is_scored(dtype: str, unit: float | None) -> None:
    task = RESTORE.model_copy(update={"unit": unit})
    some, frame = case(IMAGE, IMAGE.astype(dtype)), Frame(size=(64, 64), normalise=Fixed())
    draw = Draw(0, Region.whole((64, 64)))
    sample = make_sample(some, draw, frame, Fixed(), (), task, rng(0))
    np.testing.assert_array_equal(sample.target, truth(some, task)[0])
    expected = IMAGE / (unit or unit_of(np.dtype(dtype)))
    np.testing.assert_allclose(sample.target, expected, rtol=1e-6)


def write(folder: Path) -> Path:
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
        for number in range(2):
            pixels = np.random.default_rng(number).integers(0, 256, (64, 48)).astype(np.uint8)
            cv2.imwrite(str(folder / name / f"{number}.png"), pixels)
    return folder


def test_an_answer_equal_to_the_truth_has_no_error_in_validation_and_score(tmp_path: Path) -> None:
    """A network that copies its input, on 8-bit images that are their own targets."""
    (tmp_path / "copy.yaml").write_text(RECIPE)
    root = write(tmp_path / "data")
    opened = open_data(load_recipe(str(tmp_path / "copy.yaml")), root)
    assert opened.task.unit == 255
    recipe, member = opened.recipe, Member(nn.Identity(), opened.recipe.frame.normalise)
    options: dict[str, Any] = {"device": torch.device("cpu"), "precision": None}
    judged = validate(recipe, opened.task, opened.cases, member, **options)
    assert judged.value == pytest.approx(0, abs=1e-12)
    cases = [predicted_case(one.id, one.image.shape) for one in opened.cases]
    info = prediction_info(recipe, *cases)
    predictions = Predictions.create(tmp_path / "pred", info)
    for one in opened.cases:
        predictions.add(one.id, predict_case(one, [member], recipe, **options) + 0.01)
    assert score(tmp_path / "pred", root).value == pytest.approx(40, abs=0.01)  # peak 1
