"""Volumes that small networks see in blocks, and where their answers go."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from lamina.data.case import Case
from lamina.files import digest
from lamina.prediction.engine import Place
from lamina.recipe.recipe import Recipe
from lamina.volume import ArrayVolume


def conv(seed: int, outputs: int = 1) -> nn.Module:
    """Return a network of one convolution with weights of that seed."""
    torch.manual_seed(seed)
    return nn.Conv3d(1, outputs, 3, padding=1)


def recipe(
    *,
    names: int = 1,
    size: tuple[int, ...] = (4, 8, 8),
    precision: str = "auto",
    views: str = "flips",
    **options: object,
) -> Recipe:
    """Return a recipe of that many classes; ``options`` are those of the prediction."""
    return Recipe.model_validate(
        {
            "name": "test",
            "precision": precision,
            "task": {
                "kind": "multiclass" if names > 1 else "binary",
                "names": [f"c{k}" for k in range(names)],
            },
            "data": {"kind": "volume_pairs"},
            "network": {"kind": "resunet", "width": 2, "blocks": [1, 1]},
            "loss": [{"kind": "cross_entropy" if names > 1 else "bce"}],
            "stages": [{"epochs": 1}],
            "frame": {"size": size},
            "predict": {"views": views, **options},
        }
    )


def scan(*shape: int, axes: str = "zyx") -> Case:
    """Return a case of random bytes."""
    pixels = np.random.default_rng(0).integers(0, 256, (1, *shape)).astype(np.uint8)
    return Case("a", "a", ArrayVolume(pixels, axes))


def place(folder: Path, **more: Any) -> Place:
    """Return where an answer goes below a folder."""
    return Place(folder / "work", folder / "a.zarr", "plan", **more)


def tree(folder: Path) -> dict[str, str]:
    """Return the digest of each file below a folder."""
    return {str(p.relative_to(folder)): digest(p) for p in folder.rglob("*") if p.is_file()}
