"""The metric of each group is that of its cases alone."""

from __future__ import annotations

import numpy as np

from lamina.evaluation.breakdown import group_scores
from lamina.model.metrics import DiceScore, Hd95


def test_groups_are_scored_by_their_own_cases_and_the_worst_is_first() -> None:
    draw = np.random.default_rng(0)
    truth, mask = draw.random((2, 6, 1, 8, 9)) < 0.4
    groups = ["x", "y", "x", "z", "y", "x"]
    for metric in (DiceScore(), DiceScore(over="pooled"), Hd95()):
        tallies = [metric.tally(m, t) for m, t in zip(mask, truth, strict=True)]
        empty = [metric.tally(np.zeros_like(t), t) for t in truth]
        rows = group_scores(metric, groups, tallies, empty)
        assert {row.group: row.cases for row in rows} == {"x": 3, "y": 2, "z": 1}
        for row in rows:
            own = [n for n, group in enumerate(groups) if group == row.group]
            assert row.value == metric.score([tallies[n] for n in own]).value
            assert row.baseline == metric.score([empty[n] for n in own]).value
        values = [row.value for row in rows]
        assert values == sorted(values, reverse=not metric.higher_is_better)


def test_equal_groups_stand_by_name_and_a_baseline_may_be_missing() -> None:
    tally = np.ones((2, 3))
    rows = group_scores(DiceScore(), ["b", "a"], [tally, tally], [])
    assert [(row.group, row.baseline) for row in rows] == [("a", None), ("b", None)]
