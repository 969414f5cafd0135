"""A folder of DICOM slices as one volume, sorted by where they lie."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.data.readers.dicom.image import DicomFile
from lamina.data.readers.dicom.position import PlanePosition, stack_of
from lamina.data.readers.dicom.values import Dicom
from lamina.data.readers.file_stamp import stamp_of
from lamina.errors import DataError, listed
from lamina.geometry.region import Region
from lamina.volume import check_within

_MAGIC = slice(128, 132)


class DicomSeries:
    """The slices of one series, with axes ``"zyx"``: z from slice to slice along their normal.

    Values are those of ``DicomFile``; where slices differ in type, in one that holds all of them.
    """

    axes = "zyx"

    def __init__(self, path: Path, options: Dicom, *, limit: int) -> None:
        """Read the headers of all files in the folder ``path``.

        Args:
            path: The folder; files in folders within it are not of the series.
            options: Rescale and window of each slice.
            limit: Largest number of pixels of a slice.

        Raises:
            RecipeError: pydicom is not installed.
            DataError: a file is no DICOM image; there are several series; a slice does not say
                where it lies, or is of another size; two lie in one place; some are missing.
        """
        self.path = Path(path)
        slices = [DicomFile(file, options, limit=limit) for file in _files(self.path)]
        if not slices:
            raise DataError(f"{path}: is a folder without DICOM files; give the folder of a series")
        series = Counter(one.series for one in slices)
        if len(series) > 1:
            said = [f"{name or 'none named'}: {count} slices" for name, count in series.items()]
            raise DataError(
                listed(
                    f"{path}: holds {len(series)} series; put each into a folder of its own", said
                )
            )
        stack = stack_of(str(path), _planes(self.path, slices), [one.path.name for one in slices])
        self._slices = tuple(slices[at] for at in stack.order)
        first = self._slices[0]
        odd = [
            f"{slice_.path.name}: {slice_.shape}, {slice_.channels} channels"
            for slice_ in self._slices
            if (slice_.shape, slice_.channels) != (first.shape, first.channels)
        ]
        if odd:
            raise DataError(
                listed(f"{path}: {len(odd)} slices are of another size than {first.shape}", odd)
            )
        self.placement = stack.placement

    @property
    def name(self) -> str:
        """The path of the folder."""
        return str(self.path)

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of slices, rows and columns."""
        return (len(self._slices), *self._slices[0].shape)

    @property
    def channels(self) -> int:
        """1 grey or palette index, 3 colours."""
        return self._slices[0].channels

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the slices, or one that holds all of their types."""
        return np.result_type(*{slice_.dtype for slice_ in self._slices})

    @property
    def chunk_shape(self) -> tuple[int, ...]:
        """One slice, which is decoded whole."""
        return (1, *self.shape[1:])

    @property
    def files(self) -> tuple[Path, ...]:
        """The files of the slices, in order."""
        return tuple(slice_.path for slice_ in self._slices)

    def stamp(self) -> str:
        """Return a digest of the names, sizes and times of all slices, and of their meaning."""
        return stamp_of(self.path, self.files, self._slices[0].meaning)

    def read(self, region: Region) -> NDArray[Any]:
        """Return a copy, ``(channels, *region.shape)``; whole slices are decoded.

        Raises:
            ValueError: the region leaves the volume.
            DataError: the pixels of a slice are cut off, damaged, or packed in an unknown way.
        """
        check_within(self, region)
        plane = Region(region.start[1:], region.stop[1:])
        out = np.empty((self.channels, *region.shape), self.dtype)
        for at, one in enumerate(self._slices[region.start[0] : region.stop[0]]):
            out[:, at] = one.read(plane)
        return out


def _planes(path: Path, slices: list[DicomFile]) -> list[PlanePosition]:
    found = [slice_.position for slice_ in slices]
    lost = [one.path.name for one, plane in zip(slices, found, strict=True) if plane is None]
    if lost:
        raise DataError(
            listed(
                f"{path}: {len(lost)} of {len(slices)} slices do not say where they lie (position, "
                "orientation and spacing of pixels); leave them out",
                lost,
            )
        )
    return [plane for plane in found if plane is not None]


def _files(folder: Path) -> list[Path]:
    """Return the DICOM files of a folder, in order of their names; an index of a disc is none."""
    inside = sorted(path for path in folder.iterdir() if path.is_file())
    return [
        path
        for path in inside
        if path.name[0] != "." and path.name.upper() != "DICOMDIR" and _is_dicom(path)
    ]


def _is_dicom(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(132)[_MAGIC] == b"DICM"


def is_series(folder: Path) -> bool:
    """Whether a folder holds two DICOM files or more, and no other files."""
    if not folder.is_dir():
        return False
    inside = [
        path
        for path in folder.iterdir()
        if path.name[0] != "." and path.name.upper() != "DICOMDIR" and path.is_file()
    ]
    return len(inside) > 1 and all(_is_dicom(path) for path in inside)
