"""Layers written out: what is written is what a read gives, and it is read again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from lamina.data.flatten import Flattened, Maps
from lamina.data.readers import open_volume
from lamina.data.views.layers import open_layers
from lamina.errors import DataError, RecipeError, ResourceError
from lamina.outputs import write_layers as module
from lamina.outputs.write_layers import write_layers
from lamina.volume import ArrayVolume, read_all


def made(kind: Any = np.uint16) -> Flattened:
    layers = np.random.default_rng(1).integers(0, 250, (12, 50, 70)).astype(kind)
    shift = np.array([[0.5, -2.0], [1.25, 3.0]], np.float32)
    maps = Maps(shift, np.full((2, 2), 0.9, np.float32), np.array([5.0, 40]), np.array([9.0, 60]))
    return Flattened(ArrayVolume(layers[None], "zyx"), [maps])


@pytest.mark.parametrize("kind", [np.uint16, np.uint8, np.float32])
@pytest.mark.parametrize("block", [1, 20000, 2**24])
def test_files_hold_the_aligned_layers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Any, block: int
) -> None:
    """INK-10: slices are written out one file each; the size of the blocks changes nothing."""
    monkeypatch.setattr(module, "BLOCK", block)
    volume = made(kind)
    write_layers(volume, tmp_path / "out", (3, 9))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        f"{z:02}.tif" for z in range(3, 9)
    ]
    wanted = read_all(volume)[0, 3:9]
    assert (read_all(open_layers(tmp_path / "out"))[0] == wanted).all()
    assert (tifffile.imread(tmp_path / "out" / "05.tif") == wanted[2]).all()


def test_zarr_holds_the_aligned_layers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """INK-10."""
    monkeypatch.setattr(module, "BLOCK", 1)
    monkeypatch.setattr(module, "_CHUNK", 16)
    volume = made()
    write_layers(volume, tmp_path / "out.zarr", (0, 12), "zarr")
    found = open_volume(tmp_path / "out.zarr")
    assert found.axes == "zyx"
    assert (read_all(found) == read_all(volume)).all()


def test_what_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(RecipeError, match="there already"):
        write_layers(made(), tmp_path / "out", (0, 3))
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.txt"]


def test_a_full_disk_and_wrong_layers_are_said_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DataError, match="has 12 layers, not 3 to 19"):
        write_layers(made(), tmp_path / "out", (3, 20))

    class Full:
        free = 1000

    monkeypatch.setattr(module, "disk_usage", lambda _: Full)
    with pytest.raises(ResourceError, match="GiB are needed"):
        write_layers(made(), tmp_path / "out", (0, 12))
    assert not list(tmp_path.iterdir())


def test_nothing_is_left_of_what_failed(tmp_path: Path) -> None:
    class Broken(ArrayVolume):
        def read(self, region: Any) -> Any:
            if region.start[1] > 0:
                raise DataError("strip 3 is damaged")
            return super().read(region)

    layers = Broken(np.zeros((1, 4, 2000, 3000), np.uint8), "zyx")
    with pytest.raises(DataError, match="damaged"):
        write_layers(layers, tmp_path / "out", (0, 4))
    assert not list(tmp_path.iterdir())
