"""Readers: files as volumes, each read exactly or refused.

To add one: write its file here, import its ``Format`` below and name it in ``FORMATS``.
"""

from __future__ import annotations

from pathlib import Path

from lamina.data.readers.dicom.formats import DICOM, SERIES
from lamina.data.readers.dicom.image import DicomFile, frames_in
from lamina.data.readers.dicom.segmentation import DicomSegmentation
from lamina.data.readers.dicom.series import DicomSeries
from lamina.data.readers.dicom.values import Dicom
from lamina.data.readers.file_types import FolderContent, Formats, PassedOver
from lamina.data.readers.format import PIXEL_LIMIT, Fill, Format, Options
from lamina.data.readers.hdf5 import HDF5, Hdf5Volume
from lamina.data.readers.images.header import known_image
from lamina.data.readers.images.image import BMP, JPEG, PNG, WEBP, ImageFile
from lamina.data.readers.nifti import NIFTI, NiftiVolume
from lamina.data.readers.npy import NPY, NpyVolume
from lamina.data.readers.segy.volume import SEGY, Segy, SegyVolume
from lamina.data.readers.tiff.volume import TIFF, TiffVolume
from lamina.data.readers.zarr.volume import ZARR, ZarrVolume
from lamina.errors import DataError, LaminaError
from lamina.public import StrPath, as_path
from lamina.refusals import system_said, verb
from lamina.volume import Volume

__all__ = [
    "FORMATS",
    "PIXEL_LIMIT",
    "SUFFIXES",
    "Dicom",
    "DicomFile",
    "DicomSegmentation",
    "DicomSeries",
    "Fill",
    "FolderContent",
    "Format",
    "Hdf5Volume",
    "ImageFile",
    "NiftiVolume",
    "NpyVolume",
    "Options",
    "PassedOver",
    "Segy",
    "SegyVolume",
    "TiffVolume",
    "ZarrVolume",
    "frames_in",
    "has_suffix",
    "images_below",
    "is_image",
    "is_volume",
    "look_below",
    "open_volume",
    "open_with",
    "sniff",
    "stem_of",
]

FORMATS = Formats(
    (
        DICOM,  # before the others: any bytes may stand in its preamble
        PNG,
        JPEG,
        BMP,
        WEBP,
        TIFF,
        NPY,
        HDF5,
        NIFTI,
        ZARR,
        SERIES,
        SEGY,
    )
)
"""The types of files that can be read."""

SUFFIXES = FORMATS.suffixes
"""Endings of the files and folders that can be read, in lower case."""

has_suffix = FORMATS.has_suffix
stem_of = FORMATS.stem_of
is_image = FORMATS.is_image
is_volume = FORMATS.is_volume
images_below = FORMATS.images_below
look_below = FORMATS.look_below
sniff = FORMATS.sniff


@verb
def open_volume(
    path: StrPath,
    axes: str | None = None,
    *,
    stack: bool = False,
    limit: int = PIXEL_LIMIT,
    dicom: Dicom | None = None,
    segy: Segy | None = None,
    dataset: str | None = None,
    fill: Fill = "refuse",
    as_stored: bool = False,
    target: bool = False,
) -> Volume:
    """Open an image or a volume; its content decides how, not its suffix.

    Args:
        path: The file or store.
        axes: Names of the stored axes in order, such as ``"zyx"``; the letter ``c`` makes an
            axis the channels. None: what the file says of itself, or ``"yx"`` for images and
            ``"zyx"`` for stacks of pages and arrays of three axes. Other names than the file's
            own are refused.
        stack: Whether a file that names no axes is a stack: of three or four pages, which could
            be colours, too.
        limit: Largest number of pixels of one image or page; larger ones are refused before
            memory is taken. Files that are mapped rather than decoded have no limit.
        dicom: How the values of DICOM files are meant; None: as ``Dicom()``.
        segy: Where SEG-Y files say which trace belongs where; None: as ``Segy()``.
        dataset: Path of the array within an HDF5 file or a Zarr store; None: the only one, or
            the full resolution of an OME-Zarr image. Other files do not care.
        fill: Whether parts of Zarr and HDF5 arrays that were never written count as filled.
        as_stored: Let ``axes`` be others than those that the file itself gives.
        target: Whether the file is a mask. A palette is class numbers in a mask and colours in an
            image; other files do not care.

    Returns:
        A volume that pickles, as it is stored; ``placement_of`` says where its voxels lie.

    Raises:
        RecipeError: the package that reads such files is not installed.
        DataError: the file is missing, empty, cut off, of another type, of a kind that cannot be
            read exactly, or its axes are not those named.

    Example:
        >>> volume = open_volume("new_images/a.png")
        >>> volume.axes, volume.shape, volume.channels, str(volume.dtype)
        ('yx', (48, 64), 1, 'uint8')
    """
    options = Options(
        axes=axes,
        limit=limit,
        dicom=dicom,
        segy=segy,
        dataset=dataset,
        fill=fill,
        stack=stack,
        as_stored=as_stored,
        target=target,
    )
    return open_with(as_path(path), options)


def open_with(path: Path, options: Options) -> Volume:
    """Open a file as ``open_volume`` does, by options that many files share."""
    known = known_image(path, target=options.target)
    if known is not None:
        axes, limit, target = options.axes, options.limit, options.target
        return ImageFile(path, axes, limit=limit, target=target, known=known)
    with system_said():
        found = sniff(path)
    try:
        return found.open(path, options)
    except LaminaError:
        raise
    except Exception as error:  # libraries raise anything on damaged headers
        raise DataError(
            f"{path}: its {found.name} header is damaged or of a kind that cannot be read "
            f"({type(error).__name__}: {error}); save it again or leave it out"
        ) from error
