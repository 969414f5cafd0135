"""How alike pairs are, against scikit-image slice by slice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.metrics import structural_similarity

from lamina.data.case import Case
from lamina.data.prepare.pair_quality import Quality, write_quality
from lamina.errors import DataError
from lamina.seeding import rng
from lamina.volume import ArrayVolume

CLEAN = np.cumsum(rng(0, "clean").standard_normal((40, 20, 24)), axis=0).astype(np.float32)


def pair(id: str, noise: float) -> Case:
    noisy = 3 * CLEAN + noise * rng(0, id).standard_normal(CLEAN.shape).astype(np.float32)
    return Case(id, id, ArrayVolume(noisy[None], "zyx"), ArrayVolume(CLEAN[None], "zyx"))


def unit(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray((values - values.min()) / np.ptp(values))


def test_six_slices_each_by_its_own_range() -> None:
    """NOISE-3: 25, 50 and 75 % of two axes, min-max scaled slice by slice, range 1, mean."""
    case = pair("a", 4.0)
    noisy = case.image.array[0]  # type: ignore[attr-defined]
    wanted = [
        structural_similarity(unit(noisy[:, y]), unit(CLEAN[:, y]), data_range=1)
        for y in (5, 10, 15)
    ] + [
        structural_similarity(unit(noisy[..., x]), unit(CLEAN[..., x]), data_range=1)
        for x in (6, 12, 18)
    ]
    assert Quality().of(case) == pytest.approx(np.mean(wanted), abs=1e-5)
    assert Quality(axes="y").of(case) == pytest.approx(np.mean(wanted[:3]), abs=1e-5)


def test_equal_pairs_score_one_and_flat_slices_are_no_obstacle() -> None:
    assert Quality().of(pair("a", 0.0)) == pytest.approx(1, abs=1e-6)
    flat = ArrayVolume(np.zeros((1, 20, 20, 20), np.float32), "zyx")
    assert Quality().of(Case("f", "f", flat, flat)) == pytest.approx(1)


def test_if_none_is_good_enough_the_best_is_named() -> None:
    cases = [pair("a", 400.0), pair("b", 30.0)]
    found = Quality(above=-0.5).measured(cases)
    assert found["a"] < found["b"]
    with pytest.raises(DataError, match="the best is b with"):
        Quality(above=0.99).measured(cases)
    with pytest.raises(DataError, match="has no target"):
        Quality().of(Case("c", "c", cases[0].image))


def test_the_result_is_a_table(tmp_path: Path) -> None:
    write_quality(tmp_path / "quality.csv", {"a": 0.25, "=b": 0.9}, {"=b"})
    assert (tmp_path / "quality.csv").read_text().splitlines() == [
        '"case","ssim","kept"',
        '"a",0.25,0',
        '"=b",0.9,1',
    ]
