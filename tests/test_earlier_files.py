"""Folders that lamina 0.1.0 of November 2026 wrote still load, resume and score.

``tests/data/earlier_run`` was made by the commit before the packages were renamed: eight made
images, a finished and tuned run of two folds, a run killed in its last fold, and a prediction.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import lamina

EARLIER = Path(__file__).parent / "data" / "earlier_run"


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    return Path(shutil.copytree(EARLIER, tmp_path / "earlier"))


def test_a_bundle_loads_and_predicts_what_it_predicted(earlier: Path) -> None:
    bundle = lamina.Bundle.load(earlier / "run" / "bundle")
    assert bundle.recipe.name == "disc"
    lamina.predict([earlier / "run"], [earlier / "data" / "images"], earlier / "again")
    for stored in sorted((earlier / "pred" / "probabilities").iterdir()):
        again = np.load(earlier / "again" / "probabilities" / stored.name)
        np.testing.assert_allclose(again, np.load(stored), atol=2e-3)


def test_a_finished_run_stays_as_it_is(earlier: Path) -> None:
    run = earlier / "run"
    before = (run / "bundle" / "bundle.json").read_bytes()
    lamina.train(lamina.load_recipe(run / "recipe.yaml"), data=earlier / "data", out=run)
    assert (run / "bundle" / "bundle.json").read_bytes() == before
    lamina.tune(run)
    lamina.report(run)


def test_a_stopped_run_resumes_to_the_members_of_the_finished_one(earlier: Path) -> None:
    """G11."""
    out = earlier / "stopped"
    first = (out / "fold0" / "metrics.jsonl").read_bytes()
    lamina.train(lamina.load_recipe(out / "recipe.yaml"), data=earlier / "data", out=out)
    assert (out / "fold0" / "metrics.jsonl").read_bytes() == first
    stopped, whole = (
        [json.loads(line) for line in (folder / "fold1" / "metrics.jsonl").read_text().splitlines()]
        for folder in (out, earlier / "run")
    )
    assert [epoch["epoch"] for epoch in stopped] == [epoch["epoch"] for epoch in whole]
    assert stopped[-1]["loss"] == pytest.approx(whole[-1]["loss"], rel=0.02)


def test_a_prediction_scores_as_it_did(earlier: Path) -> None:
    score = lamina.score(earlier / "pred", earlier / "data")
    stored = json.loads((earlier / "score.json").read_text(encoding="utf-8"))
    assert score.value == pytest.approx(stored["value"], abs=1e-9)


RECIPES = Path(__file__).parent / "data" / "earlier_recipes"
DIGESTS = json.loads((RECIPES / "digests.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", DIGESTS)
def test_a_recipe_has_the_digest_that_it_had(name: str) -> None:
    """G11.

    New options leave digests alone: resolved recipes of before load, and count as the same."""
    assert lamina.load_recipe(RECIPES / f"{name}.yaml").digest() == DIGESTS[name]
