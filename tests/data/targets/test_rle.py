"""Masks that stay text until they are read."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from lamina.data.targets.rle import CodedMask, RleTarget
from lamina.errors import DataError
from lamina.geometry.region import Region
from lamina.rle.codec import encode
from lamina.volume import read_all


def target(text: str, shape: tuple[int, int] = (3, 4)) -> RleTarget:
    return RleTarget("a.png", shape, ((CodedMask(text, "train.csv: line 7"),),))


def test_by_hand_down_the_columns() -> None:
    assert read_all(target("2 3 12 1")).tolist() == [[[0, 1, 0, 0], [1, 0, 0, 0], [1, 0, 0, 1]]]


@settings(max_examples=50, deadline=None)
@given(arrays(np.bool_, array_shapes(min_dims=3, max_dims=3, max_side=6)), st.data())
def test_every_part_of_every_mask_is_read_as_it_was(
    masks: NDArray[np.bool_], data: st.DataObject
) -> None:
    coded = tuple(
        (CodedMask(text, ""),) if (text := encode(mask, "severstal")) else () for mask in masks
    )
    rows, columns = masks.shape[1:]
    volume = pickle.loads(pickle.dumps(RleTarget("a", (rows, columns), coded)))
    spans = [sorted(data.draw(st.tuples(*[st.integers(0, n)] * 2))) for n in (rows, columns)]
    region = Region((spans[0][0], spans[1][0]), (spans[0][1], spans[1][1]))
    found = volume.read(region)
    assert (found.dtype, volume.dtype, volume.channels) == (np.uint8, np.uint8, len(masks))
    np.testing.assert_array_equal(found, masks[(slice(None), *region.slices)])
    assert volume.areas() == masks.sum((1, 2)).tolist()


def test_several_masks_of_a_channel_are_united() -> None:
    masks = (CodedMask("1 2", ""), CodedMask("2 3", ""))
    volume = RleTarget("a", (2, 3), (masks, ()))
    assert read_all(volume).tolist() == [[[1, 1, 0], [1, 1, 0]], [[0] * 3] * 2]
    assert volume.areas() == [4, 0]


@pytest.mark.parametrize(
    "text",
    ["1", "1 2 3", "0 2", "12 2", "1 0", "3 1 1 1", "1 3 2 2", "a 1", "1 99999999999999999999"],
)
def test_what_is_no_code_is_refused_with_line_and_image_at_once_and_when_read(text: str) -> None:
    for use in (RleTarget.areas, read_all):
        with pytest.raises(DataError) as caught:
            use(target(text))
        assert str(caught.value).startswith("train.csv: line 7 (a.png): ")


def test_a_region_outside_is_a_mistake_of_the_program() -> None:
    with pytest.raises(ValueError, match="leaves the volume"):
        target("1 1").read(Region((0, 0), (4, 4)))
