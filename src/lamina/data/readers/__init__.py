"""Readers: files as volumes, each read exactly or refused.

To add one: write its file here, name its first bytes in ``sniff`` and its class below.
"""

from __future__ import annotations

from pathlib import Path

from lamina.data.readers.dicom import Dicom, DicomFile
from lamina.data.readers.image import PIXEL_LIMIT, ImageFile
from lamina.data.readers.npy import NpyVolume
from lamina.data.readers.sniff import SUFFIXES, sniff
from lamina.data.readers.tiff import TiffVolume
from lamina.volume import Volume

__all__ = [
    "PIXEL_LIMIT",
    "SUFFIXES",
    "Dicom",
    "DicomFile",
    "ImageFile",
    "NpyVolume",
    "TiffVolume",
    "open_volume",
]


def open_volume(
    path: Path | str,
    axes: str | None = None,
    *,
    limit: int = PIXEL_LIMIT,
    dicom: Dicom | None = None,
) -> Volume:
    """Open a PNG, JPEG, TIFF, NPY or DICOM file; its content decides which, not its suffix.

    Args:
        path: The file.
        axes: Names of the stored axes in order, such as ``"zyx"``; the letter ``c`` makes an
            axis of a TIFF or NPY file the channels. None: ``"yx"`` for images, ``"zyx"`` for
            stacks of pages and three-axis arrays, or what the file says of itself.
        limit: Largest number of pixels of one image or page; larger ones are refused before
            memory is taken. Files that are mapped rather than decoded have no limit.
        dicom: How the values of DICOM files are meant; None: as ``Dicom()``.

    Returns:
        A volume that pickles and holds no open file.

    Raises:
        DataError: the file is missing, empty, cut off, of another type, of a kind that cannot be
            read exactly, or its axes are not those named.
    """
    path = Path(path)
    kind = sniff(path)
    if kind == "npy":
        return NpyVolume(path, axes)
    if kind == "tiff":
        return TiffVolume(path, axes, limit=limit)
    if kind == "dicom":
        return DicomFile(path, dicom or Dicom(), limit=limit)
    return ImageFile(path, axes, limit=limit)
