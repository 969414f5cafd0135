"""What a file really is, by its first bytes; the suffix is only a wish."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from lamina.errors import DataError

Kind = Literal["png", "jpeg", "tiff", "npy", "dicom"]

_READ: dict[bytes, Kind] = {
    b"\x89PNG\r\n\x1a\n": "png",
    b"\xff\xd8\xff": "jpeg",
    b"II*\0": "tiff",
    b"MM\0*": "tiff",
    b"II+\0": "tiff",
    b"MM\0+": "tiff",
    b"\x93NUMPY": "npy",
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
}
_OTHERS = {
    b"GIF8": "a GIF image",
    b"BM": "a BMP image",
    b"RIFF": "a WebP image or another RIFF file",
    b"%PDF": "a PDF document",
    b"PK\x03\x04": "a ZIP archive",
    b"\x1f\x8b": "a gzip file",
    b"\x89HDF": "an HDF5 file",
    b"version https://git-lfs": "a Git LFS pointer, not the file itself; run git lfs pull",
    b"<!": "an HTML or XML page, perhaps an error page saved by a download",
    b"<h": "an HTML page, perhaps an error page saved by a download",
    b"<?xml": "an XML file",
}

SUFFIXES = tuple(_BY_SUFFIX)
"""Endings of the files that can be read, in lower case."""


def sniff(path: Path) -> Kind:
    """Return the type of a file by its content.

    Raises:
        DataError: the file is missing, empty, or of no type that can be read; the message names
            the type it seems to be.
    """
    try:
        with path.open("rb") as stream:
            head = stream.read(132)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be opened ({error.strerror})") from error
    if not head:
        raise DataError(f"{path}: is empty (0 bytes); copy it again")
    if head[128:132] == b"DICM":  # before the others: any bytes may stand in its preamble
        return "dicom"
    for magic, kind in _READ.items():
        if head.startswith(magic):
            return kind
    wanted = _BY_SUFFIX.get(path.suffix.lower())
    if wanted is not None and any(magic.startswith(head) for magic in _READ):
        raise DataError(f"{path}: is cut off after {len(head)} bytes; copy it again")
    raise DataError(
        f"{path}: is not a PNG, JPEG, TIFF, NPY or DICOM file; it looks like {_guess(head)}; "
        "convert it or leave it out"
    )


def _guess(head: bytes) -> str:
    for magic, what in _OTHERS.items():
        if head.lower().startswith(magic.lower()):
            return what
    return f"an unknown type (first bytes {head[:8].hex(' ')})"
