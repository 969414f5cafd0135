"""Measurements against NumPy over whole arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lamina.data.case import Case
from lamina.plan.fingerprint import pixels
from lamina.plan.fingerprint.pixels import pixels_of
from lamina.task import Task
from lamina.volume import ArrayVolume

BINARY = Task(kind="binary", names=("a",))


def case(name: str, image: NDArray[Any], target: NDArray[Any], **facts: Any) -> Case:
    axes = "zyx"[-image.ndim :]
    volumes = (ArrayVolume(one[None], axes) for one in (image, target))
    return Case(name, name, *volumes, facts=facts)


def rectangles(seed: int) -> Case:
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 200, (40, 60)).astype(np.uint8)
    mask = np.zeros((40, 60), np.uint8)
    mask[5:15, 10:40] = 1
    return case(str(seed), image, mask)


def test_intensities_and_classes_are_those_of_numpy() -> None:
    cases = [rectangles(k) for k in range(3)]
    found = pixels_of(cases, BINARY)
    arrays = [np.random.default_rng(k).integers(0, 200, (40, 60)) for k in range(3)]
    within = np.mean([one.std() for one in arrays])
    assert found.intensity.within == pytest.approx(within, rel=1e-3)
    assert found.intensity.between == pytest.approx(
        np.std([one.mean() for one in arrays]) / within, rel=1e-2
    )
    assert (found.intensity.low, found.intensity.high) == (
        min(one.min() for one in arrays),
        max(one.max() for one in arrays),
    )
    assert found.classes is not None
    assert found.classes.shares == (0.125,)  # 10 x 30 of 40 x 60
    assert found.classes.extents == (0.5,)  # 30 of 60 columns
    assert found.classes.left == (pytest.approx(20 / 30, rel=1e-3),)
    assert found.classes.empty == 0
    assert found.read_share == 1


def test_the_width_of_a_disc_is_its_radius_and_that_of_a_line_its_own() -> None:
    rows, columns = np.ogrid[:200, :200]
    disc = ((rows - 100) ** 2 + (columns - 100) ** 2 < 60**2).astype(np.uint8)
    line = (np.abs(columns - 100) < 2).astype(np.uint8) * np.ones((200, 1), np.uint8)
    image = np.zeros((200, 200), np.uint8)
    for mask, width in ((disc, 60), (line, 3)):
        found = pixels_of([case("a", image, mask)], BINARY).classes
        assert found is not None
        assert found.width == pytest.approx(width, rel=0.35)


def test_facts_of_the_catalog_count_every_case() -> None:
    shown = [
        case(str(k), np.zeros((8, 8)), np.zeros((8, 8)), classes="0" * (k < 2)) for k in (1, 2, 3)
    ]
    found = pixels_of(shown, BINARY).classes
    assert found is not None
    assert (found.cases, found.empty, found.known) == ((1,), 2, 3)


def test_what_is_read_is_bounded_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    cases = [rectangles(k) for k in range(9)]
    monkeypatch.setattr(pixels, "MOST", 3 * 40 * 60)
    found = pixels_of(cases, BINARY)
    assert found.read_cases == 3
    assert found.read_share == pytest.approx(1 / 3, abs=1e-3)
    monkeypatch.setattr(pixels, "_EACH", 800)
    found = pixels_of([rectangles(0)], BINARY)
    assert found.read_share == pytest.approx(8 / 40)  # eight places of a row


def test_slices_are_across_the_coarse_axis() -> None:
    rng = np.random.default_rng(0)
    smooth = np.cumsum(rng.normal(size=(1, 30, 40)), axis=1)
    volume = smooth + rng.normal(size=(12, 1, 1)) * 50
    one = case("v", volume.astype(np.float32), np.zeros((12, 30, 40), np.uint8))
    found = pixels_of([one], BINARY)
    assert found.roughness[0] > 10 * found.roughness[1]
    assert pixels.cut_axis(one) == 0
