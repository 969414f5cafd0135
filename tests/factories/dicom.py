"""DICOM slices and segmentations, written with pydicom."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.pixels.utils import pack_bits
from pydicom.sequence import Sequence as Items
from pydicom.uid import ExplicitVRLittleEndian

AXIAL = ((1.0, 0, 0), (0, 1.0, 0))
SAGITTAL = ((0, 1.0, 0), (0, 0, -1.0))


def _file(path: Path, kind: str) -> FileDataset:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = kind
    meta.MediaStorageSOPInstanceUID = "1.2.3"
    data = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID = kind
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    return data


def place_of(
    at: float,
    turn: Sequence[Sequence[float]] = AXIAL,
    origin: Sequence[float] = (-20.0, 30.0, 5.0),
    step: float = 3.0,
) -> list[float]:
    """Return ImagePositionPatient of slice ``at``."""
    normal = np.cross(turn[0], turn[1])
    return [float(x) for x in np.array(origin) + normal * step * at]


def write_slice(
    path: Path,
    pixels: NDArray[np.int16],
    at: float,
    *,
    turn: Sequence[Sequence[float]] = AXIAL,
    spacing: tuple[float, float] = (0.5, 0.75),
    **tags: Any,
) -> Path:
    """Write one slice of a series; tags that are None are left out."""
    data = _file(path, "1.2.840.10008.5.1.4.1.1.2")
    data.SeriesInstanceUID = "1.2.3.4"
    data.ImageOrientationPatient = [*turn[0], *turn[1]]
    data.ImagePositionPatient = place_of(at, turn)
    data.PixelSpacing = list(spacing)
    data.Rows, data.Columns = pixels.shape
    data.BitsAllocated = data.BitsStored = 16
    data.HighBit, data.PixelRepresentation = 15, 1
    data.PixelData = np.ascontiguousarray(pixels, "<i2").tobytes()
    for name, value in tags.items():
        if value is None:
            delattr(data, name)
        else:
            setattr(data, name, value)
    path.parent.mkdir(parents=True, exist_ok=True)
    data.save_as(path, enforce_file_format=True)
    return path


def write_series(
    folder: Path, cube: NDArray[np.int16], *, turn: Sequence[Sequence[float]] = AXIAL, seed: int = 0
) -> NDArray[np.float64]:
    """Write (z, y, x) slices under names in no order; return the affine of [z, y, x, 1], RAS."""
    names = np.random.default_rng(seed).permutation(len(cube))
    for at, pixels in enumerate(cube):
        write_slice(folder / f"IM{names[at]:04d}", pixels, at, turn=turn)
    columns = [
        np.cross(turn[0], turn[1]) * 3.0,
        np.array(turn[1]) * 0.5,
        np.array(turn[0]) * 0.75,
        np.array(place_of(0, turn)),
    ]
    matrix = np.eye(4)
    matrix[:3] = np.diag([-1.0, -1, 1]) @ np.column_stack(columns)
    return matrix


def write_stack(
    path: Path,
    cube: NDArray[np.int16],
    places: Sequence[int],
    *,
    slopes: bool = False,
    **tags: Any,
) -> Path:
    """Write slices of a cube as frames of one file, in the order of ``places``."""
    write_slice(path, cube[0], 0, **tags)
    data = pydicom.dcmread(path)
    del data.ImagePositionPatient, data.ImageOrientationPatient, data.PixelSpacing
    frames = []
    for at in places:
        one = _group(PlanePositionSequence=Items([_group(ImagePositionPatient=place_of(at))]))
        if slopes:
            means = _group(RescaleSlope=at + 0.5, RescaleIntercept=1.0)
            one.PixelValueTransformationSequence = Items([means])
        frames.append(one)
    shared = _group(
        PlaneOrientationSequence=Items([_group(ImageOrientationPatient=[*AXIAL[0], *AXIAL[1]])]),
        PixelMeasuresSequence=Items([_group(PixelSpacing=[0.5, 0.75])]),
    )
    data.SharedFunctionalGroupsSequence = Items([shared])
    data.PerFrameFunctionalGroupsSequence = Items(frames)
    data.NumberOfFrames = len(frames)
    data.PixelData = np.ascontiguousarray(cube[list(places)], "<i2").tobytes()
    data.save_as(path)
    return path


def _group(**values: Any) -> Dataset:
    found = Dataset()
    for name, value in values.items():
        setattr(found, name, value)
    return found


def write_segmentation(
    path: Path, masks: NDArray[np.bool_], *, kept: bool = False, step: bool = True, **tags: Any
) -> Path:
    """Write (segments, z, y, x) as one bit a voxel; empty frames are left out unless ``kept``."""
    data = _file(path, "1.2.840.10008.5.1.4.1.1.66.4")
    frames, groups = [], []
    for segment, volume in enumerate(masks, 1):
        for at, mask in enumerate(volume):
            if not kept and not mask.any():
                continue
            which, place, group = Dataset(), Dataset(), Dataset()
            which.ReferencedSegmentNumber = segment
            place.ImagePositionPatient = place_of(at)
            group.SegmentIdentificationSequence = Items([which])
            group.PlanePositionSequence = Items([place])
            frames.append(mask)
            groups.append(group)
    turn, sides, shared = Dataset(), Dataset(), Dataset()
    turn.ImageOrientationPatient = [*AXIAL[0], *AXIAL[1]]
    sides.PixelSpacing = [0.5, 0.75]
    if step:
        sides.SpacingBetweenSlices = 3.0
    shared.PlaneOrientationSequence = Items([turn])
    shared.PixelMeasuresSequence = Items([sides])
    data.SharedFunctionalGroupsSequence = Items([shared])
    data.PerFrameFunctionalGroupsSequence = Items(groups)
    data.SegmentationType, data.NumberOfFrames = "BINARY", len(frames)
    data.Rows, data.Columns = masks.shape[-2:]
    data.BitsAllocated = data.BitsStored = 1
    data.HighBit = data.PixelRepresentation = 0
    data.PixelData = pack_bits(np.stack(frames).astype(np.uint8))
    for name, value in tags.items():
        setattr(data, name, value)
    path.parent.mkdir(parents=True, exist_ok=True)
    data.save_as(path, enforce_file_format=True)
    return path


def read_again(path: Path) -> pydicom.Dataset:
    """Return a file as pydicom reads it."""
    return pydicom.dcmread(path)
