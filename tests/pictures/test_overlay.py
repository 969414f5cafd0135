"""Truth is filled, prediction outlined, each in the colour of its class."""

from __future__ import annotations

import numpy as np

from lamina.pictures.overlay import overlay
from lamina.pictures.palette import colour, rgb


def test_truth_is_filled_and_prediction_outlined() -> None:
    picture = np.full((12, 12, 3), 100, np.uint8)
    mine, true = np.zeros((2, 12, 12), np.bool_), np.zeros((2, 12, 12), np.bool_)
    true[0, 2:8, 2:8] = True
    mine[1, 3:11, 3:11] = True
    found = overlay(picture, list(mine), list(true))
    assert (found[3, 3:11] == rgb(colour(1))).all()
    assert (found[9, 9] == 100).all()  # inside the outline of what is not true
    filled = found[2, 2].astype(int)
    assert (filled != 100).any()
    assert (np.sign(filled - 100) == np.sign(np.array(rgb(colour(0))) - 100)).all()
    assert (picture == 100).all()


def test_without_a_truth_the_prediction_is_filled_too() -> None:
    picture = np.full((8, 8, 3), 100, np.uint8)
    mask = np.zeros((8, 8), np.bool_)
    mask[1:7, 1:7] = True
    found = overlay(picture, [mask], None)
    assert (found[1, 1] == rgb(colour(0))).all()
    assert (found[4, 4] != 100).any()
    assert (found[0, 0] == 100).all()
