"""Grey PNG files are read back by other programs as they were."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray
from PIL import Image

from lamina.synthetic.files.png import encode_grey


@settings(max_examples=30)
@given(arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.integers(0, 255)))  # fmt: skip  # noqa: E501
def test_another_library_reads_the_same_pixels(image: NDArray[np.uint8]) -> None:
    with Image.open(io.BytesIO(encode_grey(image))) as read:
        assert (read.format, read.mode) == ("PNG", "L")
        np.testing.assert_array_equal(np.asarray(read), image)


@pytest.mark.parametrize(
    "image", [np.zeros((2, 2), np.uint16), np.zeros((2, 2, 3), np.uint8), np.zeros((0, 2), "u1")]
)
def test_other_images_are_refused(image: NDArray[np.uint8]) -> None:
    with pytest.raises(ValueError, match="a grey PNG holds"):
        encode_grey(image)
