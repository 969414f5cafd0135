"""Which cases are shown."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from lamina.reporting.cards.chosen import drawn, false_alarms, misses, worst
from lamina.reporting.judged_cases import ScoredCases, judge
from lamina.reporting.run_contents import Run


def judged(folder: Path) -> ScoredCases:
    run = Run.open(folder)
    return judge(run, run.cases())


def test_the_worst_come_first_and_cases_without_errors_are_left_out(run_folder: Path) -> None:
    judgement = judged(run_folder)
    shown = worst(judgement, 9, higher_is_better=True)
    assert {one.judged.case.id for one in shown[:2]} == {"b.png", "e.png"}
    assert all(one.judged.wrong for one in shown)
    assert len(worst(judgement, 1, higher_is_better=True)) == 1


def test_one_case_of_each_group_is_shown_with_the_number_of_the_others(run_folder: Path) -> None:
    judgement = judged(run_folder)
    grouped = [
        replace(one, case=replace(one.case, group=str(n // 3)))
        for n, one in enumerate(judgement.cases)
    ]
    shown = worst(replace(judgement, cases=grouped), 9, higher_is_better=True)
    assert len(shown) == 2
    wrong = [sum(bool(one.wrong) for one in grouped[i : i + 3]) for i in (0, 3)]
    assert sorted(one.more + 1 for one in shown) == sorted(wrong)


def test_false_alarms_and_misses_are_told_apart(run_folder: Path) -> None:
    judgement = judged(run_folder)
    first, second, *rest = judgement.cases
    alarm = replace(first, pixels=(0.0, 40.0, 0.0))
    miss = replace(second, pixels=(0.0, 5.0, 60.0))
    fine = [replace(one, pixels=(9.0, 9.0, 9.0)) for one in rest]
    changed = replace(judgement, cases=[alarm, miss, *fine])
    assert [one.judged for one in false_alarms(changed, 9)] == [alarm]
    assert [one.judged for one in misses(changed, 9)] == [miss]


def test_the_draw_is_without_repeats_and_in_order(run_folder: Path) -> None:
    judgement = judged(run_folder)
    ids = [one.judged.case.id for one in drawn(judgement, 4, np.random.default_rng(0))]
    assert len(set(ids)) == 4
    order = [case.case.id for case in judgement.cases]
    assert ids == sorted(ids, key=order.index)
    assert len(drawn(judgement, 99, np.random.default_rng(0))) == 6
