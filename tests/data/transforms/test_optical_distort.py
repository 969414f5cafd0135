"""The map of OpenCV's camera model, as the published augmentation builds it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from lamina.data.transforms import OpticalDistort, Where
from lamina.data.transforms.optical_distort import Distortion


@pytest.mark.parametrize(
    ("size", "k", "shift"), [((48, 80), 0.9, (2, -1)), ((64, 64), -1.4, (0, 0))]
)
def test_it_is_the_map_of_the_published_code(
    size: tuple[int, int], k: float, shift: tuple[int, int]
) -> None:
    """SIIM-7."""
    height, width = size
    camera = np.array(
        [[width, 0, width / 2 + shift[1]], [0, height, height / 2 + shift[0]], [0, 0, 1]],
        np.float32,
    )
    columns, rows = cv2.initUndistortRectifyMap(
        camera, np.array([k, k, 0, 0, 0], np.float32), None, None, (width, height), cv2.CV_32FC1
    )
    grid = Where(
        np.arange(height, dtype=np.float32)[:, None] - (height - 1) / 2,
        np.arange(width, dtype=np.float32)[None] - (width - 1) / 2,
    )
    moved = OpticalDistort().move(grid, Distortion(k, shift[0] + 0.5, shift[1] + 0.5, size))
    np.testing.assert_allclose(moved.rows + (height - 1) / 2, rows, atol=2e-3)
    np.testing.assert_allclose(moved.columns + (width - 1) / 2, columns, atol=2e-3)


def test_strength_and_shift_are_within_their_limits_and_vary() -> None:
    rng = np.random.default_rng(0)
    picked = [OpticalDistort(limit=2, shift=3.4, p=1).pick((8, 8), rng) for _ in range(300)]
    lenses = [lens for lens in picked if lens is not None]
    assert len(lenses) == 300
    strengths = np.array([lens.strength for lens in lenses])
    assert abs(strengths).max() <= 2
    assert strengths.std() == pytest.approx(2 / np.sqrt(3), rel=0.1)
    assert {lens.down - 0.5 for lens in lenses} == {-3, -2, -1, 0, 1, 2, 3}


def test_it_may_not_happen() -> None:
    assert OpticalDistort(p=0).pick((8, 8), np.random.default_rng(0)) is None
