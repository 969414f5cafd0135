"""DICOM Segmentations, read back by highdicom and pydicom: same patient, grid and pixels."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray

from lamina.data.orientation import canonical
from lamina.data.readers import Dicom, open_volume
from lamina.errors import RecipeError
from lamina.files import digest
from lamina.prediction.outputs.native.dicom_seg import DICOM_SEG
from lamina.volume import placement_of
from tests.factories.dicom import SAGITTAL, write_slice, write_stack
from tests.factories.native import NAMES, answer_of, chances

CUBE = np.random.default_rng(0).integers(-1000, 2000, (5, 8, 16)).astype(np.int16)
STUDY = {
    "PatientID": "P-7",
    "PatientName": "Doe^Jane",
    "PatientSex": "F",
    "StudyInstanceUID": "1.2.3.9",
    "StudyDate": "20240102",
    "FrameOfReferenceUID": "1.2.3.8",
    "Modality": "CT",
}
CT = "1.2.840.10008.5.1.4.1.1.2"


def put_series(folder: Path, *, turn: Any = SAGITTAL, **tags: Any) -> list[pydicom.Dataset]:
    """Write the slices of the cube under names in no order; return them in the order of z."""
    about = {name: value for name, value in (STUDY | tags).items() if value}
    names = np.random.default_rng(1).permutation(len(CUBE))
    paths = [
        write_slice(
            folder / f"IM{names[z]}", CUBE[z], z, turn=turn, SOPInstanceUID=f"1.2.5.{z}", **about
        )
        for z in range(len(CUBE))
    ]
    return [pydicom.dcmread(path) for path in paths]


def write(folder: Path, image: Any, source: Path, kind: str, prob: NDArray[Any]) -> Path:
    answer = answer_of(folder, image, source, kind, prob)
    assert DICOM_SEG.why_not(answer) is None
    target = folder / "native" / "a.dcm"
    (layer,) = DICOM_SEG.layers(answer)
    assert DICOM_SEG.write(target, answer, layer) == digest(target)
    return target


@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel"])
def test_segments_lie_on_the_slices_of_the_series(tmp_path: Path, kind: str) -> None:
    """Patient, study, place and references are the source's; each mask is on its own slice."""
    heads = put_series(tmp_path / "ct")
    image = canonical(open_volume(tmp_path / "ct"))  # turned: the answer must be turned back
    assert image.shape != CUBE.shape
    prob = chances(kind, image.shape)
    target = write(tmp_path, image, tmp_path / "ct", kind, prob)

    found = highdicom.seg.segread(target)
    for name in ("PatientID", "PatientName", "StudyInstanceUID", "FrameOfReferenceUID"):
        assert found[name].value == heads[0][name].value
    first = int(kind == "multiclass")
    segments = {n: found.get_segment_description(n).segment_label for n in found.segment_numbers}
    assert segments == dict(enumerate(NAMES[kind][first:], 1))
    masks = prob.argmax(axis=0) == np.arange(len(prob)).reshape(-1, 1, 1, 1)
    masks = masks[1:] if kind == "multiclass" else prob > 0.5
    pixels = found.get_pixels_by_source_instance([head.SOPInstanceUID for head in heads])
    stored = stored_order(tmp_path / "ct", masks)  # (K, z, y, x) as in the files
    np.testing.assert_array_equal(np.moveaxis(pixels, -1, 0), stored)

    # The same by coordinates alone: highdicom's own affines of both.
    series = highdicom.get_volume_from_series(heads)
    mine = found.get_volume()
    drawn = np.argwhere(stored[0])
    again = mine.map_reference_to_indices(
        highdicom.VolumeGeometry.map_indices_to_reference(series, series_places(series, drawn))
    )
    places = np.rint(again).astype(int)
    np.testing.assert_allclose(again, places, atol=1e-4)
    np.testing.assert_array_equal(mine.array[tuple(places.T)][..., 0], 1)
    assert int(mine.array[..., 0].sum()) == len(drawn)


def series_places(series: Any, drawn: NDArray[Any]) -> NDArray[Any]:
    """Return voxels (z along the normal of the slices) as indices of highdicom's volume."""
    order = series.array.shape
    assert order == CUBE.shape
    same = np.array_equal(series.array, CUBE)
    assert same or np.array_equal(series.array, CUBE[::-1])
    return drawn if same else drawn * [-1, 1, 1] + [len(CUBE) - 1, 0, 0]


