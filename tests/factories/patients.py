"""Small folders of images and masks, examined by one check of the doctor."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from PIL import Image

from lamina.doctor.examined import Examined
from lamina.doctor.finding import Check, Finding
from lamina.doctor.open_data import examine_data
from lamina.recipe.load import load_recipe


def texture(seed: int, shape: tuple[int, int] = (96, 96)) -> Any:
    """Return a picture of smooth blobs, uint8, another one for each seed."""
    import cv2

    noise = np.random.default_rng(seed).normal(0, 1, shape).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 4)
    low, high = float(smooth.min()), float(smooth.max())
    return np.asarray((smooth - low) / (high - low) * 255, np.uint8)


def disc(shape: tuple[int, int] = (96, 96), radius: int = 20, *, row: int = 40) -> Any:
    """Return a mask of 0 and 1 with a disc."""
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return np.asarray((rows - row) ** 2 + (columns - 48) ** 2 < radius**2, np.uint8)


def write(root: Path, images: dict[str, Any], masks: dict[str, Any] | None = None) -> Path:
    """Write images by name, and a mask for each; those not given are discs."""
    for name, pixels in images.items():
        put(root / "images" / name, pixels)
        stem = name.rpartition(".")[0]
        if masks is None or stem not in masks:
            put(root / "masks" / f"{stem}.png", disc(np.shape(pixels)[:2]))
    for stem, mask in (masks or {}).items():
        put(root / "masks" / f"{stem}.png", mask)
    return root


def put(path: Path, pixels: Any) -> None:
    """Write an array as an image."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".tif":
        tifffile.imwrite(path, pixels)
    else:
        Image.fromarray(pixels).save(path)


def patient(root: Path, *changes: str) -> Examined:
    """Return a folder as the doctor sees it, by the recipe folder-laptop with two folds."""
    recipe = load_recipe("folder-laptop", ["split.count=2", *changes])
    return examine_data(Examined(recipe=recipe), root)[0]


def said(
    check: Check, one: Examined, levels: Sequence[str] = ("warning", "error")
) -> list[Finding]:
    """Return what a check says that is not fine."""
    return [finding for finding in check(one) if finding.level in levels]
