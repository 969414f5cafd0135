"""Histograms kept in files are those kept in memory, and so is what is found on them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lamina.result.search import kept_counts
from lamina.result.search.histogram import count, thin
from lamina.result.search.kept_counts import KeptCounts
from lamina.result.search.threshold import Tables
from lamina.task import Aim

RNG = np.random.default_rng(0)


def maps(cases: int) -> list[tuple[np.ndarray, np.ndarray, np.ndarray | None]]:
    """Return probabilities (2, 9, 8), masks, and for every third case where pixels count."""
    found = []
    for number in range(cases):
        prob = RNG.random((2, 9, 8)).astype(np.float16)
        valid = RNG.random((9, 8)) < 0.8 if number % 3 == 0 else None
        found.append((prob, RNG.random((2, 9, 8)) < prob, valid))
    return found


@pytest.mark.parametrize("limit", [0, 700, 1 << 20])
def test_histograms_in_files_are_those_in_memory(
    tmp_path: Path, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_counts, "LIMIT", limit)
    kept, wanted = KeptCounts(tmp_path), []
    for prob, target, valid in maps(20):
        wanted.append(count(prob[0], target[0], valid))
        kept.append(wanted[-1])
    assert len(kept) == 20
    for found, want in zip(kept, wanted, strict=True):
        for name in ("codes", "area", "predicted", "positives"):
            np.testing.assert_array_equal(getattr(found, name), getattr(want, name))
            assert getattr(found, name).dtype == getattr(want, name).dtype
        assert (found.predicted is found.area) == (want.predicted is want.area)
        assert (found.truth, found.pixels, found.counted) == (want.truth, want.pixels, want.counted)
    np.testing.assert_array_equal(
        kept.joined("area", np.uint32), np.concatenate([one.area for one in wanted])
    )
    thinned = kept.changed(thin)
    np.testing.assert_array_equal(thinned[7].codes, thin(wanted[7]).codes)
    assert list(tmp_path.iterdir()) == []  # files without names


@pytest.mark.parametrize("over", ["case", "class", "foreground"])
def test_the_search_finds_the_same_on_files(
    tmp_path: Path, over: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = {"memory": Tables(2), "file": Tables(2, folder=tmp_path)}
    given = maps(30)
    monkeypatch.setattr(kept_counts, "LIMIT", 500)
    for one in tables.values():
        for number, (prob, target, valid) in enumerate(given):
            one.add(prob, target, valid=valid, fold=number % 2)
    aim = Aim(over=over)  # type: ignore[arg-type]
    assert tables["file"].best(aim) == tables["memory"].best(aim)
    assert tables["file"].thinned()[0][3].codes.flags.owndata is False
