"""The first sentence of a page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lamina.reporting.judged_cases import ScoredCases, judge
from lamina.reporting.run_contents import Run
from lamina.reporting.verdict import verdict_of


def many(run: Run, copies: int) -> ScoredCases:
    """Return the judged cases several times, each a group of its own."""
    judgement = judge(run, run.cases())
    cases = [
        replace(one, case=replace(one.case, group=f"{one.case.id} {n}"))
        for n in range(copies)
        for one in judgement.cases
    ]
    return replace(judgement, cases=cases, baseline=list(judgement.baseline) * copies)


def test_few_groups_cannot_tell(run_folder: Path) -> None:
    run = Run.open(run_folder)
    judgement = judge(run, run.cases())
    few = [replace(one, case=replace(one.case, group="a")) for one in judgement.cases]
    found = verdict_of(run, replace(judgement, cases=few))
    assert found is not None
    assert found.word == "cannot tell"
    assert found.sentence.startswith("Cannot tell: 1 group held out, an interval needs 5. Score")
    assert verdict_of(run, ScoredCases([], None)) is None


def test_score_and_baseline_are_those_of_the_summary(run_folder: Path) -> None:
    run = replace(Run.open(run_folder), tune=None)
    judgement = many(run, 10)
    found = verdict_of(run, judgement)
    assert found is not None
    assert judgement.summary is not None
    value, baseline = judgement.summary["value"], judgement.summary["baseline_empty"]
    assert found.word == ("better" if value > baseline else "worse")
    assert f"{value:.2f} against {baseline:.2f}; 95 % interval" in found.sentence
    assert "over 60 groups" in found.sentence
    low, high = found.resampled.gain or (0.0, 0.0)
    assert low < value - baseline < high


def test_a_tuned_decision_is_judged_by_what_new_groups_are_expected_to_score(
    run_folder: Path,
) -> None:
    run = Run.open(run_folder)
    judgement = many(run, 10)
    assert judgement.summary is not None
    value = judgement.summary["value"]
    kept = {"name": "threshold", "apparent": value, "expected": value - 0.2}
    tune = {"selection": {"chosen": "threshold", "candidates": [kept]}}
    plain = verdict_of(replace(run, tune=None), judgement)
    found = verdict_of(replace(run, tune=tune), judgement)
    assert found is not None
    assert plain is not None
    assert f"{value - 0.2:.2f} (cross-validated)" in found.sentence
    assert found.resampled.gain == pytest.approx([one - 0.2 for one in plain.resampled.gain or ()])
    assert f"{value:.4f}" in found.notes[-1]


def test_folds_that_were_not_trained_are_told(run_folder: Path) -> None:
    run = Run.open(run_folder)
    cases = [*run.data["cases"], {"id": "z", "fold": 2, "shape": [1, 1]}]
    found = verdict_of(replace(run, data={"cases": cases}), judge(run, run.cases()))
    assert found is not None
    assert found.notes[0] == "2 of 3 folds trained."
