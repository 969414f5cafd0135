"""What lies beyond an image, against numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lamina.data.views.padding import read_padded
from lamina.geometry.region import Region
from lamina.volume import ArrayVolume


def image(*shape: int) -> NDArray[Any]:
    return np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)


@given(
    st.integers(1, 6),
    st.integers(1, 6),
    st.integers(-15, 15),
    st.integers(-15, 15),
    st.integers(1, 20),
    st.integers(1, 20),
)
@settings(max_examples=60, deadline=None)
def test_any_region_of_any_image_is_the_mirror_that_numpy_makes(
    h: int, w: int, top: int, left: int, rows: int, columns: int
) -> None:
    stored = image(2, h, w)
    region = Region((top, left), (top + rows, left + columns))
    far = ((0, 0), (40, 40), (40, 40))
    for border, mode in (("reflect", "reflect"), ("zero", "constant")):
        padded = np.pad(stored, far, mode=mode)  # type: ignore[call-overload]
        expected = padded[:, top + 40 : top + 40 + rows, left + 40 : left + 40 + columns]
        found = read_padded(ArrayVolume(stored), region, border)  # type: ignore[arg-type]
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == np.uint8
