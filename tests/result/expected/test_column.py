"""What is computed some cases at a time, from memory or files, is what is computed at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lamina.result.calibration import calibrate
from lamina.result.expected import column as column_module
from lamina.result.expected.column import Column
from lamina.result.expected.cut import DICE, best_cuts
from lamina.result.search import kept_counts
from lamina.result.search.histogram import VALUES, count
from lamina.result.search.kept_counts import KeptCounts
from lamina.seeding import rng

CASES = 23
GROUPS = np.arange(CASES) // 2
CODES = np.full(CASES, 9000)


@pytest.fixture(params=["memory", "files"])
def kept(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> KeptCounts:
    """Histograms of different sizes, every fourth without a pixel of the class."""
    files = request.param == "files"
    if files:
        monkeypatch.setattr(kept_counts, "LIMIT", 300)
    random, found = rng(5, "column"), KeptCounts(tmp_path if files else None)
    for number in range(CASES):
        prob = (random.random((8, 9 + number)) ** 2).astype(np.float16)
        valid = random.random(prob.shape) < 0.9 if number % 3 else None
        found.append(count(prob, (random.random(prob.shape) < prob) & (number % 4 > 0), valid))
    return found


def findings(column: Column, groups: np.ndarray, codes: np.ndarray) -> list[np.ndarray]:
    presence = np.linspace(0.2, 1, len(column))
    cuts = best_cuts(column, VALUES, DICE, presence)
    curve = calibrate(column, groups, "platt")
    weights = np.linspace(1, 2, len(column))
    slopes = np.asarray([curve.slope, curve.shift])
    return [cuts.code, cuts.value, *column.per_code(weights), *column.above(codes), slopes]


@pytest.mark.parametrize("most", [1, 150, 700])
def test_parts_of_any_size_give_the_same(
    kept: KeptCounts, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    use = np.flatnonzero(np.arange(CASES) % 5 != 2)
    whole = Column.of(kept)
    expected = [findings(one, GROUPS[of], CODES[of]) for one, of in both(whole, use)]
    monkeypatch.setattr(column_module, "AT_ONCE", most)
    column = Column.of(kept)
    parts = [here for here, _ in column.take(use).parts()]
    assert len(parts) > 1
    assert [n for here in parts for n in range(use.size)[here]] == list(range(use.size))
    for (one, of), wanted in zip(both(column, use), expected, strict=True):
        for found, want in zip(findings(one, GROUPS[of], CODES[of]), wanted, strict=True):
            np.testing.assert_allclose(found, want, rtol=1e-9)


def both(column: Column, use: np.ndarray) -> list[tuple[Column, np.ndarray]]:
    """Return a column, some of its cases, and some of these, with which they are."""
    some = column.take(use)
    return [(column, np.arange(CASES)), (some, use), (some.take(np.arange(3, 9)), use[3:9])]
