"""Pictures of masks on images, whole and by bands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from lamina.pictures.palette import rgb
from lamina.prediction.folder.predictions import Predictions
from lamina.prediction.outputs.overlays import SIDE, write_overlay
from lamina.volume import ArrayVolume
from tests.factories.predictions import predicted_case, prediction_info


@pytest.mark.parametrize("banded", [False, True])
def test_overlay_shows_grey_and_every_object(tmp_path: Path, make: Any, banded: bool) -> None:
    """Issue 14, part 2: of one pixel, too, where the picture is smaller than the image."""
    shape = (40, 2 * SIDE - 90)
    recipe = make.recipe(task={"kind": "binary", "names": ["a"]})
    info = prediction_info(recipe, predicted_case("a.png", shape, banded=banded))
    made = Predictions.create(tmp_path / "pred", info)
    prob = np.zeros((1, *shape), np.float32)
    prob[0, 10, 100], prob[0, 20:31, 900:1001] = 1, 1
    made.add("a.png", prob)
    image = ArrayVolume(np.full((1, *shape), 120, np.uint8), "yx", name="a")
    path = tmp_path / "a.jpg"
    write_overlay(path, made, "a.png", image)
    picture = cv2.imread(str(path))[:, :, ::-1].astype(int)
    assert max(picture.shape[:2]) <= SIDE
    scale = picture.shape[1] / shape[1]
    far = picture[:, int(1500 * scale) :]
    assert np.abs(far - 120).max() <= 3
    colour, filled = np.array(rgb("#B9FF73")), picture[int(25 * scale), int(950 * scale)]
    assert np.abs(filled - (0.55 * 120 + 0.45 * colour)).max() <= 24
    spot = picture[int(10 * scale), int(100 * scale)]
    assert np.abs(spot - 120).max() > 15
