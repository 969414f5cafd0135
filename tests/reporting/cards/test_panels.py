"""Pictures decoded again: colours where they belong, small defects still there."""

from __future__ import annotations

import base64
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lamina.data.views.layers import Layers
from lamina.pictures.palette import FALSE, MISSED, RIGHT, colour
from lamina.reporting.cards.panels import (
    LARGEST_WHOLE,
    Panel,
    mask_panels,
    most_wrong,
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
    image = np.full((1, 480, 480), 100, np.uint8)
    truth, answer = np.zeros((2, 480, 480), np.bool_), np.zeros((2, 480, 480), np.bool_)
    truth[0, :160], answer[0, :160] = True, True
    answer[0, 160:320] = True
    truth[1, 320:] = True
    panels = mask_panels(image, truth, answer, side=500, background=False)
    words = ["image", "truth filled, prediction outlined", "error"]
    assert [panel.word for panel in panels] == words
    error = pixels(panels[2])
    assert near(error[159, 240], RIGHT)  # an outline
    assert np.abs(error[80, 240] - 98).max() < 5  # and nothing inside
    assert near(error[240, 240], FALSE)
    stripes = error[360:440, 200:280].reshape(-1, 3)
    share = np.mean([near(one, MISSED) for one in stripes])
    assert 0.3 < share < 0.7
    paint = np.array([int(colour(1)[i : i + 2], 16) for i in (1, 3, 5)])
    assert np.abs(pixels(panels[1])[400, 240] - (60 + 0.4 * paint)).max() < 5
    assert near(pixels(panels[1])[319, 240], colour(0))  # outline of the prediction
    assert np.abs(pixels(panels[0]) - 100).max() < 3


def test_a_single_pixel_survives_a_tenfold_reduction() -> None:
    image = np.full((1, 400, 800), 90, np.uint8)
    truth = np.zeros((1, 400, 800), np.bool_)
    truth[0, 201, 403] = True
    panels = mask_panels(image, truth, truth & False, side=80, background=False)
    error = pixels(panels[2])
    assert error.shape == (40, 80, 3)
    assert error[20, 40, 2] - error[20, 40, 0] > 60  # blue: missed


def test_small_images_are_enlarged_by_a_whole_number() -> None:
    image = np.arange(16 * 20, dtype=np.uint16).reshape(1, 16, 20).astype(np.uint8)
    masks = np.zeros((1, 16, 20), np.bool_)
    panels = mask_panels(image, masks, masks, side=70, background=False)
    assert {pixels(panel).shape for panel in panels} == {(48, 60, 3)}


def test_background_is_not_painted() -> None:
    image = np.full((3, 16, 16), 100, np.uint8)
    truth = np.stack([np.ones((16, 16), np.bool_), np.zeros((16, 16), np.bool_)])
    panels = mask_panels(image, truth, truth, side=99, background=True)
    assert np.abs(pixels(panels[1]) - 100).max() < 3


def test_large_images_are_cut_to_where_most_is_wrong() -> None:
    wrong = np.zeros((1000, 4000), np.bool_)
    wrong[500:540, 3000:3060] = True
    wrong[100:110, 200:210] = True
    rows, columns = most_wrong(wrong)
    half = LARGEST_WHOLE // 2
    assert (rows.start, rows.stop) == (0, 1000)
    assert columns.stop - columns.start == half
    assert columns.start < 2990 < 3070 < columns.stop
    wrong[:] = False
    wrong[:, -1] = True
    assert most_wrong(wrong)[1] == slice(4000 - half, 4000)
    assert most_wrong(wrong[:, :LARGEST_WHOLE]) == (slice(None), slice(None))


def test_a_cut_image_has_a_map_of_its_place() -> None:
    image = np.full((1, 400, 1600), 90, np.uint8)
    truth = np.zeros((1, 400, 1600), np.bool_)
    truth[0, 100:120, 1400:1420] = True
    picture = pixels(mask_panels(image, truth, truth & False, side=750, background=False)[0])
    corner = picture[:27, -110:, 0]
    assert corner[10, :50].mean() < 60
    assert corner[10, 60:108].mean() > 200  # the right half


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
