"""Mixed bit depths and odd ranges are named with the option to set."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lamina.doctor.checks.ranges import Ranges
from tests.factories.patients import patient, said, texture, write


def test_8_bits_among_16_are_named(tmp_path: Path) -> None:
    images = {f"{k}.tif": texture(k).astype(np.uint16) * 200 for k in range(4)}
    images["odd.tif"] = texture(9)
    (found,) = said(Ranges(), patient(write(tmp_path, images)))
    assert found.where == "odd"
    assert found.what == "1 of 5 images are of uint8, the others mostly of uint16"
    assert "frame.normalise.kind to case" in found.remedy


def test_an_odd_range_within_a_type_is_named(tmp_path: Path) -> None:
    images = {f"{k}.tif": texture(k).astype(np.uint16) * 200 for k in range(4)}
    images["dark.tif"] = texture(9).astype(np.uint16)  # 8 bits in 16
    (found,) = said(Ranges(), patient(write(tmp_path, images)))
    assert found.where == "dark (0 to 255)"
    images = {f"{k}.tif": texture(k).astype(np.float32) for k in range(4)}
    images["unit.tif"] = texture(9).astype(np.float32) / 255
    (found,) = said(Ranges(), patient(write(tmp_path / "b", images)))
    assert found.where == "unit (0 to 1)"


def test_alike_images_are_fine(tmp_path: Path) -> None:
    images = {f"{k}.tif": texture(k).astype(np.uint16) * (100 + 40 * k) for k in range(4)}
    one = patient(write(tmp_path, images))
    assert said(Ranges(), one) == []
    assert [finding.level for finding in Ranges()(one)] == ["fine"]
    dim = {f"{k}.png": texture(k) // (1 if k else 40) for k in range(4)}  # 8 bits: a dark photo
    assert said(Ranges(), patient(write(tmp_path / "b", dim))) == []
