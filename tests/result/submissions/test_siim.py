"""The X-ray csv by hand and read back, resized masks, and the order of a sample."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

from lamina.errors import DataError, OptionError
from lamina.result.submissions import Siim
from lamina.rle.codec import decode


def test_one_row_for_each_image_and_minus_one_for_nothing(tmp_path: Path) -> None:
    """SIIM-32."""
    mask = np.zeros((1, 3, 2), np.bool_)
    mask[0, 1:, 0] = mask[0, 1, 1] = True
    rows = Siim().write([("1.2.3", mask), ("1.2.4", np.zeros_like(mask))], tmp_path / "s.csv")
    assert rows == 2
    text = (tmp_path / "s.csv").read_text()
    assert text == "ImageId,EncodedPixels\n1.2.3,1 2 1 1\n1.2.4,-1\n"


def test_there_and_back_with_the_last_pixel(tmp_path: Path) -> None:
    """SIIM-2, SIIM-3."""
    masks = np.random.default_rng(3).random((4, 1, 5, 7)) < 0.4
    masks[0, 0, -1, -1] = True
    masks[1] = True
    Siim().write([(f"i{i}", mask) for i, mask in enumerate(masks)], tmp_path / "s.csv")
    with (tmp_path / "s.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    back = np.stack([decode(row["EncodedPixels"], (5, 7), "siim")[None] for row in rows])
    np.testing.assert_array_equal(back, masks)


def test_masks_are_resized_after_the_threshold(tmp_path: Path) -> None:
    """SIIM-30."""
    mask = np.random.default_rng(5).random((16, 24)) < 0.5
    form = Siim(size=(32, 48))
    found = form.resized(mask)
    assert (found == (cv2.resize(mask.astype(np.uint8) * 255, (48, 32)) > 127)).all()
    assert form.resized(found) is found
    form.write([("a", mask[None])], tmp_path / "s.csv")
    runs = (tmp_path / "s.csv").read_text().splitlines()[1].split(",")[1]
    assert (decode(runs, (32, 48), "siim") == found).all()


def test_what_the_csv_cannot_hold_is_refused(tmp_path: Path) -> None:
    one = np.zeros((1, 2, 2), np.bool_)
    for cases, words in (
        ([("a", np.zeros((2, 2, 2), np.bool_))], "2 classes"),
        ([("a", one), ("a", one)], "duplicate case id"),
        ([("=a", one)], "formula"),
        ([("a", np.zeros((1, 2, 2, 2), np.bool_))], "3 axes"),
    ):
        with pytest.raises(DataError, match=words):
            Siim().write(cases, tmp_path / "s.csv")
        assert not (tmp_path / "s.csv").exists()
    with pytest.raises(OptionError, match="at least 1"):
        Siim(size=(0, 5))


def test_a_sample_lists_images_once_in_its_order(tmp_path: Path) -> None:
    path = tmp_path / "sample.csv"
    path.write_text("ImageId, EncodedPixels\nb,-1\na,-1\nb,-1\n\n", encoding="utf-8")
    assert Siim().sample_ids(path) == ["b", "a"]
    path.write_text("name,EncodedPixels\n", encoding="utf-8")
    with pytest.raises(DataError, match="first column is 'name'"):
        Siim().sample_ids(path)
    with pytest.raises(DataError, match="not a readable csv"):
        Siim().sample_ids(tmp_path / "gone.csv")
