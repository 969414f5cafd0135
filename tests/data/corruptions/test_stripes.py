"""Lines that are moved as a whole."""

from __future__ import annotations

import numpy as np
import pytest

from lamina.data.corruptions import Scene, Stripes
from lamina.seeding import rng


@pytest.mark.parametrize(("along", "axis"), [("y", 1), ("x", 2)])
def test_a_line_is_moved_by_one_number(along: str, axis: int) -> None:
    clean = rng(0, "c").random((1, 300, 300), np.float32)
    noise = (
        Stripes(sigma=10, along=along).spoil(clean, 10.0, Scene("yx", "x", 1, "a"), rng(0)) - clean
    )
    lines = noise.mean(axis=axis, keepdims=True)
    np.testing.assert_allclose(noise, np.broadcast_to(lines, noise.shape), atol=1e-3)
    assert lines.std() == pytest.approx(10, rel=0.15)


def test_across_the_lines_every_pixel_is_a_line_of_its_own() -> None:
    clean = np.zeros((1, 100, 100), np.float32)
    noise = Stripes(along="y").spoil(clean, 2.0, Scene("zx", "x", 1, "a"), rng(0))
    assert noise.std() == pytest.approx(2, rel=0.05)
    assert noise.mean(axis=1).std() < 0.4
