"""Grey images of a bright disc with masks of 0 and 255, and a recipe that learns them fast."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
import pytest

from lamina.errors import StoppedError
from lamina.recipe.load import load_recipe
from lamina.recipe.recipe import Recipe
from lamina.seeding import rng
from lamina.training.run import train

QUICK = """
extends: folder-laptop
split: {kind: folds, count: 2}
frame: {size: [64, 64]}
network: {kind: drunet, widths: [8, 16], blocks: 1, residual: false}
train: {epochs: 1, batch: 4, validate_every: 1}
predict: {views: as_is}
"""


def disc(folder: Path, name: str, seed: int, size: int = 96) -> None:
    """Write the image and the mask of one disc below ``folder``."""
    chance = rng(seed, "disc")
    row, column = chance.integers(size // 4, 3 * size // 4, 2)
    mask = np.zeros((size, size), np.uint8)
    cv2.circle(mask, (int(column), int(row)), int(chance.integers(8, size // 4)), 255, -1)
    noise = chance.normal(60, 12, mask.shape) + mask * 0.5
    for kind, pixels in (("images", noise.clip(0, 255).astype(np.uint8)), ("masks", mask)):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / kind / f"{name}.png"), pixels)


def discs(folder: Path, count: int = 8, size: int = 96, *, first: int = 0) -> Path:
    """Write ``count`` discs called disc0, disc1 ... below ``folder`` and return it."""
    for number in range(first, first + count):
        disc(folder, f"disc{number}", number, size)
    return folder


def quick(folder: Path, *changes: str, without: Iterable[str] = ()) -> Recipe:
    """Return the recipe with changes; ``without``: sections to leave out first."""
    lines = [line for line in QUICK.splitlines() if line.partition(":")[0] not in without]
    path = folder / "quick.yaml"
    path.write_text("\n".join(lines), encoding="utf-8")
    return load_recipe(path, changes)


def stop_after(log: Path, rows: int = 1) -> threading.Thread:
    """Send this process SIGTERM once the log of a fold has so many rows; start the thread."""

    def watch() -> None:
        for _ in range(3000):
            if log.is_file() and len(log.read_bytes().splitlines()) >= rows:
                os.kill(os.getpid(), signal.SIGTERM)
                return
            time.sleep(0.02)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    return thread


def stopped_run(folder: Path, *changes: str, fold: str = "fold0") -> Path:
    """Train ``folder/data`` into ``folder/run`` until the first epoch is done, and stop there."""
    watcher = stop_after(folder / "run" / fold / "metrics.jsonl")
    recipe = quick(folder, "train.epochs=500", *changes)
    with pytest.raises(StoppedError):
        train(recipe, data=folder / "data", out=folder / "run")
    watcher.join()
    return folder / "run"
