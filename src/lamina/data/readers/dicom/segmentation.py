"""DICOM segmentations as label volumes: the number of a segment where it is, else 0.

A segmentation holds a frame for each segment and each plane in which it is seen; planes without
any are left out of the file. Here they are there, empty, between the first and the last.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lamina.data.readers.cache import RECENT
from lamina.data.readers.dicom.image import frames_of, header_of
from lamina.data.readers.dicom.position import TOLERANCE, PlanePosition, Stack, position_of
from lamina.data.readers.dicom.values import group_of
from lamina.errors import DataError
from lamina.geometry.region import Region
from lamina.volume import NOWHERE, check_within

if TYPE_CHECKING:
    from pydicom import Dataset

SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"


class DicomSegmentation:
    """One segmentation: axes ``"zyx"``, or ``"yx"`` where its frames do not say where they lie."""

    channels = 1
    sparse = True
    """Planes before the first and behind the last are empty: the file leaves such ones out."""

    def __init__(self, path: Path, *, limit: int) -> None:
        """Read the header of ``path``.

        Raises:
            DataError: it holds fractions, or its frames make no regular grid.
        """
        self.path = Path(path)
        head = header_of(self.path)
        kind = str(head.get("SegmentationType") or "BINARY")
        if kind != "BINARY":
            raise DataError(
                f"{path}: is a segmentation of the kind {kind}; read is BINARY: export it so"
            )
        self._frames = int(head.get("NumberOfFrames") or 1)
        rows, columns = int(head.Rows), int(head.Columns)
        if rows * columns > limit:
            raise DataError(f"{path}: has {(rows, columns)} rows and columns, more than {limit}")
        self._segments = [_segment(head, frame) for frame in range(self._frames)]
        planes = [position_of(head, frame) for frame in range(self._frames)]
        placed = [plane for plane in planes if plane is not None]
        if len(placed) == self._frames:
            stack, self._places = _grid(self.path, placed, _step(head))
            self.axes, self.placement = "zyx", stack.placement
            self.shape: tuple[int, ...] = (max(self._places) + 1, rows, columns)
        else:
            self._places = [0] * self._frames
            self.axes, self.placement, self.shape = "yx", NOWHERE, (rows, columns)
            if len(set(self._segments)) < self._frames:
                raise DataError(
                    f"{path}: several of its frames are of one segment, and do not say where they "
                    "lie; export it with positions of planes"
                )
        stat = self.path.stat()
        self._key = (str(path), stat.st_size, stat.st_mtime_ns, "segmentation")

    @property
    def name(self) -> str:
        """The path."""
        return str(self.path)

    @property
    def dtype(self) -> np.dtype[Any]:
        """uint8, or uint16 where numbers of segments need it."""
        return np.dtype(np.uint8 if max(self._segments) < 256 else np.uint16)

    def read(self, region: Region) -> NDArray[Any]:
        """Return a copy, ``(1, *region.shape)``, of numbers of segments.

        Raises:
            ValueError: the region leaves the volume.
            DataError: the pixels are damaged, or two segments overlap.
        """
        check_within(self, region)
        whole = RECENT.get(self._key, self._decode)
        return np.array(whole[(slice(None), *region.slices)], order="C")

    def _decode(self) -> NDArray[Any]:
        frames = frames_of(self.path).reshape(self._frames, *self.shape[-2:])
        found = np.zeros((max(self._places) + 1, *self.shape[-2:]), self.dtype)
        for segment, place, frame in zip(self._segments, self._places, frames, strict=True):
            inside = frame != 0
            others = found[place][inside]
            if others.any():
                raise DataError(
                    f"{self.path}: the segments {int(others.max())} and {segment} overlap; export "
                    "each segment to a file of its own"
                )
            found[place][inside] = segment
        return found.reshape(1, *self.shape)


def _segment(head: Dataset, frame: int) -> int:
    """Return which segment a frame is of."""
    group = group_of(head, "SegmentIdentificationSequence", frame)
    number = int(group.get("ReferencedSegmentNumber") or 1)
    if not 0 < number < 65536:
        raise DataError(f"a frame is of the segment {number}; numbers from 1 to 65535 are read")
    return number


def _step(head: Dataset) -> float | None:
    """Return the distance of planes that the header states."""
    group = group_of(head, "PixelMeasuresSequence", 0)
    value = group.get("SpacingBetweenSlices") or group.get("SliceThickness")
    return abs(float(value)) if value else None


def _grid(path: Path, planes: list[PlanePosition], stated: float | None) -> tuple[Stack, list[int]]:
    """Return the grid of planes, and the index of each frame on it."""
    first = planes[0]
    if not all(plane.is_parallel(first) for plane in planes):
        raise DataError(f"{path}: its frames have different orientations; export it again")
    depth = np.array([float(plane.origin @ first.normal) for plane in planes])
    different = np.unique(depth.round(4))
    low = int(depth.argmin())
    if len(different) == 1:
        return Stack((0,), first, first.normal * (stated or 1.0)), [0] * len(planes)
    steps = np.diff(different)
    for step in (stated, float(steps.min())):
        places = (depth - depth[low]) / step if step else depth
        whole = np.rint(places)
        if step and np.abs(places - whole).max() <= TOLERANCE and np.diff(np.unique(whole)).all():
            high = int(depth.argmax())
            across = (planes[high].origin - planes[low].origin) / whole[high]
            return Stack((0,), planes[low], across), [int(place) for place in whole]
    raise DataError(
        f"{path}: its planes lie {steps.min():g} to {steps.max():g} mm apart, on no even grid; "
        "export it again on that of its images"
    )
