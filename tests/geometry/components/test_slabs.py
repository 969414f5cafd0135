"""Parts of slabs against parts of the whole, however it is cut."""

from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Iterator

import cc3d
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from lamina.geometry.components.slabs import ComponentMoments, Neighbours, SlabParts

Mask = NDArray[np.bool_]
volumes = arrays(np.bool_, array_shapes(min_dims=3, max_dims=3, max_side=7))


def cut(mask: Mask, thick: int) -> Iterator[Mask]:
    return (mask[z : z + thick] for z in range(0, len(mask), thick))


def parts(
    mask: Mask, thick: int, minimum: int, connectivity: Neighbours
) -> tuple[tuple[ComponentMoments, ...], NDArray[np.int32]]:
    walk = SlabParts(minimum, connectivity)
    for slab in cut(mask, thick):
        walk.add(slab)
    found = walk.finish()
    return found, np.concatenate(list(walk.numbered(cut(mask, thick))))


def by_hand(voxels: NDArray[np.int64]) -> ComponentMoments:
    pairs = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))
    return ComponentMoments(
        len(voxels),
        tuple(voxels.min(axis=0).tolist()),
        tuple(voxels.max(axis=0).tolist()),
        tuple(voxels.sum(axis=0).tolist()),
        tuple(int((voxels[:, i] * voxels[:, j]).sum()) for i, j in pairs),  # type: ignore[arg-type]
    )


@settings(max_examples=60, deadline=None)
@given(volumes, st.integers(1, 4), st.integers(1, 4), st.sampled_from([6, 18, 26]))
def test_agrees_with_parts_of_the_whole(
    mask: Mask, thick: int, minimum: int, connectivity: Neighbours
) -> None:
    found, numbers = parts(mask, thick, minimum, connectivity)
    padded = np.pad(mask, 2)  # cc3d by itself has too little room for some masks
    whole = cc3d.connected_components(padded, connectivity=connectivity)[2:-2, 2:-2, 2:-2]
    kept = {k for k in range(1, whole.max() + 1) if (whole == k).sum() >= minimum}
    # the same sets of voxels, each with a number of its own
    pairs = set(zip(whole[numbers > 0].tolist(), numbers[numbers > 0].tolist(), strict=True))
    assert {label for label, _ in pairs} == kept
    assert sorted(number for _, number in pairs) == list(range(1, len(kept) + 1))
    np.testing.assert_array_equal(numbers > 0, np.isin(whole, list(kept)))
    assert [one.voxels for one in found] == sorted((m.voxels for m in found), reverse=True)
    for number, moments in enumerate(found, 1):
        assert moments == by_hand(np.argwhere(numbers == number))


@settings(max_examples=20, deadline=None)
@given(volumes, st.integers(1, 4), st.integers(1, 4))
def test_the_cut_changes_no_number_of_parts_that_differ_in_size(
    mask: Mask, one: int, other: int
) -> None:
    found, numbers = parts(mask, one, 1, 26)
    again, others = parts(mask, other, 1, 26)
    assert [m.voxels for m in found] == [m.voxels for m in again]
    sizes = [m.voxels for m in found]
    for number in (k for k, size in enumerate(sizes, 1) if sizes.count(size) == 1):
        np.testing.assert_array_equal(numbers == number, others == number)


def test_a_spiral_that_comes_back_is_one_part() -> None:
    """Two arms that only meet in the last slab, and a third that never does."""
    mask = np.zeros((9, 5, 5), np.bool_)
    mask[:, 0, 0] = mask[:, 0, 4] = mask[8, 0, :] = True
    mask[:7, 4, 4] = True
    for thick in range(1, 10):
        found, numbers = parts(mask, thick, 1, 6)
        assert [m.voxels for m in found] == [21, 7]
        assert (numbers[0, 0, 0], numbers[0, 0, 4], numbers[0, 4, 4]) == (1, 1, 2)


def test_neighbours_across_a_border_are_those_within() -> None:
    for dy, dx in itertools.product((0, 1), repeat=2):
        mask = np.zeros((2, 2, 2), np.bool_)
        mask[0, 0, 0] = mask[1, dy, dx] = True
        for connectivity, steps in ((6, 0), (18, 1), (26, 2)):
            found, _ = parts(mask, 1, 1, connectivity)  # type: ignore[arg-type]
            assert len(found) == (1 if dy + dx <= steps else 2)


def test_nothing_has_no_parts() -> None:
    found, numbers = parts(np.zeros((4, 3, 3), np.bool_), 2, 1, 26)
    assert found == ()
    assert not numbers.any()
    with pytest.raises(ValueError, match="when the first walk is finished"):
        list(SlabParts().numbered([]))


def test_memory_does_not_grow_with_the_depth() -> None:
    slab = np.zeros((8, 96, 96), np.bool_)
    slab[:, 10:13] = slab[:, :, 50:54] = True  # two walls through all slabs
    slab[3, 60::4, ::4] = True  # and dust

    def peak(count: int) -> int:
        walk = SlabParts(minimum=20)
        tracemalloc.start()
        for _ in range(count):
            walk.add(slab)
        (whole,) = walk.finish()
        voxels = sum(np.count_nonzero(one) for one in walk.numbered([slab] * count))
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert whole.voxels == voxels
        return most

    peak(2)
    assert peak(40) < peak(5) + 100_000
