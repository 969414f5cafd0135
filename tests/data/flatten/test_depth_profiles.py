"""Mean curves of tiles and fragments, against numpy on the shrunk copy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from lamina.data.flatten import depth_profiles as module
from lamina.data.flatten.column_maps import Maps
from lamina.data.flatten.depth_profiles import Curves, Stack, measure, without_ends
from lamina.data.views.layers import open_layers
from lamina.errors import DataError
from lamina.volume import ArrayVolume


def fragment(depth: int = 7, height: int = 75, width: int = 92) -> tuple[NDArray[Any], ...]:
    rng = np.random.default_rng(1)
    layers = rng.integers(0, 65535, (depth, height, width)).astype(np.uint16)
    mask = (rng.random((height, width)) < 0.8).astype(np.uint8)
    mask[:, :20] = 0
    return layers, 255 * mask, (rng.random((height, width)) < 0.1).astype(np.uint8)


def stack_of(layers: NDArray[Any], mask: NDArray[Any], ink: NDArray[Any]) -> Stack:
    return Stack(
        "a",
        ArrayVolume(layers[None], "zyx", "a"),
        ArrayVolume(mask[None]),
        ArrayVolume(ink[None]),
    )


@pytest.mark.parametrize("shrink", [1, 2, 3])
def test_tiles_are_those_of_the_shrunk_copy(shrink: int) -> None:
    """INK-2: nearest pixel, sides divided without rest, overlapping tiles."""
    layers, mask, ink = fragment()
    found = measure(stack_of(layers, mask, ink), tile=16, step=8, shrink=shrink)
    height, width = 75 // shrink, 92 // shrink
    small = layers[:, ::shrink, ::shrink][:, :height, :width].astype(np.float64)
    papyrus = mask[::shrink, ::shrink][:height, :width] > 0
    tiles = found.tiles()
    starts = found.grid.starts
    assert starts[0][-1] == height - 16
    for i, top in enumerate(starts[0]):
        for j, left in enumerate(starts[1]):
            box = (slice(top, top + 16), slice(left, left + 16))
            if papyrus[box].any():
                wanted = small[(slice(None), *box)][:, papyrus[box]].mean(1)
                assert tiles[i, j] == pytest.approx(wanted)
            else:
                assert np.isnan(tiles[i, j]).all()
    assert found.mean() == pytest.approx(small[:, papyrus].mean(1))


def test_middles_are_in_pixels_of_the_stack() -> None:
    """INK-2: the middle of a tile of 8 shrunk pixels from the 4th on lies at pixel 15.5."""
    found = measure(stack_of(*fragment()), tile=8, step=4, shrink=2)
    rows, columns = found.middles()
    assert rows[:2].tolist() == [7.5, 15.5]
    assert rows[-1] == 2 * (37 - 4.5) + 0.5
    assert len(columns) == len(found.grid.starts[1])


def test_ink_and_background_have_curves_of_their_own() -> None:
    layers, mask, ink = fragment()
    found = measure(stack_of(layers, mask, ink), tile=16, step=8, shrink=1)
    for what, where in (("full", mask > 0), ("ink", (mask > 0) & (ink > 0))):
        assert found.moved(None, what) == pytest.approx(layers[:, where].mean(1))
    ground = layers[:, (mask > 0) & (ink == 0)].mean(1)
    assert found.moved(None, "background") == pytest.approx(ground)


def test_moved_curves_leave_out_cells_without_the_layer() -> None:
    layers = np.broadcast_to(np.arange(7.0)[:, None, None], (7, 4, 4)).astype(np.float32)
    stack = Stack("a", ArrayVolume(layers[None], "zyx"))
    found = measure(stack, tile=2, step=2, shrink=1)
    shift = np.array([[0.0, 0], [2, 2]], np.float32)
    maps = Maps(shift, np.ones((2, 2), np.float32), *found.middles())
    assert found.moved(maps).tolist() == [0, 1, 1, 2, 3, 4, 5]  # from layer 2 on, mean of z and z-2
    far = Maps(shift + 2, maps.scale, maps.rows, maps.columns)
    assert np.isnan(found.moved(far)).tolist() == [True, True, *5 * [False]]
    assert without_ends(found.moved(far)).tolist() == [0, 0, 0, 1, 1, 2, 3]
    nothing = found.moved(maps, "ink")
    assert np.isnan(nothing).all()


def test_bands_and_slabs_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A band of rows at a time, whole strips of the files, whatever their size."""
    layers, mask, ink = fragment()
    whole = measure(stack_of(layers, mask, ink), tile=16, step=8, shrink=2)
    for number, layer in enumerate(layers):
        tifffile.imwrite(tmp_path / f"{number:02}.tif", layer, rowsperstrip=10, compression="zlib")
    monkeypatch.setattr(module, "PIECE", 5000)
    stack = Stack("a", open_layers(tmp_path), ArrayVolume(mask[None]), ArrayVolume(ink[None]))
    parts = measure(stack, tile=16, step=8, shrink=2)
    for name in ("count", "total", "ink_count", "ink_total"):
        assert (getattr(parts, name) == getattr(whole, name)).all()


def test_what_cannot_be_measured_is_said() -> None:
    layers, mask, ink = fragment()
    with pytest.raises(DataError, match="mask of a is empty"):
        measure(stack_of(layers, np.zeros_like(mask), ink), tile=16, step=8, shrink=2)
    broken = layers.astype(np.float32)
    broken[3, 40:50, 40:50] = np.nan
    with pytest.raises(DataError, match="NaN"):
        measure(stack_of(broken, mask, ink), tile=16, step=8, shrink=2)
    with pytest.raises(DataError, match="too few"):
        measure(stack_of(layers, mask, ink), tile=16, step=8, shrink=80)


def test_a_tile_larger_than_the_fragment_is_the_fragment() -> None:
    found: Curves = measure(stack_of(*fragment()), tile=256, step=128, shrink=2)
    assert found.tiles().shape == (1, 1, 7)
    assert found.tiles()[0, 0] == pytest.approx(found.mean())
    assert found.middles()[0].tolist() == [36.5]  # of 37 shrunk rows, that is 74
