"""What a file or a folder really is, by its content; the suffix is only a wish."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import Literal

from lamina.data.readers.zarr.header import is_store
from lamina.errors import DataError

Kind = Literal["png", "jpeg", "tiff", "npy", "dicom", "zarr", "hdf5", "nifti", "segy"]

_READ: dict[bytes, Kind] = {
    b"\x89PNG\r\n\x1a\n": "png",
    b"\xff\xd8\xff": "jpeg",
    b"II*\0": "tiff",
    b"MM\0*": "tiff",
    b"II+\0": "tiff",
    b"MM\0+": "tiff",
    b"\x93NUMPY": "npy",
    b"\x89HDF\r\n\x1a\n": "hdf5",
}
_BY_SUFFIX: dict[str, Kind] = {
    ".png": "png",
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".tif": "tiff",
    ".tiff": "tiff",
    ".npy": "npy",
    ".dcm": "dicom",
    ".dicom": "dicom",
    ".zarr": "zarr",
    ".h5": "hdf5",
    ".hdf5": "hdf5",
    ".nii": "nifti",
    ".nii.gz": "nifti",
    ".sgy": "segy",
    ".segy": "segy",
}
_OTHERS = {
    b"GIF8": "a GIF image",
    b"BM": "a BMP image",
    b"RIFF": "a WebP image or another RIFF file",
    b"%PDF": "a PDF document",
    b"PK\x03\x04": "a ZIP archive",
    b"\x1f\x8b": "a gzip file",
    b"version https://git-lfs": "a Git LFS pointer, not the file itself; run git lfs pull",
    b"<!": "an HTML or XML page, perhaps an error page saved by a download",
    b"<h": "an HTML page, perhaps an error page saved by a download",
    b"<?xml": "an XML file",
}
_GZIP = b"\x1f\x8b"
_HEAD = 352  # bytes: the longest header that is looked at, of NIfTI-1
_CARDS = (b"\xc3", b"C")  # what each line of 80 letters begins with, in EBCDIC and ASCII

SUFFIXES = tuple(_BY_SUFFIX)
"""Endings of the files and folders that can be read, in lower case."""


def has_suffix(path: Path) -> bool:
    """Whether a name ends as those of files that can be read."""
    return path.name.lower().endswith(SUFFIXES)


def stem_of(path: Path) -> str:
    """Return a name without what says the type, such as ``.nii.gz`` or ``.ome.zarr``."""
    low = path.name.lower()
    for long in (".nii.gz", ".ome.zarr"):
        if low.endswith(long) and len(low) > len(long):
            return path.name[: -len(long)]
    return path.stem


def is_image(path: Path) -> bool:
    """Whether a path is a file, or a folder that holds one array as a file would."""
    return path.is_file() or (path.is_dir() and is_store(path))


def sniff(path: Path) -> Kind:
    """Return the type of a file or folder by its content.

    Raises:
        DataError: it is missing, empty, or of no type that can be read; the message names
            the type it seems to be.
    """
    if path.is_dir():
        if is_store(path):
            return "zarr"
        raise DataError(
            f"{path}: cannot be opened: it is a folder and no Zarr store, since it has no "
            "zarr.json, .zarray or .zgroup; give the files in it"
        )
    head = _head(path)
    if head[128:132] == b"DICM":  # before the others: any bytes may stand in its preamble
        return "dicom"
    for magic, kind in _READ.items():
        if head.startswith(magic):
            return kind
    if _is_nifti(_unpacked(path) if head.startswith(_GZIP) else head):
        return "nifti"
    wanted = next((kind for end, kind in _BY_SUFFIX.items() if path.name.lower().endswith(end)), "")
    stranger = _stranger(head)
    if _is_segy(head) or (wanted == "segy" and stranger is None):
        return "segy"
    if wanted and _is_cut(head, wanted):
        raise DataError(f"{path}: is cut off after {path.stat().st_size} bytes; copy it again")
    what = stranger or f"an unknown type (first bytes {head[:8].hex(' ')})"
    raise DataError(
        f"{path}: is not a PNG, JPEG, TIFF, NPY, DICOM, HDF5, NIfTI or SEG-Y file; it looks like "
        f"{what}; convert it or leave it out"
    )


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            head = stream.read(_HEAD)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be opened ({error.strerror})") from error
    if not head:
        raise DataError(f"{path}: is empty (0 bytes); copy it again")
    return head


def _is_cut(head: bytes, wanted: str) -> bool:
    """Whether bytes may be all that is left of a file of the type that its suffix names."""
    if wanted == "nifti":
        return len(head) < _HEAD or head.startswith(_GZIP)
    return any(magic.startswith(head) for magic in _READ)


def _is_nifti(head: bytes) -> bool:
    """Whether the magic of NIfTI-1 or NIfTI-2 stands at its place; of single files only."""
    return head[344:348] == b"n+1\0" or head[4:8] == b"n+2\0"


def _is_segy(head: bytes) -> bool:
    """Whether the first lines are those of a textual header, which has no other mark."""
    lines = [head[80 * n : 80 * n + 1] for n in range(4)]
    return any(lines == [letter] * 4 for letter in _CARDS)


def _unpacked(path: Path) -> bytes:
    try:
        with gzip.open(path) as stream:
            return stream.read(_HEAD)
    except (OSError, EOFError, zlib.error):
        return b""


def _stranger(head: bytes) -> str | None:
    """Return what a file is that cannot be read, where that is known."""
    for magic, what in _OTHERS.items():
        if head.lower().startswith(magic.lower()):
            return what
    return None
