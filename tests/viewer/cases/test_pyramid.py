"""Levels hold what shrinking the whole image gives, and their files go with them."""

from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import pytest

from lamina.geometry.region import Region
from lamina.viewer.cases import pyramid
from lamina.viewer.cases.pyramid import built
from lamina.viewer.cases.reductions import maxima


@pytest.fixture
def few_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pyramid, "_ROWS", 16)
    monkeypatch.setattr(pyramid, "_LAST", 40)


def test_levels_are_those_of_the_whole(few_rows: None, tmp_path: Path) -> None:
    whole = np.random.default_rng(0).random((2, 75, 90)).astype(np.float16)
    read: list[Region] = []

    def part(region: Region) -> np.ndarray:
        read.append(region)
        return whole[(slice(None), *region.slices)]

    levels = built(part, 2, whole.shape[1:], maxima, tmp_path)
    assert [array.shape for array in levels.arrays] == [(2, 19, 23), (2, 5, 6)]
    assert (levels.arrays[0] == maxima(whole, 4)).all()
    assert (levels.arrays[1] == maxima(maxima(whole, 4), 4)).all()
    assert max(region.shape[0] for region in read) == 16
    assert sum(region.shape[0] for region in read) == 75
    for factor, wanted in ((1, None), (3, None), (4, 4), (15, 4), (16, 16), (99, 16)):
        found = levels.at(factor)
        assert (None if found is None else found[0]) == wanted
    assert len(list(tmp_path.iterdir())) == 2
    del levels, found
    gc.collect()
    assert list(tmp_path.iterdir()) == []
