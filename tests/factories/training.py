"""Recipes that train in seconds, and steel-like images on disk to train them on."""

from __future__ import annotations

from pathlib import Path

from lamina.recipe.load import load_recipe
from lamina.recipe.recipe import Recipe
from lamina.synthetic.steel import write_severstal

TINY = """
name: tiny
seed: 3
deterministic: true
precision: float32
task: {kind: multilabel}
data: {kind: synthetic, job: steel, count: 12, shape: [64, 96], seed: 5}
split: {kind: folds, count: 2}
frame: {size: [64, 64], channels: 1, normalise: {kind: fixed, mean: 0.4, std: 0.2}}
transforms: [{kind: flip}]
network:
  kind: unet
  encoder: test_resnet
  decoder: {encoder_depth: 3, decoder_channels: [16, 8, 8]}
  dropout: 0.2
loss: [{kind: bce}, {kind: dice}]
train:
  epochs: 3
  batch: 4
  accumulate: 2
  optimizer: {kind: adamw, lr: 0.003}
  schedule: {kind: warmup_cosine}
  ema: {decay: 0.9}
predict: {overlap: 0.0, window: constant}
"""

SHAPE = (64, 96)

SMALL = (
    "network={kind: unet, encoder: test_efficientnet, weights: none, "
    "decoder: {encoder_depth: 3, decoder_channels: [8, 8, 8]}}"
)
"""Another network than the tiny recipe's."""


def tiny(folder: Path, *changes: str) -> Recipe:
    """Return the tiny recipe with changes."""
    path = folder / "tiny.yaml"
    path.write_text(TINY, encoding="utf-8")
    return load_recipe(path, changes)


def known(folder: Path, count: int = 8) -> Path:
    """Write labelled strips below ``folder`` and return where."""
    write_severstal(folder / "known", count=count, seed=1, shape=SHAPE)
    return folder / "known"


def unlabelled(folder: Path, count: int = 4) -> Path:
    """Write strips that no training knows, with a table of what is on them."""
    write_severstal(folder / "unlabelled", count=count, seed=1, shape=SHAPE, first=100)
    return folder / "unlabelled"


def steel_recipe(folder: Path, *changes: str) -> Recipe:
    """Return a recipe for ``known`` that trains two folds for one epoch."""
    data = "data={kind: csv_rle}"
    return tiny(folder, data, "split.seed=1", "train.epochs=1", "train.accumulate=1", *changes)
