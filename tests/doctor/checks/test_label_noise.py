"""Specks, rims and frames in masks are named; smooth masks are not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from lamina.doctor.checks.label_noise import LabelNoise
from tests.factories.patients import disc, patient, said, texture, write

MULTICLASS = ("task.kind=multiclass", "data.labels=null", "loss=[{kind: cross_entropy}]")


def specked() -> Any:
    mask = disc()
    for k in range(12):
        mask[2 + 7 * k, 5] = 1
    return mask


def framed() -> Any:
    mask = disc()
    mask[:2], mask[-2:], mask[:, :2], mask[:, -2:] = 1, 1, 1, 1
    return mask


@pytest.mark.parametrize(("mask", "word"), [(specked(), "specks"), (framed(), "outermost")])
def test_noise_of_a_mask_is_named(tmp_path: Path, mask: Any, word: str) -> None:
    images = {f"{k}.png": texture(k) for k in range(4)}
    (found,) = said(LabelNoise(), patient(write(tmp_path, images, {"2": mask})))
    assert found.where == "2"
    assert word in found.what
    assert found.remedy


def test_a_class_between_two_others_by_smooth_resizing_is_named(tmp_path: Path) -> None:
    classes = disc(radius=24) * 2
    small = cv2.resize(classes, (48, 48), interpolation=cv2.INTER_LINEAR)
    smooth = cv2.resize(small, (96, 96), interpolation=cv2.INTER_LINEAR)
    assert set(np.unique(smooth)) == {0, 1, 2}
    real = classes.copy()
    real[60:90, 5:30] = 1  # a class of its own, with an inside
    images = {f"{k}.png": texture(k) for k in range(4)}
    masks = {"0": classes, "1": smooth, "2": real, "3": classes}
    (found,) = said(LabelNoise(), patient(write(tmp_path, images, masks), *MULTICLASS))
    assert found.where == "1"
    assert "rim" in found.what


def test_smooth_masks_and_a_few_small_parts_are_fine(tmp_path: Path) -> None:
    small = disc()
    small[80, 10] = small[80, 20] = 1
    full = np.ones((96, 96), np.uint8)
    images = {f"{k}.png": texture(k) for k in range(4)}
    one = patient(write(tmp_path, images, {"1": small, "2": full, "3": disc(row=95)}))
    assert said(LabelNoise(), one) == []
    assert [finding.level for finding in LabelNoise()(one)] == ["fine"]
