"""One pass over the pixels: figures by hand, and digests of pixels rather than of files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr

from lamina.data.case import Case
from lamina.data.readers import open_volume
from lamina.doctor import case_statistics as look
from lamina.doctor.case_statistics import CaseStatistics, statistics_of
from lamina.task import Task
from lamina.volume import ArrayVolume

BINARY = Task(kind="binary", names=("it",))


def seen(
    image: np.ndarray, target: np.ndarray | None = None, task: Task | None = BINARY
) -> CaseStatistics:
    held = None if target is None else ArrayVolume(target)
    (found,) = statistics_of([Case("a", "a", ArrayVolume(image), held)], task)
    return found


def test_least_and_greatest_value_and_what_is_no_number() -> None:
    image = np.array([[[1, np.nan, -3], [np.inf, 8, 0]]], np.float32)
    found = seen(image)
    assert (found.low, found.high, found.lost) == (-3, 8, 2)
    nothing = seen(np.full((1, 2, 2), np.nan, np.float32))
    assert (nothing.low, nothing.high, nothing.lost) == (0, 0, 4)


def test_areas_are_counted_by_output() -> None:
    image = np.zeros((1, 2, 3), np.uint8)
    binary = seen(image, np.array([[[0, 1, 1], [0, 0, 1]]], np.uint8))
    assert (binary.areas, binary.empty) == ({0: 3}, False)
    ids = np.array([[[0, 2, 2], [0, 1, 2]]], np.uint8)
    assert seen(image, ids, Task(kind="multiclass", names=("no", "a", "b"))).areas == {1: 1, 2: 3}
    masks = np.stack([ids[0] == 9, ids[0] > 0]).astype(np.uint8)
    several = seen(image, masks, Task(kind="multilabel", names=("a", "b")))
    assert (several.areas, several.empty) == ({1: 4}, False)
    assert seen(image, np.zeros_like(image)).empty
    assert not seen(image).empty


def test_the_digest_is_of_pixels_whatever_the_file_and_the_slabs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (7, 20, 30), np.uint8)
    np.save(tmp_path / "a.npy", pixels)
    tifffile.imwrite(tmp_path / "a.tif", pixels)
    chunks = zarr.create_array(tmp_path / "a.zarr", data=pixels, chunks=(3, 20, 8))
    assert chunks.shape == pixels.shape
    digests = set()
    for piece in (1, 2000, 1 << 24):
        monkeypatch.setattr(look, "_PIECE", piece)
        for name in ("a.npy", "a.tif", "a.zarr"):
            case = Case(name, name, open_volume(tmp_path / name, "zyx"))
            digests.add(statistics_of([case], None)[0].image_digest)
    assert len(digests) == 1
    assert seen(pixels[:1]).image_digest not in digests


def test_what_cannot_be_read_is_part_of_the_answer(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.zeros((4, 5), np.uint8))
    case = Case("a", "a", open_volume(path))
    np.save(path, np.zeros((4, 4), np.uint8))
    (found,) = statistics_of([case], None)
    assert found.problem is not None
    assert "changed while it was in use" in found.problem
