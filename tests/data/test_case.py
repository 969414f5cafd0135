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
