"""Scores by several processes: those of one, and one bad case costs no other."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from lamina.cli.main import app
from lamina.errors import DataError, PartialError, RecipeError
from lamina.evaluation.cases.score_cases import _tasks
from lamina.evaluation.cases.scorer import CaseScorer
from lamina.evaluation.score import ScoreResult, score
from lamina.prediction.folder.predictions import Predictions
from lamina.recipe.load import load_recipe
from lamina.rle.codec import encode
from lamina.seeding import rng
from tests.factories.predictions import write_predictions

CASES = 9


@pytest.fixture
def many(tmp_path: Path) -> tuple[Path, Path]:
    """Nine images of two classes, whose predictions are noisy."""
    recipe, random = load_recipe("steel-laptop", ["task.names=[one,two]"]), rng(3, "score")
    (tmp_path / "truth/images").mkdir(parents=True)
    rows, maps = ["ImageId,ClassId,EncodedPixels"], {}
    for number in range(CASES):
        name = f"{number}.png"
        cv2.imwrite(str(tmp_path / "truth/images" / name), np.zeros((12, 20), np.uint8))
        masks = np.zeros((2, 12, 20), np.bool_)
        masks[number % 2, number : number + 3, 4:9] = number % 3 > 0
        maps[name] = (0.45 * masks + 0.55 * random.random(masks.shape)).astype(np.float32)
        rows += [f"{name},{k + 1},{encode(m, 'severstal')}" for k, m in enumerate(masks) if m.any()]
    (tmp_path / "truth/train.csv").write_text("\n".join(rows) + "\n")
    return write_predictions(tmp_path / "pred", recipe, maps), tmp_path / "truth"


def test_processes_give_the_bytes_of_one(many: tuple[Path, Path]) -> None:
    alone = score(*many, by=["size", "group"])
    assert 0 < alone.value < 1
    together = score(*many, by=["size", "group"], workers=2)
    assert json.dumps(together.to_dict()) == json.dumps(alone.to_dict())


@pytest.mark.parametrize("workers", [None, 2])
def test_one_bad_case_is_named_and_the_others_are_scored(
    workers: int | None, many: tuple[Path, Path]
) -> None:
    pred, truth = many
    (truth / "images/6.png").unlink()
    without = score(pred, truth)
    cv2.imwrite(str(truth / "images/6.png"), np.zeros((5, 6), np.uint8))
    with pytest.raises(PartialError, match=r"8 cases are scored, 1 could not be") as caught:
        score(pred, truth, workers=workers)
    result = caught.value.result
    assert isinstance(result, ScoreResult)
    (failed,) = result.failed
    assert failed.source.endswith("6.png")
    assert "the prediction has the shape (12, 20), the ground truth (5, 6)" in failed.why
    assert (result.value, result.classes) == (without.value, without.classes)
    assert (result.cases, result.known) == (8, {"new": 8})


def test_the_command_shows_the_others_and_ends_with_5(many: tuple[Path, Path]) -> None:
    pred, truth = many
    np.save(pred / "probabilities/2.png.npy", np.zeros(3))  # damaged
    done = CliRunner().invoke(app, ["score", str(pred), str(truth)])
    assert done.exit_code == 5
    assert "8 cases: 8 not seen in training" in done.stdout
    assert "1 of these in both could not be scored" in done.stdout
    assert "does not match its digest" in done.stderr
    done = CliRunner().invoke(app, ["score", str(pred), str(truth), "--json"])
    assert len(json.loads(done.stdout)["failed"]) == 1


def test_where_no_case_can_be_scored_the_first_reason_is_the_error(
    many: tuple[Path, Path],
) -> None:
    pred, truth = many
    for path in (pred / "probabilities").iterdir():
        path.unlink()
    with pytest.raises(DataError, match=r"none of 9 cases can be scored: .* is missing"):
        score(pred, truth)


def test_tasks_hold_what_they_need_and_no_more(many: tuple[Path, Path]) -> None:
    predictions = Predictions.open(many[0])
    recipe = predictions.info.recipe
    scorer = CaseScorer(predictions, recipe.metric, many[1])
    pairs = [(case.id, case) for case in recipe.data.open(many[1], recipe.task).cases]
    tasks = list(_tasks(scorer, pairs, 1))
    assert [task.first for task in tasks] == [0, 2, 4, 6, 8]
    assert [pair for task in tasks for pair in task.pairs] == pairs
    assert all(task.scorer.predictions.ids == [id for id, _ in task.pairs] for task in tasks)
    assert [[part.first for part in task.single()] for task in tasks][1] == [2, 3]


def test_workers_must_be_a_number(many: tuple[Path, Path]) -> None:
    with pytest.raises(RecipeError, match="--workers is 0; it must be auto, or 1 or more"):
        score(*many, workers=0)
