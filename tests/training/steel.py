"""Steel-like runs that train in seconds: images on disk, one epoch, any network."""

from __future__ import annotations

from pathlib import Path

from tiny import tiny

from lamina.recipe.recipe import Recipe
from lamina.synthetic.steel import write_severstal

SHAPE = (64, 96)

SMALL = (
    "network={kind: unet, encoder: mobilenetv3_small_050, weights: none, "
    "decoder: {encoder_depth: 3, decoder_channels: [8, 8, 8]}}"
)
"""Another network than the tiny recipe's."""


def known(folder: Path, count: int = 8) -> Path:
    """Write labelled strips below ``folder`` and return where."""
    write_severstal(folder / "known", count=count, seed=1, shape=SHAPE)
    return folder / "known"


def unlabelled(folder: Path, count: int = 4) -> Path:
    """Write strips that no training knows, with a table of what is on them."""
    write_severstal(folder / "unlabelled", count=count, seed=1, shape=SHAPE, first=100)
    return folder / "unlabelled"


def recipe(folder: Path, *changes: str) -> Recipe:
    """Return a recipe for ``known`` that trains two folds for one epoch."""
    data = "data={kind: csv_rle}"
    return tiny(folder, data, "split.seed=1", "train.epochs=1", "train.accumulate=1", *changes)
