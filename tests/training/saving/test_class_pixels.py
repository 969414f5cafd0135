"""Weights of classes from the training cases: counted against numpy, once, and used by the loss."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from lamina.data.case import Case
from lamina.errors import DataError, RecipeError
from lamina.files import read_json, write_json
from lamina.model.losses import CrossEntropy, Dice
from lamina.seeding import rng
from lamina.task import Task
from lamina.training.run import train
from lamina.training.saving.class_pixels import CLASS_PIXELS, class_pixels
from lamina.volume import ArrayVolume
from tests.factories.discs import discs, quick

CLASSES = Task(kind="multiclass", names=("ground", "a", "b"))
LAYERS = Task(kind="multilabel", names=("a", "b"))
AUTO = (
    "task={kind: multiclass, names: [ground, disc]}",
    "data.labels={0: 0, 255: 1}",
    "loss=[{kind: cross_entropy, class_weights: auto}]",
    "decide={kind: argmax}",
)


@pytest.mark.parametrize("axes", ["yx", "zyx"])
@pytest.mark.parametrize("masked", [False, True])
def test_pixels_are_those_that_numpy_counts(axes: str, masked: bool) -> None:
    shape = (5, 6, 7)[: len(axes)]
    chance = rng(0, "pixels", axes)
    ids, masks = chance.integers(0, 3, (1, *shape)), chance.random((2, *shape)) < 0.3
    valid = chance.random((1, *shape)) < 0.7
    image = ArrayVolume(np.zeros((1, *shape), np.uint8), axes)
    counts = valid[0] if masked else np.ones(shape, bool)

    def case(target: np.ndarray) -> Case:
        mask = ArrayVolume(valid.astype(np.uint8), axes) if masked else None
        return Case("a", "a", image, ArrayVolume(target.astype(np.uint8), axes), mask)

    wanted = [*((ids[0] == k)[counts].sum() for k in range(3)), counts.sum()]
    assert class_pixels(case(ids), CLASSES).tolist() == wanted
    wanted = [*(mask[counts].sum() for mask in masks), counts.sum()]
    assert class_pixels(case(masks), LAYERS).tolist() == wanted
    with pytest.raises(DataError, match="has no target"):
        class_pixels(replace(case(ids), target=None), CLASSES)


def test_weights_of_cross_entropy_make_the_mean_weight_of_a_pixel_one() -> None:
    """By hand and as scikit-learn's "balanced": 90, 9 and 1 of 100 pixels; a fourth has none."""
    auto = CrossEntropy(class_weights="auto")
    found = auto.with_class_pixels([90, 9, 1, 0], 100)
    assert found.class_weights == pytest.approx((100 / 270, 100 / 27, 100 / 3, 1))
    fixed = CrossEntropy(class_weights=(1.0, 2.0))
    assert fixed.with_class_pixels([1, 3], 4) is fixed


def test_weights_of_dice_sum_to_one_by_the_inverse_of_the_pixels() -> None:
    """By hand: 1/1, 1/4 and their mean 5/8 for the class that has no pixel, over 15/8."""
    found = Dice(class_weights="auto").with_class_pixels([1, 4, 0], 10)
    assert found.class_weights == pytest.approx((8 / 15, 2 / 15, 5 / 15))
    equal = Dice(class_weights="auto").with_class_pixels([7, 7], 20)
    logits = torch.randn(2, 2, 8, 8, generator=torch.Generator().manual_seed(0))
    target = (logits.flip(0) > 0).float()
    plain = Dice()(logits, target, exclusive=False)
    assert equal(logits, target, exclusive=False) == pytest.approx(float(plain))


@pytest.mark.parametrize("loss", [CrossEntropy(class_weights="auto"), Dice(class_weights="auto")])
def test_weights_that_nobody_counted_are_refused(loss: CrossEntropy | Dice) -> None:
    logits = torch.zeros(1, 2, 4, 4)
    target = torch.nn.functional.one_hot(torch.zeros(1, 4, 4, dtype=torch.long), 2)
    with pytest.raises(RecipeError, match="no training cases were counted; write a weight for"):
        loss(logits, target.movedim(-1, 1).float(), exclusive=True)


def test_a_fold_learns_with_the_weights_of_its_own_training_cases(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Counts of every case are kept once; the run is that of the same weights written out."""
    data, out = discs(tmp_path / "data", count=4), tmp_path / "run"
    train(quick(tmp_path, *AUTO), data=data, out=out, folds=[0])
    said = capsys.readouterr().err
    rows = read_json(out / "data.json")["cases"]
    areas = {
        row["id"]: int((cv2.imread(str(data / "masks" / f"{row['id']}.png"), 0) > 0).sum())
        for row in rows
    }
    training = [row["id"] for row in rows if row["fold"] != 0]
    kept = read_json(out / CLASS_PIXELS)["pixels"]
    assert kept == {id: [96 * 96 - areas[id], areas[id], 96 * 96] for id in training}
    disc, whole = sum(areas[id] for id in training), 96 * 96 * len(training)
    weights = [whole / (2 * (whole - disc)), whole / (2 * disc)]
    assert f"class weights of cross_entropy by the training cases: ground {weights[0]:.4g}" in said
    written = f"loss=[{{kind: cross_entropy, class_weights: {weights}}}]"
    train(quick(tmp_path, *AUTO[:2], written, AUTO[3]), data=data, out=tmp_path / "b", folds=[0])
    logs = [
        json.loads((place / "fold0" / "metrics.jsonl").read_text().splitlines()[0])
        for place in (out, tmp_path / "b")
    ]
    assert logs[0]["loss"] == logs[1]["loss"]
    assert read_json(out / "recipe.json")["loss"][0]["class_weights"] == "auto"


def test_counts_are_kept_for_these_very_data_only(tmp_path: Path) -> None:
    data, out = discs(tmp_path / "data", count=4), tmp_path / "run"
    train(quick(tmp_path, *AUTO), data=data, out=out)
    stored = read_json(out / CLASS_PIXELS)
    assert len(stored["pixels"]) == 4
    wrong = {id: [1, 1, 2] for id in stored["pixels"]}
    write_json(out / CLASS_PIXELS, {**stored, "pixels": wrong})
    train(quick(tmp_path, *AUTO), data=data, out=out)
    assert read_json(out / CLASS_PIXELS)["pixels"] == wrong  # taken, not counted again
    write_json(out / CLASS_PIXELS, {"data": "other", "pixels": wrong})
    train(quick(tmp_path, *AUTO), data=data, out=out)
    assert read_json(out / CLASS_PIXELS) == stored
