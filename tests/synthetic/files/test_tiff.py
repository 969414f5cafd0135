"""TIFF files written without a library, read by three others."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from lamina.data.readers import TiffVolume
from lamina.synthetic.files.tiff import begin_grey16
from lamina.volume import read_all


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (40, 17)])
def test_other_libraries_and_the_reader_find_the_same_pixels(
    shape: tuple[int, int], tmp_path: Path
) -> None:
    image = np.random.default_rng(1).integers(0, 1 << 16, shape, np.uint16)
    path = tmp_path / "00.tif"
    path.write_bytes(begin_grey16(shape) + image.astype("<u2").tobytes())
    np.testing.assert_array_equal(tifffile.imread(path), image)
    np.testing.assert_array_equal(np.asarray(Image.open(path)), image)
    np.testing.assert_array_equal(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), image)
    volume = TiffVolume(path)
    assert (volume.axes, volume.shape, volume.dtype.name) == ("yx", shape, "uint16")
    np.testing.assert_array_equal(read_all(volume)[0], image)


@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (1 << 16, 1 << 15)])
def test_an_image_that_no_tiff_file_can_hold_is_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="4 GiB"):
        begin_grey16(shape)
