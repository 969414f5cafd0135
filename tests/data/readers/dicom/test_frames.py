"""READ-29: one file of several frames as a volume, as enhanced CT and MR are stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from lamina.data.catalogs import VolumePairs
from lamina.data.readers import Dicom, open_volume
from lamina.errors import DataError
from lamina.task import Task
from lamina.volume import placement_of, read_all
from tests.factories.dicom import write_segmentation, write_series, write_stack

CUBE = np.random.default_rng(0).integers(-1000, 2000, (5, 7, 9)).astype(np.int16)
ORDER = (3, 0, 4, 1, 2)
"""Where each frame of the file lies."""


def write_frames(path: Path, *, places: Any = ORDER, slopes: bool = False) -> Path:
    return write_stack(path, CUBE, places, slopes=slopes)


def test_read_29_frames_are_sorted_by_where_they_lie(tmp_path: Path) -> None:
    volume = open_volume(write_frames(tmp_path / "mr.dcm"), stack=True)
    assert (volume.axes, volume.shape, volume.dtype) == ("zyx", CUBE.shape, np.int16)
    np.testing.assert_array_equal(read_all(volume)[0], CUBE)
    write_series(tmp_path / "mr", CUBE)
    assert placement_of(volume) == placement_of(open_volume(tmp_path / "mr"))


def test_read_29_each_frame_has_its_own_rescale(tmp_path: Path) -> None:
    volume = open_volume(write_frames(tmp_path / "pet.dcm", slopes=True), stack=True)
    wanted = np.stack([CUBE[at] * np.float32(at + 0.5) + 1 for at in range(5)])
    np.testing.assert_allclose(read_all(volume)[0], wanted, rtol=1e-6)


def test_read_29_one_file_and_its_segmentation_are_a_pair(tmp_path: Path) -> None:
    write_frames(tmp_path / "mr.dcm")
    mask = np.zeros((1, 5, 7, 9), bool)
    mask[0, 1:3, 2:5, 3:8] = True
    write_segmentation(tmp_path / "seg.dcm", mask)
    data = VolumePairs(image="mr.dcm", target="seg.dcm")
    (case,) = data.open(tmp_path, Task(kind="binary", names=("spot",))).cases
    inside = read_all(case.image)[read_all(case.target) > 0]
    np.testing.assert_array_equal(np.sort(inside), np.sort(CUBE[mask[0]]))
    again = data.open_image(tmp_path / "mr.dcm")
    np.testing.assert_array_equal(read_all(again), read_all(case.image))


def test_frames_are_images_where_one_is_chosen_and_refused_where_they_are_no_stack(
    tmp_path: Path,
) -> None:
    path = write_frames(tmp_path / "mr.dcm")
    chosen = open_volume(path, stack=True, dicom=Dicom(frame=0))
    np.testing.assert_array_equal(read_all(chosen)[0], CUBE[ORDER[0]])
    with pytest.raises(DataError, match=r"holds 5 frames; choose one with data\.dicom\.frame"):
        open_volume(path)
    with pytest.raises(DataError, match=r"slices lie where another lies"):
        open_volume(write_frames(tmp_path / "twice.dcm", places=(0, 1, 2, 2, 3)), stack=True)
    data = pydicom.dcmread(path)
    del data.PerFrameFunctionalGroupsSequence[1].PlanePositionSequence
    data.save_as(path)
    with pytest.raises(DataError, match="holds 5 frames, and 1 of them do not say where they lie"):
        open_volume(path, stack=True)
