"""The page of evidence: scores from sums of groups, intervals over groups, what was not run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tools import evidence
from tools.evidence import Row, difference, page, rows_of, score


def scored(above: Any, below: Any, empty: float | None = 1.0) -> dict[str, Any]:
    one, two = np.asarray(above, float), np.asarray(below, float)
    value = float(score(one.sum(0), two.sum(0), empty))
    return {"value": value, "above": one.tolist(), "below": two.tolist(), "empty": empty}


def row(program: str, hits: float, seed: int = 0, data: str = "em", machine: str = "one") -> Row:
    sums = [[hits + 0.01 * group] for group in range(12)]
    scores = {
        "Dice, pooled": {
            "as they come": scored(sums, np.ones((12, 1))),
            "nothing": scored(np.zeros((12, 1)), np.ones((12, 1))),
        }
    }
    return Row(data, program, 6, seed, "EM mitochondria", machine, {}, scores)


def test_a_score_is_the_mean_over_classes_and_knows_classes_without_a_pixel() -> None:
    above, below = np.array([3.0, 0.0]), np.array([4.0, 0.0])
    assert score(above, below, 1.0) == pytest.approx((0.75 + 1) / 2)
    assert score(above, below, 0.0) == pytest.approx(0.375)
    assert score(above, below, None) == pytest.approx(0.75)
    assert score(below * 0, below * 0, None) == 0


def test_a_difference_pairs_groups() -> None:
    rng = np.random.default_rng(0)
    hard = rng.uniform(0.1, 0.9, (20, 1))
    ones = np.ones((20, 1))
    value, low, high = difference([scored(hard + 0.05, ones)], [scored(hard, ones)])
    assert value == pytest.approx(0.05)
    assert low == pytest.approx(0.05)  # groups differ widely, and by the same: nothing is left
    assert high == pytest.approx(0.05)
    noise = rng.normal(0, 0.2, (20, 1))
    value, low, high = difference([scored(hard + noise, ones)], [scored(hard, ones)])
    error = noise.std() / 20**0.5
    assert value == pytest.approx(noise.mean())
    assert high - low == pytest.approx(2 * 1.645 * error, rel=0.1)


def test_a_class_that_no_drawn_group_has_does_not_count() -> None:
    """One of four groups has the second class, so that 0.32 of the draws do not show it."""
    has = np.array([[1.0, 0.0]] * 3 + [[1.0, 1.0]])
    found, nothing = scored(has, has + 1), scored(has * 0, has)
    value, low, _ = difference([found], [nothing])
    assert value == pytest.approx((4 / 8 + 1 / 5) / 2)
    assert low < 0  # nothing counts 1 where the class is not
    value, low, high = difference([found], [nothing], nothing)
    assert value == pytest.approx((4 / 8 + 1 / 5) / 2)
    assert low > 0.3
    assert high == pytest.approx(0.5)  # of the first class alone


def test_a_difference_is_of_the_mean_over_seeds() -> None:
    ones = np.ones((4, 1))
    seeds = [scored(ones * value, ones) for value in (0.2, 0.4)]
    assert difference(seeds, [scored(ones * 0.1, ones)] * 2)[0] == pytest.approx(0.2)


def test_the_page_has_means_differences_commands_and_what_is_missing() -> None:
    rows = [row("planned", 0.5), row("planned", 0.7, 1), row("planned", 0.6, 2), row("hand", 0.4)]
    text = page(rows)
    name = "| EM mitochondria, Dice, pooled, as they come"
    assert f"{name}; nothing 0.000 | 0.655 | 0.455 (0) | not run | not run | not run |" in text
    assert f"{name} | **+0.100** (+0.100 to +0.100) | - | - | - |" in text
    command = "benchmarks/evidence --data em --minutes 6 --programs planned hand --seeds 0 1 2"
    assert command in text
    assert "4 of 252 rows have been run." in text
    assert text.count("No row has been run.") == 2


def test_differences_between_processors_are_marked() -> None:
    rows = [row("planned", 0.5), row("hand", 0.4), row("plain", 0.3, machine="two")]
    text = page(rows)
    assert "| **+0.100** (+0.100 to +0.100) | **+0.200** (+0.200 to +0.200) † | - | - |" in text
    assert "| one | 2 |\n| two | 1 |" in text


def test_where_the_planned_recipe_is_below_is_told() -> None:
    rows = [row("planned", 0.5), row("hand", 0.505), row("plain", 0.6), row("nnunet", 0.4)]
    rows += [row("planned", 0.5, data="tiles"), row("hand", 0.52, data="tiles")]
    text = page(rows)
    missing = "4: lungs, consolidation, f3, bsd68"
    assert f"| built-in recipe, less 0.01 | 1: em | 1: tiles (-0.020) | {missing} |" in text
    assert "| plain loop | - | 1: em (-0.100) | 5: tiles, " in text
    assert "| nnU-Net | 1: em | - | 4: tiles, lungs, consolidation, f3 |" in text


def test_rows_are_read_from_their_files(tmp_path: Path) -> None:
    wanted = row("plain", 0.5)
    (tmp_path / "a.json").write_text(json.dumps(wanted.__dict__ | {"recipe": "x"}))
    assert rows_of(tmp_path) == [wanted]


def test_the_page_in_the_documents_is_that_of_the_rows() -> None:
    assert evidence.PAGE.read_text(encoding="utf-8") == page(rows_of(evidence.ROWS))
