"""Predictions with their images and truth, and what is told where they do not fit."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from lamina.errors import DataError
from lamina.viewer.sources.prediction_source import PredictionSource


def test_images_lie_where_they_were_predicted(predictions: Path, tmp_path: Path) -> None:
    contents = PredictionSource(predictions, None, None, tmp_path).read()
    assert [found.case.target for found in contents.cases] == [None] * 6
    assert (contents.asked, contents.problems) == (6, ())


def test_a_truth_of_some_cases_leaves_the_others_without(predictions: Path, tmp_path: Path) -> None:
    part = tmp_path / "part"
    shutil.copytree(tmp_path / "data", part)
    (part / "images" / "a.png").unlink()
    lines = (part / "train.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for line in lines if "a.png" not in line]
    (part / "train.csv").write_text("".join(kept), encoding="utf-8")
    contents = PredictionSource(predictions, part, None, tmp_path).read()
    known = {found.case.id: found.case.target is not None for found in contents.cases}
    assert len(known) == 6
    assert [id for id, there in known.items() if not there] == ["a.png"]


def test_a_truth_of_other_images_is_refused(predictions: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    (other / "images").mkdir(parents=True)
    cv2.imwrite(str(other / "images" / "z.png"), np.zeros((32, 48), np.uint8))
    (other / "train.csv").write_text("ImageId,ClassId,EncodedPixels\n", encoding="utf-8")
    with pytest.raises(DataError, match="no case is in both"):
        PredictionSource(predictions, other, None, tmp_path).read()


def test_an_image_of_another_size_is_told(predictions: Path, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "data" / "images" / "b.png"), np.zeros((16, 16), np.uint8))
    contents = PredictionSource(predictions, None, None, tmp_path).read()
    assert len(contents.cases) == 5
    assert "was (32, 48) when it was predicted" in contents.problems[0]


def test_a_folder_of_truth_that_is_none_is_refused(predictions: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        PredictionSource(predictions, tmp_path / "nowhere", None, tmp_path)
