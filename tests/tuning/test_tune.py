"""Tuning a run: triplets by the command's word, what is written down, and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from lamina.bundle import Bundle
from lamina.errors import RecipeError
from lamina.prediction.folder.predictions import Predictions
from lamina.reporting.page import report
from lamina.result.decisions import Threshold, Triplet
from lamina.training.ensembles.ensemble import ensemble
from lamina.training.run import train
from lamina.tuning.tune import table, tune
from tests.factories.training import known, steel_recipe


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("search")
    train(steel_recipe(folder), data=known(folder), out=folder / "run")
    return folder / "run"


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    shutil.copytree(trained, tmp_path / "run")
    return tmp_path / "run"


def test_a_run_is_tuned_with_triplets_by_the_word_of_the_command(run: Path) -> None:
    """SIIM-23."""
    found = tune(run, decision="triplet")
    decision = Bundle.load(run / "bundle").decision
    assert isinstance(decision, Triplet)
    assert found["decision"] == decision.model_dump(mode="json")
    scores = found["scores"]
    assert scores["tuned"] >= scores["baseline_empty"]
    assert scores["best"] >= max(scores["threshold"], scores["at_half"], scores["flat"]) - 1e-9
    assert {"best_nested", "flat_nested"} <= set(scores)
    json.dumps(found, allow_nan=False)
    text = table(found)
    assert "257 upper and 257 lower thresholds (steps of 1/256) with all areas" in text
    assert "chosen: flat, of the triplets within 0.01 of the best" in text
    page = report(run).read_text(encoding="utf-8")
    assert "the flattest of the triplets" in page
    assert "half to double the area" in page


def test_the_kind_can_be_turned_back(run: Path) -> None:
    tune(run, decision="triplet")
    before = tune(run, decision="threshold")
    assert isinstance(Bundle.load(run / "bundle").decision, Threshold)
    assert tune(run) == before  # the recipe's kind is threshold
    with pytest.raises(RecipeError, match="--decision is 'argmax'; it must be one of threshold"):
        tune(run, decision="argmax")


def test_a_blend_is_the_weighted_sum_of_the_maps(trained: Path, tmp_path: Path) -> None:
    """SIIM-28: .4/.2/.2/.2 of four experiments; each map stays a probability."""
    weights = [0.4, 0.2, 0.2, 0.2]
    runs = []
    rng = np.random.default_rng(1)
    for number in range(4):
        runs.append(tmp_path / f"run{number}")
        shutil.copytree(trained, runs[-1])
        for path in runs[-1].glob("fold*/oof/probabilities/**/*.npy"):
            np.save(path, rng.random(np.load(path).shape).astype(np.float16))
    found = ensemble(runs, tmp_path / "blend", weights=weights)
    assert found["answers"] == {"4": 8}
    for fold in (0, 1):
        blend = Predictions.open(tmp_path / "blend" / f"fold{fold}" / "oof")
        alone = [Predictions.open(one / f"fold{fold}" / "oof") for one in runs]
        for id in blend.ids:
            wanted = sum(
                weight * one.prob(id).astype(np.float64)
                for weight, one in zip(weights, alone, strict=True)
            )
            np.testing.assert_allclose(blend.prob(id), wanted, atol=5e-4)  # float16
