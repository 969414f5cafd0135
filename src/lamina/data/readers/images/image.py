"""PNG and JPEG images, one file each.

Opening reads the header; the first read decodes the whole image, because neither format can be
decoded in part. Values are those stored: 16 bits stay 16 bits, colours are in the order red,
green, blue, alpha is a channel of its own, a palette image gives its indices and an image of
1, 2 or 4 bits gives 0..1, 0..3 or 0..15. JPEG in CMYK is refused, because its way to red, green
and blue depends on a profile.
"""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL import ImageFile as PillowFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from lamina.data.readers.cache import RECENT
from lamina.data.readers.format import PIXEL_LIMIT, Format
from lamina.data.readers.images.png_header import png_header
from lamina.errors import DataError
from lamina.geometry.region import Region
from lamina.volume import check_within

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_ORIENTATION = 0x0112
_BROKEN = (OSError, SyntaxError, ValueError, RuntimeError, LookupError, TypeError, struct.error)

# What the EXIF orientation asks for, on (rows, columns, ...) arrays.
_TURNS: dict[int, Callable[[NDArray[Any]], NDArray[Any]]] = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a),
}


@dataclass(frozen=True)
class _Header:
    rows: int
    columns: int
    channels: int
    depth: int
    orientation: int
    png: bool


class ImageFile:
    """One PNG or JPEG image with axes ``"yx"`` and 1 to 4 channels.

    An EXIF orientation is applied: shape and pixels are those of the upright image (warned about
    once, since a mask without the tag stays as it is).
    """

    def __init__(self, path: Path, axes: str | None = None, *, limit: int = PIXEL_LIMIT) -> None:
        """Read the header of ``path``.

        Args:
            path: The file.
            axes: Names of rows and columns; None: ``"yx"``.
            limit: Largest number of pixels; larger images are refused before memory is taken.

        Raises:
            DataError: the file is cut off, is no PNG or JPEG, is larger than ``limit``, or is of
                a kind that cannot be read exactly.
        """
        self.path, self.axes = Path(path), axes or "yx"
        if len(self.axes) != 2 or len(set(self.axes)) != 2:
            raise DataError(f"{path}: is an image, with axes 'yx', not '{axes}'; set data.axes")
        with self.path.open("rb") as stream:
            head = stream.read(len(_PNG))
        if not head.startswith((_PNG, _JPEG)):
            raise DataError(f"{path}: is no PNG or JPEG image")
        self._header = _png(self.path) if head.startswith(_PNG) else _jpeg(self.path)
        pixels = self._header.rows * self._header.columns
        if pixels > limit:
            raise DataError(
                f"{path}: has {self._header.columns} x {self._header.rows} pixels, more than the "
                f"limit of {limit}; cut it into parts, or raise the limit if the file is trusted"
            )
        if self._header.orientation != 1:
            warnings.warn(
                "images are turned upright as their EXIF orientation says; masks without the tag "
                "are not, see that they fit",
                stacklevel=2,
            )
        stat = self.path.stat()
        self._key = (str(self.path), stat.st_size, stat.st_mtime_ns)

    @property
    def name(self) -> str:
        """The path."""
        return str(self.path)

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and columns of the upright image."""
        sides = (self._header.rows, self._header.columns)
        return sides if self._header.orientation < 5 else sides[::-1]

    @property
    def channels(self) -> int:
        """1 grey or palette index, 2 grey and alpha, 3 colours, 4 colours and alpha."""
        return self._header.channels

    @property
    def dtype(self) -> np.dtype[Any]:
        """uint8, or uint16 for PNG of 16 bits."""
        return np.dtype(np.uint16 if self._header.depth == 16 else np.uint8)

    def read(self, region: Region) -> NDArray[Any]:
        """Return a copy, ``(channels, *region.shape)``.

        Raises:
            ValueError: the region leaves the image.
            DataError: the pixels are cut off or damaged.
        """
        check_within(self, region)
        whole = RECENT.get(self._key, self._decode)
        return np.array(whole[(slice(None), *region.slices)], order="C")

    def _decode(self) -> NDArray[Any]:
        try:
            data = self.path.read_bytes()
            pixels = self._pixels(data)
        except FileNotFoundError:
            raise DataError(f"{self.path}: no such file") from None
        except _BROKEN as error:
            raise DataError(
                f"{self.path}: its pixels are cut off or damaged ({error}); copy it again"
            ) from error
        pixels = pixels.reshape(*pixels.shape[:2], -1)
        head = self._header
        if pixels.shape != (head.rows, head.columns, head.channels):
            raise DataError(
                f"{self.path}: its header says {(head.rows, head.columns, head.channels)} rows, "
                f"columns and channels, its pixels are {pixels.shape}; save it again"
            )
        upright = _TURNS[head.orientation](pixels)
        return np.array(upright.transpose(2, 0, 1), dtype=self.dtype, order="C")

    def _pixels(self, data: bytes) -> NDArray[Any]:
        depth = self._header.depth
        if depth == 16:  # Pillow narrows 16-bit colours to 8 bits
            decoded: NDArray[Any] = imagecodecs.png_decode(data)
            return decoded
        if PillowFile.LOAD_TRUNCATED_IMAGES:
            raise ValueError("Pillow is set to fill up cut files: LOAD_TRUNCATED_IMAGES is True")
        # The classes rather than Image.open, whose size limit is one setting for the process.
        image = (PngImageFile if self._header.png else JpegImageFile)(io.BytesIO(data))
        image.load()
        pixels: NDArray[Any] = np.asarray(image)
        if image.mode == "L" and depth in (2, 4):  # Pillow spreads them over 0..255
            pixels = pixels // (255 // (2**depth - 1))
        return pixels


def _png(path: Path) -> _Header:
    found = png_header(path)
    orientation = 1
    if found.exif is not None:
        tags = Image.Exif()
        try:
            tags.load(found.exif)
            orientation = _known(tags.get(_ORIENTATION, 1))
        except _BROKEN as error:
            raise _no_exif(path, error) from error
    return _Header(found.rows, found.columns, found.samples, found.depth, orientation, True)


def _jpeg(path: Path) -> _Header:
    try:
        with path.open("rb") as stream:
            image = JpegImageFile(stream)
    except _BROKEN as error:
        raise DataError(f"{path}: its JPEG header is cut off or damaged ({error})") from error
    try:
        orientation = _known(image.getexif().get(_ORIENTATION, 1))
    except _BROKEN as error:
        raise _no_exif(path, error) from error
    channels = {"L": 1, "RGB": 3}.get(image.mode)
    if channels is None:
        raise DataError(f"{path}: is a JPEG in {image.mode} colours; save it as RGB or grey")
    columns, rows = image.size
    return _Header(rows, columns, channels, 8, orientation, False)


def _known(orientation: int) -> int:
    """Orientations other than 1..8 are written by some cameras and mean nothing (0: unknown)."""
    return orientation if orientation in _TURNS else 1


def _no_exif(path: Path, error: Exception) -> DataError:
    return DataError(
        f"{path}: its EXIF part cannot be read ({error}), so that its orientation is not known; "
        "save it again without EXIF"
    )


PNG = Format(
    name="PNG",
    suffixes=(".png",),
    magic=(_PNG,),
    plane=True,
    open=lambda path, options: ImageFile(path, options.axes, limit=options.limit),
)
JPEG = Format(
    name="JPEG",
    suffixes=(".jpg", ".jpeg"),
    magic=(_JPEG,),
    plane=True,
    open=lambda path, options: ImageFile(path, options.axes, limit=options.limit),
)
