"""Tuning of classes that exclude each other, whose default is the most probable class."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from lamina.bundle import Bundle, KnownCase
from lamina.data.targets.ground_truth import truth
from lamina.files import write_json
from lamina.prediction.folder.predictions import Predictions
from lamina.recipe.recipe import Recipe
from lamina.result.calibration import calibrated
from lamina.result.decisions import Argmax, Expected
from lamina.training.dataset import open_data
from lamina.tuning.tune import table, tune
from tests.factories.bundles import Maker
from tests.factories.predictions import predicted_case, prediction_info

NAMES = ("ground", "pit", "rim")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of 16 images: maps that favour the background far too much, as trained ones may."""
    data, rng = tmp_path / "data", np.random.default_rng(0)
    for folder in ("images", "masks"):
        (data / folder).mkdir(parents=True)
    for number in range(16):
        labels = np.zeros((40, 48), np.uint8)
        for k in (1, 2):
            row, column = rng.integers(0, 25, 2)
            labels[row : row + 12, column : column + 14] = k
        cv2.imwrite(str(data / "images" / f"{number:02}.png"), labels * 60 + 20)
        cv2.imwrite(str(data / "masks" / f"{number:02}.png"), labels)
    values: dict[str, Any] = {
        "task": {"kind": "multiclass", "names": NAMES},
        "data": {"kind": "folder", "labels": {"0": 0, "1": 1, "2": 2}},
        "split": {"kind": "folds", "count": 2},
        "loss": [{"kind": "cross_entropy"}],
        "metric": {"kind": "dice", "over": "image_class"},
        "decide": {"kind": "argmax"},
    }
    recipe = Maker().recipe(**values)
    opened = open_data(recipe, data)
    folder = tmp_path / "run"
    pairs = list(zip(opened.cases, opened.folds, strict=True))
    known = {case.id: KnownCase(sha256=("0" * 64,), fold=fold) for case, fold in pairs}
    Maker().bundle(known, **values).save(folder / "bundle")
    write_json(folder / "recipe.json", recipe.model_dump(mode="json"))
    rows = [{"id": case.id, "fold": fold} for case, fold in pairs]
    write_json(folder / "data.json", {"root": str(data), "cases": rows})
    for fold in opened.numbers:
        held = opened.held_out(fold)
        listed = [predicted_case(case.id, case.image.shape, known="held_out") for case in held]
        info = prediction_info(recipe, *listed, members="out_of_fold")
        stored = Predictions.create(folder / f"fold{fold}" / "oof", info)
        for case in held:
            target, _ = truth(case, recipe.task)
            logit = rng.normal(0, 1, target.shape) + 2.5 * target
            logit[0] += 3.0
            prob = np.exp(logit) / np.exp(logit).sum(axis=0)
            stored.add(case.id, prob.astype(np.float32))
    return folder


def judged(run: Path, recipe: Recipe, decide: Any, curves: Any = ()) -> float:
    """The metric of a decision on all maps, written out."""
    opened = open_data(recipe, run.parent / "data")
    tallies = []
    for fold in opened.numbers:
        stored = Predictions.open(run / f"fold{fold}" / "oof")
        for case in opened.held_out(fold):
            prob = calibrated(stored.prob(case.id), curves, exclusive=True).astype(np.float16)
            tallies.append(recipe.metric.tally(decide(prob), truth(case, recipe.task)[0]))
    return recipe.metric.score(tallies).value


def test_the_expected_score_replaces_the_most_probable_class_where_it_is_better(
    run: Path,
) -> None:
    found = tune(run)
    recipe = Bundle.load(run / "bundle").recipe
    selection = found.selection
    assert [candidate.name for candidate in selection.candidates] == ["default", "expected"]
    assert selection.chosen == "expected"
    assert "better than the most probable class of each pixel" in selection.sentence
    assert isinstance(found.decision, Expected)
    assert found.decision.exclusive
    default, mine = judged(run, recipe, Argmax()), judged(run, recipe, found.decision)
    assert selection.candidates[0].apparent == pytest.approx(default)
    assert found.scores["tuned"] == pytest.approx(mine)
    assert mine > default + 0.05
    assert any("exclude each other" in note for note in selection.notes)
    assert "pit" in table(found)


def test_work_3_argmax_is_kept_when_asked_and_the_table_says_so(run: Path) -> None:
    found = tune(run, decision="default")
    assert found.decision == Argmax()
    assert "the most probable class of each pixel, as asked" in found.selection.sentence
    assert "image AUC" in table(found)


def test_exclusive_classes_are_calibrated_and_sum_to_1(run: Path) -> None:
    found = tune(run, calibrate="platt", decision="default")
    recipe = Bundle.load(run / "bundle").recipe
    assert found.calibration
    score = judged(run, recipe, Argmax(), found.calibration)
    assert found.scores["tuned"] == pytest.approx(score)
    assert score > judged(run, recipe, Argmax()) + 0.02
    before = [one.before.error for one in found.reliability.values()]
    after = [one.after.error for one in found.reliability.values()]
    assert sum(after) < sum(before) * 0.6
