"""Adding tiles: weights sum to 1, overhang is left out, shares count."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lamina.geometry.tiling.grid import TileGrid
from lamina.prediction.tiling.blend import Sum

CPU = torch.device("cpu")


@pytest.mark.parametrize("shape", [(1, 1), (3, 50), (16, 16), (17, 40), (61, 33)])
def test_ones_add_up_to_one_at_every_pixel(shape: tuple[int, int]) -> None:
    grid = TileGrid(shape, (16, 16), (5, 9))
    total = Sum(grid, "gaussian", 2, device=CPU)
    for number in range(len(grid)):
        total.add(number, torch.ones(2, 16, 16), 0.5)
        total.add(number, torch.ones(2, 16, 16) * 3, 0.5)
    np.testing.assert_allclose(total.result(), 2, rtol=1e-6)


def test_what_overhangs_is_left_out_on_every_side() -> None:
    grid = TileGrid((3, 4), (6, 9), (6, 9))
    tile = torch.arange(54.0).reshape(1, 6, 9)
    total = Sum(grid, "constant", 1, device=CPU)
    total.add(0, tile)
    np.testing.assert_allclose(total.result(), tile[:, 1:4, 2:6], rtol=1e-6)  # 1 and 2, 2 and 3


def test_an_answer_is_not_changed_and_old_content_does_not_matter() -> None:
    answer, out = torch.ones(1, 8, 8), np.full((1, 6, 8), np.nan, np.float32)
    grid = TileGrid((6, 8), (8, 8), (4, 4))
    total = Sum(grid, "hann", 1, device=CPU, out=out)
    total.add(0, answer)
    assert total.result() is out
    assert torch.equal(answer, torch.ones(1, 8, 8))
    np.testing.assert_allclose(out, 1, rtol=1e-6)


def test_a_tile_that_covers_all_is_added_in_one_pass_to_the_same_bytes() -> None:
    """-0 included: 0 + -0 is 0."""
    grid = TileGrid((6, 5), (6, 5), (6, 5))
    answer = torch.randn(2, 6, 5, generator=torch.Generator().manual_seed(0))
    answer[0, 0] = -0.0
    found, slow = (Sum(grid, "gaussian", 2, device=torch.device("cpu")) for _ in range(2))
    found.add(0, answer, share=0.3)
    assert not slow.values.any()  # asked for first, it is 0
    slow.add(0, answer, share=0.3)
    assert found.result().tobytes() == slow.result().tobytes()
    found.add(0, answer)
    slow.add(0, answer)
    assert found.result().tobytes() == slow.result().tobytes()


def test_what_nothing_is_added_to_is_0() -> None:
    out = np.full((1, 4, 4), 7, np.float32)
    grid = TileGrid((4, 4), (4, 4), (4, 4))
    assert not Sum(grid, "constant", 1, device=torch.device("cpu"), out=out).result().any()
