"""Objects that come slab by slab are those of the whole in memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lamina.geometry.components.instances import label_instances
from lamina.result.object_walk import walk_objects
from lamina.result.objects import Object, find_objects


def walked(masks: NDArray[Any], prob: NDArray[Any], thick: int) -> list[Object]:
    def slabs() -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
        for at in range(0, masks.shape[1], thick):
            yield prob[:, at : at + thick], masks[:, at : at + thick]

    names = [f"class {k}" for k in range(len(masks))]
    found = list(walk_objects(slabs, names, masks.shape[1:]))
    assert all(item.class_name == names[k] for k, item in found)
    return [item for _, item in sorted(found, key=lambda pair: (pair[0], pair[1].number))]


def whole(masks: NDArray[Any], prob: NDArray[Any]) -> list[Object]:
    names = [f"class {k}" for k in range(len(masks))]
    labels = [label_instances(mask) for mask in masks]
    return list(find_objects(labels, prob, names, case="x", axes="zyx"[-masks.ndim + 1 :]))


def check(found: list[Object], wanted: list[Object]) -> None:
    assert len(found) == len(wanted)
    for mine, other in zip(found, wanted, strict=True):
        for name in ("class_name", "number", "area", "box", "centre", "score_max"):
            assert getattr(mine, name) == getattr(other, name)
        assert mine.touches_border == other.touches_border
        assert mine.score_mean == pytest.approx(other.score_mean)
        assert len(mine.polygon) == len(other.polygon)
        for one, two in zip(mine.polygon, other.polygon, strict=True):
            for ring, same in zip((one.outer, *one.holes), (two.outer, *two.holes), strict=True):
                np.testing.assert_array_equal(ring, same)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.1, 0.9), st.integers(1, 9), st.integers(1, 25))
def test_objects_of_bands_are_those_of_the_image(
    seed: int, share: float, thick: int, width: int
) -> None:
    rng = np.random.default_rng(seed)
    prob = rng.random((2, 17, width)).astype(np.float16)
    masks = prob > share
    check(walked(masks, prob, thick), whole(masks, prob))


@pytest.mark.parametrize("thick", [1, 3, 9])
def test_objects_of_slabs_are_those_of_the_volume(thick: int) -> None:
    prob = np.random.default_rng(thick).random((2, 9, 7, 8)).astype(np.float16)
    masks = prob > 0.8
    check(walked(masks, prob, thick), whole(masks, prob))


def test_an_object_comes_when_its_last_row_has_passed() -> None:
    """Only what may go on is kept: a long image of many objects is no longer in memory."""
    mask = np.zeros((1, 40, 10), bool)
    mask[0, 1:3, 2:5] = mask[0, 5:39, 7] = mask[0, 10:12, 1:4] = True
    passed = []

    def slabs() -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
        for row in range(40):
            passed.append(row)
            yield mask[:, row : row + 1], mask[:, row : row + 1]

    came = {item.number: passed[-1] for _, item in walk_objects(slabs, ["a"], (40, 10))}
    assert came == {1: 3, 3: 12, 2: 39}


def test_memory_does_not_grow_with_the_rows() -> None:
    def peak(rows: int) -> int:
        band = np.zeros((1, 32, 512), bool)
        band[:, 4:20, 30:200] = band[:, :, 300:302] = True  # and one object over all bands
        prob = band.astype(np.float16)
        count = 0
        tracemalloc.start()
        slabs = ((prob, band) for _ in range(2 * rows // 32))
        for _ in walk_objects(lambda: islice(slabs, rows // 32), ["a"], (rows, 512)):
            count += 1
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert count == rows // 32 + 1
        return most

    peak(64)
    assert peak(2048) < peak(256) * 1.3
