"""Almost equal images in different folds are named, different ones are not."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from lamina.doctor.case_statistics import statistics_of
from lamina.doctor.checks.near_twins import NearTwins
from lamina.doctor.examined import Examined
from tests.factories.patients import patient, said, texture, write


def jpeg(pixels: Any) -> Any:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=40)
    return np.asarray(Image.open(stream))


COPIES = {
    "saved as JPEG": jpeg,
    "brighter": lambda a: np.asarray(a // 2 + 100, np.uint8),
    "half as large": lambda a: cv2.resize(a, (48, 48), interpolation=cv2.INTER_AREA),
    "with another gamma": lambda a: np.asarray(255 * (a / 255) ** 1.5, np.uint8),
    "with a mark": lambda a: np.where(np.indices(a.shape).sum(0) < 4, 255, a).astype(np.uint8),
    "noisy": lambda a: np.clip(a + np.random.default_rng(9).normal(0, 8, a.shape), 0, 255).astype(
        np.uint8
    ),
    "mirrored": lambda a: a[:, ::-1].copy(),
    "upside down": lambda a: a[::-1].copy(),
    "in colour": lambda a: np.repeat(a[..., None], 3, axis=2),
}


def folded(root: Path, fold_of: dict[str, int]) -> Examined:
    rows = "".join(f"{name},{fold}\n" for name, fold in fold_of.items())
    (root / "folds.csv").write_text(f"case,fold\n{rows}")
    return patient(root, "split.path=folds.csv")


@pytest.mark.parametrize("name", COPIES)
def test_a_copy_in_another_fold_is_named(tmp_path: Path, name: str) -> None:
    """L13."""
    images = {f"{k}.png": texture(k) for k in range(6)}
    images["copy.png"] = COPIES[name](texture(0))
    write(tmp_path, images)
    one = folded(tmp_path, {**{str(k): k % 2 for k in range(6)}, "copy": 1})
    (found,) = said(NearTwins(), one)
    assert found.where == "0 (fold 0), copy (fold 1)"
    assert "split.groups" in found.remedy
    together = folded(tmp_path, {**{str(k): k % 2 for k in range(6)}, "copy": 0})
    assert said(NearTwins(), together) == []


def test_different_images_and_flat_ones_are_not_named(tmp_path: Path) -> None:
    images = {f"{k}.png": texture(k) for k in range(40)}
    images |= {f"flat{k}.png": np.full((96, 96), 100 + k, np.uint8) for k in range(4)}
    images |= {f"small{k}.png": np.full((9, 9), k, np.uint8) for k in range(4)}
    one = patient(write(tmp_path, images))
    assert said(NearTwins(), one) == []
    (fine,) = NearTwins()(one)
    assert fine.level == "fine"


def test_equal_pixels_are_left_to_duplicates_and_limits_are_said(tmp_path: Path) -> None:
    write(tmp_path, {f"{k}.png": texture(k % 3) for k in range(6)})
    one = folded(tmp_path, {str(k): k // 3 for k in range(6)})
    assert said(NearTwins(), one) == []
    notes = said(NearTwins(images=4), one, ("note",))
    assert "2 were not compared" in notes[0].what


def test_a_thumbnail_is_the_mean_of_parts_however_the_image_is_read(tmp_path: Path) -> None:
    from lamina.data.case import Case
    from lamina.volume import ArrayVolume

    pixels = np.random.default_rng(0).integers(0, 255, (2, 70, 45)).astype(np.uint8)
    volume = np.random.default_rng(1).normal(0, 1, (1, 5, 40, 33)).astype(np.float32)
    flat, deep = statistics_of(
        [
            Case("a", "a", ArrayVolume(pixels)),
            Case("b", "b", ArrayVolume(volume, axes="zyx")),
        ],
        None,
    )
    rows, columns = (np.append(np.arange(32) * side // 32, side) for side in (70, 45))
    wanted = [
        [
            pixels.sum(0)[rows[i] : rows[i + 1], columns[j] : columns[j + 1]].mean()
            for j in range(32)
        ]
        for i in range(32)
    ]
    assert flat.thumbnail is not None
    np.testing.assert_allclose(flat.thumbnail, wanted, rtol=1e-6)
    assert deep.thumbnail is not None
    assert deep.thumbnail.shape == (32, 32)
    plane = volume[0].sum(0, dtype=np.float64)  # rows in parts of 1 or 2, columns in ones and a 2
    np.testing.assert_allclose(deep.thumbnail[0, 0], plane[0, 0], rtol=1e-5)
    np.testing.assert_allclose(deep.thumbnail[-1, -1], plane[38:40, 31:33].mean(), rtol=1e-4)
