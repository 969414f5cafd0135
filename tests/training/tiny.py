"""A recipe that trains in seconds, for the tests of training."""

from __future__ import annotations

from pathlib import Path

from lamina.recipe.load import load_recipe
from lamina.recipe.recipe import Recipe

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
  encoder: resnet18
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


def tiny(folder: Path, *changes: str) -> Recipe:
    """Return the tiny recipe with changes."""
    path = folder / "tiny.yaml"
    path.write_text(TINY, encoding="utf-8")
    return load_recipe(path, changes)
