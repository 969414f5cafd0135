"""Which cases are worst, and what is drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lamina.reporting.judged_cases import drawn, judge, worst
from lamina.reporting.run_contents import Run


def test_cases_are_judged_by_the_decision_and_ordered_by_their_score(run_folder: Path) -> None:
    run = Run.open(run_folder)
    judgement = judge(run, run.cases())
    assert len(judgement.cases) == 6
    assert judgement.summary is not None
    assert judgement.summary["value"] == np.mean([case.value for case in judgement.cases])
    assert {one.case.id for one in worst(judgement, 2, higher_is_better=True)} == {"b.png", "e.png"}
    best = worst(judgement, 1, higher_is_better=False)[0]
    assert (best.value, best.wrong) == (1.0, 0.0)


def test_the_draw_is_without_repeats_and_in_order(run_folder: Path) -> None:
    run = Run.open(run_folder)
    judgement = judge(run, run.cases())
    ids = [one.case.id for one in drawn(judgement, 4, np.random.default_rng(0))]
    assert len(set(ids)) == 4
    order = [case.case.id for case in judgement.cases]
    assert ids == sorted(ids, key=order.index)
    assert len(drawn(judgement, 99, np.random.default_rng(0))) == 6


def test_a_cut_off_log_and_a_missing_bundle_do_not_matter(run_folder: Path) -> None:
    run = Run.open(run_folder)
    assert [len(rows) for rows in run.rows.values()] == [9, 9]
    assert run.seconds == 18
    assert run.decision == run.recipe.decide
