"""Held-out cases are scored by the decision of the bundle."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lamina.reporting.judged_cases import judge
from lamina.reporting.run_contents import Run


def test_cases_are_judged_by_the_decision(run_folder: Path) -> None:
    run = Run.open(run_folder)
    judgement = judge(run, run.cases())
    assert len(judgement.cases) == 6
    assert judgement.summary is not None
    assert judgement.summary["value"] == np.mean([case.value for case in judgement.cases])
    ordered = sorted(judgement.cases, key=lambda judged: judged.value)
    assert {one.case.id for one in ordered[:2]} == {"b.png", "e.png"}
    assert (ordered[-1].value, ordered[-1].wrong) == (1.0, 0.0)


def test_pixels_are_counted_by_class(run_folder: Path) -> None:
    run = Run.open(run_folder)
    judgement = judge(run, run.cases())
    assert judgement.pixels is not None
    assert judgement.pixels.truth.tolist() == [480, 480]  # two objects of 12 x 20 each
    assert judgement.pixels.predicted.sum(axis=1).tolist() == [6 * 32 * 48] * 2
    assert judgement.pixels.hits.sum(axis=1).tolist() == [480, 480]
    assert judgement.pixels.confusion is None  # classes may overlap
    right, predicted, true = np.sum([one.pixels for one in judgement.cases], axis=0)
    assert (predicted, true) == (960, 960)
    assert 0 < right < 960


def test_a_cut_off_log_and_a_missing_bundle_do_not_matter(run_folder: Path) -> None:
    run = Run.open(run_folder)
    assert [len(rows) for rows in run.rows.values()] == [9, 9]
    assert run.seconds == 18
    assert run.decision == run.recipe.decide
