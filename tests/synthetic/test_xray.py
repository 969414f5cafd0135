"""Synthetic X-rays: seeded, mostly without air, in the layout of the competition."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from lamina.data.catalogs import CsvRle
from lamina.synthetic.xray import write_siim, xray
from lamina.task import Task
from lamina.volume import read_all

SMALL = (96, 96)


def test_equal_arguments_give_equal_images_and_others_do_not() -> None:
    image, mask = xray(3, seed=1, shape=SMALL)
    again, mask_again = xray(3, seed=1, shape=SMALL)
    np.testing.assert_array_equal(image, again)
    np.testing.assert_array_equal(mask, mask_again)
    assert (image != xray(4, seed=1, shape=SMALL)[0]).any()
    assert (image != xray(3, seed=2, shape=SMALL)[0]).any()
    assert (image.shape, image.dtype, mask.dtype) == (SMALL, np.uint8, np.bool_)
    with pytest.raises(ValueError, match="at least 64 x 64"):
        xray(0, shape=(32, 96))


def test_one_in_four_has_air_of_widely_varying_area() -> None:
    areas = np.array([xray(i, seed=3, shape=SMALL)[1].sum() for i in range(240)])
    assert 0.18 < (areas > 0).mean() < 0.32
    some = areas[areas > 0]
    assert some.max() > 5 * np.median(some[some <= np.quantile(some, 0.2)])


def test_air_is_darker_and_smoother_than_the_lung_of_the_other_side() -> None:
    darker, count = 0, 0
    for index in range(60):
        image, mask = xray(index, seed=5)
        if mask.sum() < 300:
            continue
        mirrored = mask[:, ::-1]
        darker += image[mask].mean() < image[mirrored].mean() + 10
        count += 1
    assert count > 5
    assert darker > count / 2


def test_files_hold_what_images_say(tmp_path: Path) -> None:
    """SIIM-1, SIIM-2."""
    folder = write_siim(tmp_path / "data", count=40, seed=5, shape=SMALL, first=2)
    with (folder / "train.csv").open(newline="") as stream:
        rows = list(csv.reader(stream))
    assert rows[0] == ["ImageId", " EncodedPixels"]
    assert any(cell == " -1" for _, cell in rows[1:])
    assert len(rows) - 1 > 40  # some masks take two rows
    listing = CsvRle(dialect="siim").open(folder, Task(kind="binary"))
    for index, case in enumerate(listing.cases, start=2):
        image, mask = xray(index, seed=5, shape=SMALL)
        np.testing.assert_array_equal(read_all(case.image)[0], image)
        assert case.target is not None
        np.testing.assert_array_equal(read_all(case.target)[0], mask)
