"""A DICOM file of several frames as one volume, such as enhanced CT and MR."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.data.readers.cache import RECENT
from lamina.data.readers.dicom.image import DicomFile, header_of, opened
from lamina.data.readers.dicom.position import position_of, stack_of
from lamina.data.readers.dicom.values import Dicom
from lamina.data.readers.file_stamp import stamp_of
from lamina.errors import DataError
from lamina.geometry.region import Region
from lamina.volume import check_within


class DicomFrames:
    """The frames of one file with axes ``"zyx"``, in the order in which they lie.

    Values are those of ``DicomFile``; where frames differ in type, in one that holds all of them.
    The file is decoded whole.
    """

    axes = "zyx"

    def __init__(self, path: Path, options: Dicom, *, limit: int) -> None:
        """Read the header of ``path``.

        Raises:
            RecipeError: pydicom is not installed.
            DataError: frames do not say where they lie, or make no even stack.
        """
        self.path = Path(path)
        head = header_of(self.path)
        count = int(head.get("NumberOfFrames") or 1)
        found = [position_of(head, frame) for frame in range(count)]
        planes = [plane for plane in found if plane is not None]
        if len(planes) < count:
            raise DataError(
                f"{path}: holds {count} frames, and {count - len(planes)} of them do not say where "
                f"they lie; choose one with data.dicom.frame, from 0 to {count - 1}"
            )
        stack = stack_of(str(path), planes, [f"frame {frame}" for frame in range(count)])
        self.frames = stack.order
        """Number of each slice in the file."""
        each = (options.model_copy(update={"frame": frame}) for frame in stack.order)
        self._frames = tuple(DicomFile(self.path, one, limit=limit, head=head) for one in each)
        self.placement = stack.placement
        stat = self.path.stat()
        self._key = (str(path), stat.st_size, stat.st_mtime_ns, "frames", options.model_dump_json())

    @property
    def name(self) -> str:
        """The path."""
        return str(self.path)

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of frames, rows and columns."""
        return (len(self._frames), *self._frames[0].shape)

    @property
    def channels(self) -> int:
        """1 grey or palette index, 3 colours."""
        return self._frames[0].channels

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the frames, or one that holds all of their types."""
        return np.result_type(*{frame.dtype for frame in self._frames})

    @property
    def chunk_shape(self) -> tuple[int, ...]:
        """One frame."""
        return (1, *self.shape[1:])

    def stamp(self) -> str:
        """Return a digest of the file's name, size and time, and of what its values mean."""
        return stamp_of(self.path, [self.path], self._key)

    def read(self, region: Region) -> NDArray[Any]:
        """Return a copy, ``(channels, *region.shape)``.

        Raises:
            ValueError: the region leaves the volume.
            DataError: the pixels are cut off, damaged, or packed in an unknown way.
        """
        check_within(self, region)
        whole = RECENT.get(self._key, self._decode)
        return np.array(whole[(slice(None), *region.slices)], order="C")

    def _decode(self) -> NDArray[Any]:
        data = opened(self.path, pixels=True)
        out = np.empty((self.channels, *self.shape), self.dtype)
        for at, frame in enumerate(self._frames):
            out[:, at] = frame.values(data)
        return out
