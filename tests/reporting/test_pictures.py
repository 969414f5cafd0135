"""Pictures decoded again: colours where they belong, small defects still there."""

from __future__ import annotations

import base64
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lamina.data.views.layers import Layers
from lamina.pictures.palette import colour
from lamina.reporting.pictures import (
    FALSE,
    HIT,
    MISSED,
    Panel,
    mask_panels,
    pictured,
    value_panels,
)
from lamina.volume import ArrayVolume, read_all


def pixels(panel: Panel) -> NDArray[Any]:
    data = base64.b64decode(panel.uri.partition(",")[2])
    found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert found is not None
    return np.asarray(found[:, :, ::-1], np.float64)


def near(found: NDArray[Any], name: str) -> bool:
    wanted = [int(name[i : i + 2], 16) for i in (1, 3, 5)]
    return bool(np.abs(found - wanted).max() < 60)


def test_right_false_and_missed_pixels_have_their_colours() -> None:
    image = np.full((1, 48, 48), 100, np.uint8)
    truth, answer = np.zeros((2, 48, 48), np.bool_), np.zeros((2, 48, 48), np.bool_)
    truth[0, :16], answer[0, :16] = True, True
    answer[0, 16:32] = True
    truth[1, 32:] = True
    panels = mask_panels(image, truth, answer, side=500, background=False)
    assert [panel.word for panel in panels] == ["image", "ground truth", "prediction", "error"]
    error = pixels(panels[3])
    assert near(error[8, 24], HIT)
    assert near(error[24, 24], FALSE)
    assert near(error[40, 24], MISSED)
    paint = np.array([int(colour(1)[i : i + 2], 16) for i in (1, 3, 5)])
    assert np.abs(pixels(panels[1])[40, 24] - (55 + 0.45 * paint)).max() < 5
    assert np.abs(pixels(panels[0]) - 100).max() < 3


def test_a_single_pixel_survives_a_tenfold_reduction() -> None:
    image = np.full((1, 400, 800), 90, np.uint8)
    truth = np.zeros((1, 400, 800), np.bool_)
    truth[0, 201, 403] = True
    panels = mask_panels(image, truth, truth & False, side=80, background=False)
    error = pixels(panels[3])
    assert error.shape == (40, 80, 3)
    assert error[20, 40, 2] - error[20, 40, 0] > 60  # blue: missed


def test_background_is_not_painted() -> None:
    image = np.full((3, 16, 16), 100, np.uint8)
    truth = np.stack([np.ones((16, 16), np.bool_), np.zeros((16, 16), np.bool_)])
    panels = mask_panels(image, truth, truth, side=99, background=True)
    assert np.abs(pixels(panels[1]) - 100).max() < 3


def test_values_of_sixteen_bits_and_floats_are_stretched() -> None:
    ramp = np.linspace(0, 60000, 64 * 64).reshape(1, 64, 64)
    panels = value_panels(ramp.astype(np.uint16), ramp, ramp + 5, side=64)
    shown = pixels(panels[0])
    assert shown[0].mean() < 10
    assert shown[-1].mean() > 245


def test_of_many_layers_only_the_one_that_is_shown_is_read() -> None:
    stack = np.arange(24, dtype=np.uint16)[None, :, None, None] * np.ones((1, 1, 3, 4), np.uint16)
    layers = Layers(ArrayVolume(stack, "zyx"), 4, 18)
    assert pictured(layers) == Layers(layers.source, 13, 1)
    assert (read_all(pictured(layers)) == 13).all()
    colours = ArrayVolume(np.zeros((3, 3, 4), np.uint8))
    assert pictured(colours) is colours
