"""What belongs together, and what is said where it does not."""

from __future__ import annotations

import numpy as np
import pytest

from lamina.data.case import Case
from lamina.errors import DataError
from lamina.volume import ArrayVolume


def volume(*shape: int, axes: str = "zyx") -> ArrayVolume:
    return ArrayVolume(np.zeros((1, *shape), np.uint8), axes)


@pytest.mark.parametrize(
    ("image", "target", "said"),
    [
        ((4, 3, 2), (2, 3, 4), r"must be equal, as they would be .* axes stored as xyz\n"),
        ((3, 4, 2), (2, 3, 4), r"stored as yxz\n"),
        ((2, 3, 2), (2, 2, 3), r"stored as zxy or yxz\n"),
        ((2, 3, 5), (2, 3, 4), r"must be equal\n"),
    ],
)
def test_fault_I14_exchanged_axes_are_named_by_their_lengths(
    image: tuple[int, ...], target: tuple[int, ...], said: str
) -> None:
    with pytest.raises(DataError, match=said):
        Case("a", "a", volume(*image), volume(*target))


def test_every_nth_slice_of_each_axis_from_the_first() -> None:
    """NOISE-4: of 300 slices every 5th is 0, 5, ..., 295."""
    case = Case("a", "a", volume(11, 10, 2))
    found = [plane.id for plane in case.planes("zy", every=5)]
    assert found == ["a/z0000", "a/z0005", "a/z0010", "a/y0000", "a/y0005"]


@pytest.mark.parametrize(
    ("length", "shares", "indices"),
    [
        (300, (0.25, 0.5, 0.75), [75, 150, 225]),
        (100, (0.29, 0.57, 0.58), [29, 57, 58]),
        (7, (0, 0.25, 0.999999), [0, 1, 6]),
        (1, (0.0, 0.9), [0, 0]),
    ],
)
def test_slices_are_chosen_by_their_share_of_the_length(
    length: int, shares: tuple[float, ...], indices: list[int]
) -> None:
    """NOISE-5."""
    case = Case("a", "a", volume(length, 2, 2))
    found = [plane.id for plane in case.planes("z", at=shares)]
    assert found == [f"a/z{index:04d}" for index in indices]


def test_an_image_is_its_only_slice_whatever_is_chosen() -> None:
    image = Case("a", "a", volume(4, 4, axes="yx"))
    assert list(image.planes("z", every=3, at=(0.5,))) == [image]
