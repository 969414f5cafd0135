"""Readers: files as volumes, each read exactly or refused.

To add one: write its file here, name its first bytes in ``sniff`` and its class below.
"""

from __future__ import annotations

from lamina.data.readers.dicom.image import Dicom, DicomFile
from lamina.data.readers.file_types import SUFFIXES, has_suffix, is_image, sniff, stem_of
from lamina.data.readers.hdf5 import Hdf5Volume
from lamina.data.readers.images.image import PIXEL_LIMIT, ImageFile
from lamina.data.readers.nifti import NiftiVolume
from lamina.data.readers.npy import NpyVolume
from lamina.data.readers.segy.volume import Segy, SegyVolume
from lamina.data.readers.tiff.volume import TiffVolume
from lamina.data.readers.zarr.volume import Fill, ZarrVolume
from lamina.public import StrPath, as_path
from lamina.volume import Volume

__all__ = [
    "PIXEL_LIMIT",
    "SUFFIXES",
    "Dicom",
    "DicomFile",
    "Fill",
    "Hdf5Volume",
    "ImageFile",
    "NiftiVolume",
    "NpyVolume",
    "Segy",
    "SegyVolume",
    "TiffVolume",
    "ZarrVolume",
    "has_suffix",
    "is_image",
    "open_volume",
    "stem_of",
]


def open_volume(
    path: StrPath,
    axes: str | None = None,
    *,
    limit: int = PIXEL_LIMIT,
    dicom: Dicom | None = None,
    segy: Segy | None = None,
    dataset: str | None = None,
    fill: Fill = "refuse",
) -> Volume:
    """Open an image or a volume; its content decides how, not its suffix.

    Read are PNG, JPEG, TIFF, NPY, DICOM, HDF5, NIfTI and SEG-Y files, and Zarr stores, which are
    folders.

    Args:
        path: The file or store.
        axes: Names of the stored axes in order, such as ``"zyx"``; the letter ``c`` makes an
            axis the channels. None: what the file says of itself, or ``"yx"`` for images and
            ``"zyx"`` for stacks of pages and arrays of three axes.
        limit: Largest number of pixels of one image or page; larger ones are refused before
            memory is taken. Files that are mapped rather than decoded have no limit.
        dicom: How the values of DICOM files are meant; None: as ``Dicom()``.
        segy: Where SEG-Y files say which trace belongs where; None: as ``Segy()``.
        dataset: Path of the array within an HDF5 file or a Zarr store; None: the only one, or
            the full resolution of an OME-Zarr image. Other files do not care.
        fill: Whether parts of Zarr and HDF5 arrays that were never written count as filled.

    Returns:
        A volume that pickles.

    Raises:
        RecipeError: the package that reads such files is not installed.
        DataError: the file is missing, empty, cut off, of another type, of a kind that cannot be
            read exactly, or its axes are not those named.
    """
    path = as_path(path)
    match sniff(path):
        case "npy":
            return NpyVolume(path, axes)
        case "tiff":
            return TiffVolume(path, axes, limit=limit)
        case "dicom":
            return DicomFile(path, dicom or Dicom(), limit=limit)
        case "zarr":
            return ZarrVolume(path, axes, dataset=dataset, fill=fill)
        case "hdf5":
            return Hdf5Volume(path, axes, dataset=dataset, fill=fill)
        case "nifti":
            return NiftiVolume(path, axes)
        case "segy":
            return SegyVolume(path, axes, segy)
        case "png" | "jpeg":
            return ImageFile(path, axes, limit=limit)