def stored_order(source: Path, masks: NDArray[Any]) -> NDArray[Any]:
    """Return masks (K, *S) of the canonical image as its files store them, by places alone."""
    image, turned = open_volume(source), canonical(open_volume(source))
    before, after = placement_of(image).grid, placement_of(turned).grid
    assert before is not None
    assert after is not None
    every = np.indices(image.shape).reshape(3, -1)
    world = before[:, :3] @ every + before[:, 3:]
    there = np.rint(np.linalg.solve(after[:, :3], world - after[:, 3:])).astype(int)
    return masks[(slice(None), *there)].reshape(len(masks), *image.shape)


def test_a_single_image_without_frame_of_reference(tmp_path: Path) -> None:
    """As of a plain radiograph: one frame needs no place."""
    path = write_slice(
        tmp_path / "xray.dcm",
        CUBE[0],
        0,
        SOPInstanceUID="1.2.5",
        SOPClassUID="1.2.840.10008.5.1.4.1.1.1.1",
        **{name: value for name, value in STUDY.items() if name != "FrameOfReferenceUID"},
    )
    prob = np.zeros((1, 8, 16), np.float32)
    prob[0, 2, 5] = prob[0, 7, 15] = 1
    target = write(tmp_path, open_volume(path), path, "binary", prob)
    found = highdicom.seg.segread(target)
    pixels = found.get_pixels_by_source_instance(["1.2.5"])
    np.testing.assert_array_equal(pixels[0, :, :, 0], prob[0])
    assert found.PatientID == "P-7"


def test_frames_of_one_file_and_one_of_them(tmp_path: Path) -> None:
    """Frames are stored in another order than they lie in; each mask goes to its own."""
    enhanced = STUDY | {"SOPClassUID": f"{CT}.1", "SOPInstanceUID": "1.2.5"}
    path = write_stack(tmp_path / "a.dcm", CUBE, (3, 0, 4, 1, 2), **enhanced)
    image = open_volume(path, stack=True)
    prob = chances("binary", image.shape)
    target = write(tmp_path, image, path, "binary", prob)
    found = highdicom.seg.segread(target)
    numbers = [frame + 1 for frame in image.frames]
    pixels = found.get_pixels_by_source_frame(
        "1.2.5", numbers, assert_missing_frames_are_empty=True
    )
    np.testing.assert_array_equal(pixels[..., 0], prob[0] > 0.5)

    whole = pydicom.dcmread(path)
    whole.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].SliceThickness = 2.5
    whole.save_as(path)
    one = open_volume(path, dicom=Dicom(frame=2))
    flat = chances("binary", one.shape)
    target = write(tmp_path / "one", one, path, "binary", flat)
    found = highdicom.seg.segread(target)
    pixels = found.get_pixels_by_source_frame("1.2.5", [3])
    np.testing.assert_array_equal(pixels[0, :, :, 0], flat[0] > 0.5)


def test_nothing_decided_is_a_segmentation_of_empty_frames(tmp_path: Path) -> None:
    put_series(tmp_path / "ct")
    image = open_volume(tmp_path / "ct")
    target = write(tmp_path, image, tmp_path / "ct", "binary", np.zeros((1, *image.shape)))
    found = pydicom.dcmread(target)
    assert found.pixel_array.sum() == 0
    assert len(found.SegmentSequence) == 1


def test_what_cannot_be_placed_is_left_out_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_series(tmp_path / "ct", FrameOfReferenceUID=None)
    image = open_volume(tmp_path / "ct")
    prob = chances("binary", image.shape)
    answer = answer_of(tmp_path, image, tmp_path / "ct", "binary", prob)
    assert "no Frame of Reference UID, without which 5 frames" in str(DICOM_SEG.why_not(answer))

    put_series(tmp_path / "bare", StudyInstanceUID=None)
    bare = open_volume(tmp_path / "bare")
    answer = answer_of(tmp_path / "b", bare, tmp_path / "bare", "binary", prob)
    assert str(DICOM_SEG.why_not(answer)).endswith("has no StudyInstanceUID")

    alone = write_slice(tmp_path / "ct.dcm", CUBE[0], 0, SOPInstanceUID="1.2.5", **STUDY)
    flat = open_volume(alone)
    answer = answer_of(tmp_path / "s", flat, alone, "binary", chances("binary", flat.shape))
    assert "does not say how thick its slice is" in str(DICOM_SEG.why_not(answer))

    values = answer_of(tmp_path / "r", bare, tmp_path / "bare", "restore", prob)
    assert "not restored values" in str(DICOM_SEG.why_not(values))

    monkeypatch.setitem(sys.modules, "highdicom", None)
    with pytest.raises(RecipeError, match=r"pip install 'lamina\[dicom-seg\]'"):
        DICOM_SEG.why_not(answer)
