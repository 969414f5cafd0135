"""Samples and figures before training."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from lamina.data.targets.ground_truth import truth
from lamina.recipe.load import load_recipe
from lamina.reporting.figures.intensities import Spread, intensities
from lamina.synthetic.steel import write_severstal
from lamina.training.dataset import open_data
from lamina.training.preview.page import SAMPLES, write_preview

CHANGES = (
    "frame.size=[32, 64]",
    "split.count=2",
    "train.sampler={kind: random_crop, count: 30}",
)


def test_samples_areas_values_and_folds_are_shown(tmp_path: Path) -> None:
    write_severstal(tmp_path / "data", count=12, seed=3, shape=(64, 128))
    recipe = load_recipe("steel-laptop", CHANGES)
    page = write_preview(recipe, tmp_path / "data", tmp_path / "page.html")
    text = page.read_text(encoding="utf-8")
    images = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', text)
    assert len(images) == SAMPLES
    first = cv2.imdecode(np.frombuffer(base64.b64decode(images[0]), np.uint8), cv2.IMREAD_COLOR)
    assert first is not None
    assert first.shape == (128, 256, 3)  # four times 32 x 64
    opened = open_data(recipe, tmp_path / "data")
    masks = np.stack([truth(case, opened.task)[0] for case in opened.cases])
    for k, name in enumerate(opened.task.names or ()):
        row = re.search(rf"<tr><td>{name}</td><td>([0-9.]+)</td><td>(\d+)</td>", text)
        assert row is not None
        assert float(row[1]) == pytest.approx(masks[:, k].mean(), abs=1e-5)
        assert int(row[2]) == masks[:, k].any(axis=(1, 2)).sum()
    assert "<td>0</td><td>6</td><td>6</td>" in text
    assert "script" not in text.partition("<footer>")[0]


def test_values_of_groups_are_drawn_as_they_are() -> None:
    spread = Spread("a", (1.0, 2.0, 3.0, 4.0, 5.0))
    assert intensities([spread]).rows == (("a", 1.0, 2.0, 3.0, 4.0, 5.0),)
