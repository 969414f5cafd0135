"""The worst cases of a validation are kept in order, with a picture; training writes them down."""

from __future__ import annotations

import base64
import itertools
from pathlib import Path

import cv2
import numpy as np
import pytest

from lamina.data.case import Case
from lamina.files import read_object
from lamina.model.metrics import DiceScore, Psnr
from lamina.recipe.load import load_recipe
from lamina.task import Task
from lamina.training.preview.worst_cases import KEPT, WorstCases
from lamina.training.run import train
from lamina.volume import ArrayVolume, read_all
from tests.factories.discs import discs, quick

SPOT = Task(kind="binary", names=("spot",))


def case(id: str, shape: tuple[int, ...]) -> Case:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (1, *shape)).astype(np.uint8)
    target = np.zeros((1, *shape), np.uint8)
    target[..., 4:12, 4:12] = 255
    axes = "zyx"[-len(shape) :]
    return Case(id, id, ArrayVolume(image, axes, "image"), ArrayVolume(target, axes, "target"))


def picture(text: str) -> np.ndarray:
    return np.asarray(cv2.imdecode(np.frombuffer(base64.b64decode(text), np.uint8), 1))


@pytest.mark.parametrize("order", list(itertools.permutations(range(8)))[::9000])
def test_the_worst_are_kept_in_order(order: tuple[int, ...]) -> None:
    metric = DiceScore(over="image", empty="one", ignore_first=False)
    worst = WorstCases(metric, SPOT)
    for n in order:
        one = case(str(n), (24, 30))
        answer = np.zeros((1, 24, 30), np.float32)
        answer[0, 4:12, 4 : 4 + n] = 0.9
        target = answer[:, :, :] > 2
        target[0, 4:12, 4:12] = True
        worst.offer(one, answer, metric.tally(answer > 0.5, target))
    assert [found.id for found in worst.found] == [str(n) for n in range(KEPT)]
    assert [found.value for found in worst.found] == pytest.approx(
        [2 * n / (n + 8) for n in range(KEPT)]
    )
    assert picture(worst.found[0].picture).shape == (24, 30, 3)


def test_of_a_volume_the_slice_with_most_errors_is_drawn() -> None:
    metric = DiceScore(over="image", empty="one", ignore_first=False)
    one, answer = case("volume", (3, 24, 30)), np.zeros((1, 3, 24, 30), np.float32)
    answer[0, :2, 4:12, 4:12] = 1
    answer[0, 2, 1:-1, 1:-1] = 1
    target = np.zeros(answer.shape, np.bool_)
    target[..., 4:12, 4:12] = True
    worst = WorstCases(metric, SPOT)
    worst.offer(one, answer, metric.tally(answer > 0.5, target))
    drawn = picture(worst.found[0].picture)
    assert drawn.shape == (24, 30, 3)
    edge = drawn[1, 1:-1].astype(int)  # the outline of a mask that covers most of the slice
    assert (edge.max(axis=1) - edge.min(axis=1)).mean() > 40
    turned = WorstCases(metric, SPOT, load_recipe("faults-laptop").frame)  # samples are the last
    turned.offer(one, answer, metric.tally(answer > 0.5, target))
    assert picture(turned.found[0].picture).shape == (30, 24, 3)


def test_of_values_the_worst_are_those_with_the_lowest_ratio() -> None:
    task = Task(kind="restore", names=("value",), unit=255.0)
    worst, metric = WorstCases(Psnr(), task), Psnr()
    for n, error in enumerate((0.5, 0.1, 0.9)):
        one = case(str(n), (16, 16))
        assert one.target is not None
        clean = read_all(one.target) / np.float32(255)
        answer = (clean + np.float32(error)).astype(np.float32)
        worst.offer(one, answer, metric.tally(answer, clean))
    assert [found.id for found in worst.found] == ["2", "0", "1"]


def test_training_writes_them_at_each_validation(tmp_path: Path) -> None:
    train(quick(tmp_path), data=discs(tmp_path / "data"), out=tmp_path / "run", folds=[0])
    found = read_object(tmp_path / "run" / "fold0" / "validation.json", "cases")
    values = [row["value"] for row in found["cases"]]
    assert values == sorted(values)
    assert found["stage"] == "main"
    held_out = {
        row["id"]
        for row in read_object(tmp_path / "run" / "data.json", "cases")["cases"]
        if row["fold"] == 0
    }
    assert {row["id"] for row in found["cases"]} <= held_out
    assert picture(found["cases"][0]["picture"]).ndim == 3
