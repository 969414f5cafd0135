"""The parts of a sheet of papyrus: each a function of the place alone."""

from __future__ import annotations

import numpy as np
import pytest

from lamina.synthetic.shapes.papyrus import Fibres, Outline, Waves, wrapped

ALL = slice(0, 200)


def test_waves_are_the_sum_of_six_plane_waves_held_back() -> None:
    waves = Waves.draw(np.random.default_rng(1), (50, 90))
    y, x = np.mgrid[20:60, :30]
    total = sum(
        np.cos(r * y + c * x + p)
        for r, c, p in zip(waves.rows, waves.columns, waves.phases, strict=True)
    )
    expected = 2 * np.tanh(total / np.sqrt(3) / 2)
    np.testing.assert_allclose(waves.at(slice(20, 60), 30), expected, atol=1e-5)
    length = 2 * np.pi / np.hypot(waves.rows, waves.columns)
    assert length.min() >= 50
    assert length.max() <= 90


def test_waves_have_a_deviation_of_about_1_and_stay_within_2() -> None:
    fields = [Waves.draw(np.random.default_rng(n), (20, 60)).at(ALL, 200) for n in range(8)]
    assert max(np.abs(field).max() for field in fields) <= 2
    assert np.mean([field.std() for field in fields]) == pytest.approx(0.85, abs=0.1)


def test_fibres_of_the_upper_half_run_along_x_and_those_below_along_y() -> None:
    fibres = Fibres((200, 200), np.random.default_rng(2))
    sections = fibres.over(ALL, 200)
    for depth, along in ((-5.0, 1), (5.0, 0)):
        seen = Fibres.at(sections, np.full((200, 200), depth, np.float32))
        steps = [np.abs(np.diff(seen, axis=axis)).mean() for axis in (0, 1)]
        assert steps[1 - along] > 8 * steps[along]
        assert seen.std() == pytest.approx(1, abs=0.1)


def test_fibres_between_two_sections_are_mixed_linearly_pixel_by_pixel() -> None:
    sections = Fibres((64, 64), np.random.default_rng(2)).over(slice(8, 40), 64)
    depth = np.random.default_rng(3).uniform(-9.9, 9.9, (32, 64)).astype(np.float32)
    found = Fibres.at(sections, depth)
    for y, x in ((0, 0), (31, 63), (10, 20)):
        place = depth[y, x] / 2.5 + 4
        expected = np.interp(place, np.arange(9), sections[:, y, x])
        assert found[y, x] == pytest.approx(expected, abs=1e-4)


def test_the_outline_keeps_away_from_the_border_and_has_holes() -> None:
    within, whole = Outline((200, 300), np.random.default_rng(4)).at(ALL)
    for edge in (within[0], within[-1], within[:, 0], within[:, -1]):
        assert not edge.any()
    assert 0.6 < within.mean() < 0.95
    holes = within & ~whole
    assert 0.001 < holes.mean() < 0.1
    assert not (whole & ~within).any()


def test_rows_do_not_depend_on_what_else_is_asked_for() -> None:
    outline = Outline((200, 90), np.random.default_rng(5))
    fibres = Fibres((200, 90), np.random.default_rng(5))
    waves, some = Waves.draw(np.random.default_rng(6), (50, 90)), slice(70, 131)
    np.testing.assert_array_equal(outline.at(some), [part[70:131] for part in outline.at(ALL)])
    np.testing.assert_array_equal(fibres.over(some, 90), fibres.over(ALL, 90)[:, 70:131])
    np.testing.assert_allclose(waves.at(some, 90), waves.at(ALL, 90)[70:131], atol=1e-6)


def test_fields_repeat_beyond_their_sides() -> None:
    field = np.arange(12, dtype=np.float32).reshape(1, 3, 4)
    np.testing.assert_array_equal(
        wrapped(field, slice(2, 7), 9), np.tile(field, (1, 3, 3))[:, 2:7, :9]
    )
