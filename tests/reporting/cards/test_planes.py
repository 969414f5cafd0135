"""Planes of volumes: through the most wrong place, upright, at their true proportions."""

from __future__ import annotations

import numpy as np

from lamina.data.network_input.frame import Frame
from lamina.reporting.cards.planes import down_of, middle_of_errors, planes
from lamina.volume import ArrayVolume
from lamina.volume.placement import Placement


class Spaced(ArrayVolume):
    """A volume in memory that says its spacing."""

    placement = Placement(axes="zyx", spacing=(3.0, 1.0, 1.0), units=("mm",) * 3, world="body")


def test_planes_go_through_the_place_where_most_is_wrong() -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (1, 8, 30, 40)).astype(np.uint8)
    target, answer = np.zeros((2, 1, 8, 30, 40), np.bool_)
    target[0, 5, 10:13, 20:24] = True
    z, y, x = middle_of_errors((target != answer)[0])
    assert z == 5
    found = planes(ArrayVolume(image, "zyx"), target, answer, down=1, start=(100, 0, 0))
    assert [word for word, *_ in found] == [f"z = {100 + z}", f"y = {y}", f"x = {x}"]
    assert (found[0][1] == image[:, 5]).all()
    assert (found[1][1] == image[:, :, y]).all()
    assert (found[2][1] == image[..., x].swapaxes(1, 2)).all()  # y points downwards
    assert (found[2][2] == target[..., x].swapaxes(1, 2)).all()


def test_voxels_are_as_large_as_the_file_says() -> None:
    image = np.zeros((1, 8, 30, 40), np.uint8)
    masks = np.ones((1, 8, 30, 40), np.bool_)
    found = planes(Spaced(image, "zyx"), masks, masks & False, down=1)
    assert [plane[1].shape for plane in found] == [(1, 30, 40), (1, 24, 40), (1, 30, 24)]


def test_samples_of_two_ways_of_slicing_point_downwards() -> None:
    volume = ArrayVolume(np.zeros((1, 2, 3, 4), np.uint8), "zyx")
    assert down_of(volume, Frame(size=(64, 64), slices={"axes": "zy"})) == 2
    assert down_of(volume, Frame(size=(64, 64), slices={"axes": "z"})) == 1
