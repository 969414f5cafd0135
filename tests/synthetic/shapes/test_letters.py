"""Letter-like strokes: seeded, of known width, in lines."""

from __future__ import annotations

import numpy as np
import pytest

from lamina.synthetic.shapes.letters import LETTERS, TALL, THICK, _distance, page


def test_equal_chances_give_equal_pages() -> None:
    first, again, other = (page((96, 128), np.random.default_rng(n)) for n in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert (first.shape, first.dtype.name) == ((96, 128), "uint8")


def test_distance_to_a_segment_is_that_to_its_nearest_point() -> None:
    rows, columns = np.mgrid[0:7, 0:9]
    first, last = np.array([[2.0, 1.0], [5.0, 5.0]]), np.array([[2.0, 6.0], [5.0, 5.0]])
    points = np.concatenate(
        [
            a + t * (b - a)
            for a, b in zip(first, last, strict=True)
            for t in [np.linspace(0, 1, 501)[:, None]]
        ]
    )
    away = np.hypot(rows[..., None] - points[:, 0], columns[..., None] - points[:, 1]).min(-1)
    np.testing.assert_allclose(_distance(rows, columns, first, last), away, atol=1e-2)


def test_strokes_are_as_wide_as_said_and_a_seventh_to_a_quarter_of_the_page() -> None:
    ink = page((512, 768), np.random.default_rng(3)) >= 128
    assert 1 / 7 < ink.mean() < 1 / 4
    # Area over half the border is the width of a long stroke.
    border = sum(int((np.diff(ink.astype(int), axis=axis) != 0).sum()) for axis in (0, 1))
    assert 2 * ink.sum() / (border * np.pi / 4) == pytest.approx(THICK, rel=0.2)


def test_letters_stand_in_lines_with_space_between() -> None:
    share = (page((512, 768), np.random.default_rng(4)) >= 128).mean(1)
    empty = share < 0.02
    lines = int((np.diff(empty.astype(int)) == -1).sum())
    assert 8 <= lines <= 12
    assert empty.mean() > 0.15


def test_letters_fill_their_box() -> None:
    for letter in LETTERS:
        points = np.concatenate([np.asarray(line, float) for line in letter])
        assert points.min() > -0.01
        assert points.max(0)[0] <= 1.01
        assert points.max(0)[1] <= 0.81
        assert np.ptp(points[:, 0]) >= 0.85
    assert TALL > 3 * THICK
