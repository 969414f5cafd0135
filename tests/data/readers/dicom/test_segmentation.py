"""READ-29: DICOM segmentations of one bit as masks of the series that they were drawn on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lamina.data.catalogs import Folder, VolumePairs
from lamina.data.readers import DicomSegmentation, open_volume
from lamina.errors import DataError
from lamina.task import Task
from lamina.volume import read_all
from tests.factories.dicom import write_segmentation, write_series, write_slice

CUBE = np.random.default_rng(0).integers(-1000, 2000, (6, 7, 9)).astype(np.int16)


def masks(segments: int = 2) -> NDArray[np.bool_]:
    """Segments that do not overlap, in planes 2 to 4 of 6."""
    found = np.zeros((segments, 6, 7, 9), bool)
    for segment in range(segments):
        found[segment, 2:5, segment * 3 : segment * 3 + 2, 1 : 8 - segment] = True
    return found


def labels(found: NDArray[np.bool_]) -> NDArray[np.uint8]:
    numbers = np.arange(1, len(found) + 1, dtype=np.uint8).reshape(-1, 1, 1, 1)
    return np.asarray((found * numbers).sum(0), np.uint8)


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("step", [False, True])
def test_read_29_bits_are_numbers_of_segments(tmp_path: Path, kept: bool, step: bool) -> None:
    path = write_segmentation(tmp_path / "seg.dcm", masks(), kept=kept, step=step)
    volume = open_volume(path, target=True)
    assert isinstance(volume, DicomSegmentation)
    wanted = labels(masks()) if kept else labels(masks())[2:5]
    assert volume.dtype == np.uint8
    np.testing.assert_array_equal(read_all(volume)[0], wanted)


@pytest.mark.parametrize("kept", [False, True])
def test_read_29_a_segmentation_lies_on_its_series(tmp_path: Path, kept: bool) -> None:
    """READ-29: planes that the file leaves out are empty, and those before and behind too."""
    write_series(tmp_path / "ct", CUBE)
    write_segmentation(tmp_path / "seg.dcm", masks(), kept=kept)
    data = VolumePairs(image="ct", target="seg.dcm")
    task = Task(kind="multiclass", names=("none", "one", "two"))
    (case,) = data.open(tmp_path, task).cases
    image, target = read_all(case.image)[0], read_all(case.target)[0]
    for value in (0, 1, 2):
        np.testing.assert_array_equal(
            np.sort(image[target == value]), np.sort(CUBE[labels(masks()) == value])
        )
    where = np.argwhere(target == 2)
    assert len(where) == int(masks()[1].sum())


def test_read_29_one_plane_lies_on_a_series_and_on_a_slice(tmp_path: Path) -> None:
    found = np.zeros((1, 6, 7, 9), bool)
    found[0, 4, 1:3, 2:8] = True
    write_series(tmp_path / "ct", CUBE)
    write_segmentation(tmp_path / "seg.dcm", found, step=False)
    binary = Task(kind="binary", names=("spot",))
    (case,) = VolumePairs(image="ct", target="seg.dcm").open(tmp_path, binary).cases
    target = read_all(case.target)[0] > 0
    np.testing.assert_array_equal(np.sort(read_all(case.image)[0][target]), np.sort(CUBE[found[0]]))
    write_slice(tmp_path / "images" / "a.dcm", CUBE[4], 4)
    write_segmentation(tmp_path / "masks" / "a.dcm", found)
    (flat,) = Folder().open(tmp_path, binary).cases
    np.testing.assert_array_equal(read_all(flat.target)[0] > 0, found[0, 4])
    write_slice(tmp_path / "images" / "a.dcm", CUBE[3], 3)
    with pytest.raises(DataError, match="do not lie in the same place"):
        Folder().open(tmp_path, binary)


def test_read_29_planes_beyond_the_series_are_refused(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", CUBE[:4])
    write_segmentation(tmp_path / "seg.dcm", masks())
    with pytest.raises(DataError, match="do not lie in the same place"):
        VolumePairs(image="ct", target="seg.dcm").open(tmp_path, Task(kind="binary"))


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        (
            {"SegmentationType": "FRACTIONAL"},
            "a segmentation of the kind FRACTIONAL; read is BINARY",
        ),
        ({"NumberOfFrames": 99}, "cut off|frame"),
    ],
)
def test_read_29_other_segmentations_are_refused_with_the_reason(
    tmp_path: Path, tags: dict[str, Any], words: str
) -> None:
    path = write_segmentation(tmp_path / "seg.dcm", masks(), **tags)
    with pytest.raises(DataError, match=words):
        read_all(open_volume(path, target=True))


def test_read_29_segments_that_overlap_are_refused(tmp_path: Path) -> None:
    found = masks()
    found[1] |= found[0]
    path = write_segmentation(tmp_path / "seg.dcm", found)
    with pytest.raises(DataError, match="the segments 1 and 2 overlap"):
        read_all(open_volume(path, target=True))
