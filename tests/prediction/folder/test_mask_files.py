"""Masks as files, there and back, and as other libraries read them."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile

from lamina.errors import DataError
from lamina.files import digest
from lamina.prediction.folder import mask_files
from lamina.prediction.folder.mask_files import (
    read_mask,
    suffix,
    write_bands,
    write_mask,
    write_slabs,
)
from lamina.task import Task

TASKS = {
    "binary": Task(kind="binary", names=("a",)),
    "multilabel": Task(kind="multilabel", names=("a", "b", "c")),
    "multiclass": Task(kind="multiclass", names=("none", "b", "c")),
}


@pytest.mark.parametrize("kind", TASKS)
@pytest.mark.parametrize("shape", [(5, 7), (1, 9), (4, 5, 6), (1, 5, 6)])
def test_there_and_back(tmp_path: Path, kind: str, shape: tuple[int, ...]) -> None:
    task, rng = TASKS[kind], np.random.default_rng(0)
    answer = rng.random((task.outputs, *shape)) > 0.5
    if kind == "multiclass":
        answer = rng.integers(0, 3, shape) == np.arange(3).reshape(-1, *[1] * len(shape))
    path = tmp_path / f"m{suffix(task, len(shape))}"
    assert write_mask(path, answer, task) == digest(path)
    np.testing.assert_array_equal(read_mask(path, task, shape), answer)


@pytest.mark.parametrize("kind", [*TASKS, "restore"])
def test_slabs_give_the_same_file_as_the_whole_volume(tmp_path: Path, kind: str) -> None:
    task = TASKS.get(kind, Task(kind="restore", names=("a", "b")))
    answer = np.random.default_rng(0).normal(size=(task.outputs, 7, 5, 6)).astype(np.float32)
    if kind != "restore":
        answer = answer > 0
    slabs = [answer[:, :3], answer[:, 3:6], answer[:, 6:]]
    sha256 = write_slabs(tmp_path / "s.tif", lambda: slabs, task, answer.shape)
    assert sha256 == write_mask(tmp_path / "m.tif", answer, task)
    pages = {"binary": 7, "multiclass": 7, "multilabel": 21, "restore": 14}
    with tifffile.TiffFile(tmp_path / "s.tif") as opened:
        assert len(opened.pages) == pages[kind]


@pytest.mark.parametrize("write", [write_slabs, write_bands])
def test_few_parts_are_held_at_once_where_threads_pack_them(
    tmp_path: Path, write: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of sixty parts of 64 KiB what a buffer of 256 KiB takes, and each as it was."""
    monkeypatch.setattr(tifffile.TIFF, "MAXWORKERS", 4, raising=False)
    monkeypatch.setattr(mask_files, "_BUFFER", 2**18)
    rng = np.random.default_rng(0)
    parts = [rng.random((1, 256, 256)) > 0.5 for _ in range(60)]
    wanted = np.stack(parts, 1) if write is write_slabs else np.concatenate(parts, 1)
    tracemalloc.start()
    try:
        found = write(
            tmp_path / "m.tif",
            lambda: (part[:, None] if write is write_slabs else part for part in parts),
            TASKS["binary"],
            wanted.shape,
        )
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found == digest(tmp_path / "m.tif")
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "m.tif"), 255 * wanted[0])
    assert most < 2**21


def test_a_binary_image_is_black_and_white_for_every_viewer(tmp_path: Path) -> None:
    mask = np.eye(4, 6, dtype=bool)[None]
    write_mask(tmp_path / "m.png", mask, TASKS["binary"])
    found = cv2.imread(str(tmp_path / "m.png"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(found, np.eye(4, 6) * 255)


def test_classes_that_overlap_are_pages(tmp_path: Path) -> None:
    mask = np.random.default_rng(0).random((3, 8, 9)) > 0.5
    write_mask(tmp_path / "m.tif", mask, TASKS["multilabel"])
    with tifffile.TiffFile(tmp_path / "m.tif") as opened:
        assert len(opened.pages) == 3
        np.testing.assert_array_equal(opened.pages[1].asarray(), mask[1] * np.uint8(255))


def test_values_of_restore_are_kept_exactly(tmp_path: Path) -> None:
    task = Task(kind="restore", names=("a", "b"))
    values = np.random.default_rng(0).normal(size=(2, 5, 6)).astype(np.float32)
    write_mask(tmp_path / "m.tif", values, task)
    np.testing.assert_array_equal(read_mask(tmp_path / "m.tif", task, (5, 6)), values)


def test_a_damaged_or_strange_mask_is_refused_by_name(tmp_path: Path) -> None:
    for name in ("m.png", "m.tif"):
        (tmp_path / name).write_bytes(b"nonsense")
        with pytest.raises(DataError, match=name):
            read_mask(tmp_path / name, TASKS["binary"], (4, 6))
    write_mask(tmp_path / "m.png", np.zeros((1, 4, 6), bool), TASKS["binary"])
    with pytest.raises(DataError, match="not a mask of"):
        read_mask(tmp_path / "m.png", TASKS["binary"], (4, 7))
