"""PNG, JPEG, BMP and WebP images, one file each.

Opening reads the header; the first read decodes the whole image, because none of the formats can
be decoded in part. Values are those stored: 16 bits stay 16 bits, colours are in the order red,
green, blue, alpha is a channel of its own, and an image of 1, 2 or 4 bits gives 0..1, 0..3 or
0..15. A palette is colours in an image and class numbers in a mask (``palette_table``). JPEG in
CMYK is refused, because its way to red, green and blue depends on a profile.
"""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL import ImageFile as PillowFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from lamina.data.readers.cache import RECENT
from lamina.data.readers.format import PIXEL_LIMIT, Format, Options
from lamina.data.readers.images.header import ImageHeader, KnownImage, Moments, known_image
from lamina.data.readers.images.palette import palette_table, png_colours
from lamina.data.readers.images.png_header import check_pixels, png_header
from lamina.errors import DataError
from lamina.geometry.region import Region
from lamina.volume import check_within

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_BMP_HEADERS = (12, 16, 40, 52, 56, 64, 108, 124)
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


class ImageFile:
    """One PNG, JPEG, BMP or WebP image with axes ``"yx"`` and 1 to 4 channels.

    An EXIF orientation is applied: shape and pixels are those of the upright image (warned about
    once, since a mask without the tag stays as it is).
    """

    __slots__ = ("__weakref__", "_header", "_key", "_known", "axes", "path")

    def __init__(
        self,
        path: Path,
        axes: str | None = None,
        *,
        limit: int = PIXEL_LIMIT,
        target: bool = False,
        known: KnownImage | None = None,
    ) -> None:
        """Read the header of ``path``.

        Args:
            path: The file.
            axes: Names of rows and columns; None: ``"yx"``.
            limit: Largest number of pixels; larger images are refused before memory is taken.
            target: Whether it is a mask, whose palette indices are class numbers.
            known: What is known of the file, opened so; None: whoever knows files is asked.

        Raises:
            DataError: the file is cut off, is no such image, is larger than ``limit``, or is of
                a kind that cannot be read exactly.
        """
        self.path, self.axes = path, axes or "yx"
        if len(self.axes) != 2 or len(set(self.axes)) != 2:
            raise DataError(f"{path}: is an image, with axes 'yx', not '{axes}'; set data.axes")
        self._known = known = known or known_image(self.path, target=target)
        self._header = known.header if known is not None else _header(self.path, target=target)
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
        if known is not None:
            size, time = known.size, known.mtime_ns
        else:
            stat = self.path.stat()
            size, time = stat.st_size, stat.st_mtime_ns
        self._key = (str(self.path), size, time, target)

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
    def exif_orientation(self) -> int:
        """The EXIF orientation, 1 to 8, by which the pixels are turned; 1: they lie as stored."""
        return self._header.orientation

    @property
    def channels(self) -> int:
        """1 grey or class numbers, 2 grey and alpha, 3 colours, 4 colours and alpha."""
        return self._header.channels

    @property
    def dtype(self) -> np.dtype[Any]:
        """uint8, or uint16 for PNG of 16 bits."""
        return np.dtype(np.uint16 if self._header.depth == 16 else np.uint8)

    @property
    def content_key(self) -> tuple[str, int, int, bool]:
        """What tells its pixels from those of other files, and of itself after a change."""
        return self._key

    @property
    def header(self) -> ImageHeader:
        """What the header says."""
        return self._header

    @property
    def moments(self) -> Moments | None:
        """Of all pixels, where they were measured before; else None."""
        return None if self._known is None else self._known.moments

    @property
    def value_counts(self) -> Mapping[int, int] | None:
        """Pixels of each stored value of a mask, where they were counted before; else None."""
        return None if self._known is None else self._known.values

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
        except DataError:
            raise
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
        head = self._header
        if head.decoder is PngImageFile:
            check_pixels(self.path, data)
        if head.depth == 16:  # Pillow narrows 16-bit colours to 8 bits
            decoded: NDArray[Any] = imagecodecs.png_decode(data)
            return decoded
        if PillowFile.LOAD_TRUNCATED_IMAGES:
            raise ValueError("Pillow is set to fill up cut files: LOAD_TRUNCATED_IMAGES is True")
        # The classes rather than Image.open, whose size limit is one setting for the process.
        image = head.decoder(io.BytesIO(data))
        image.load()
        pixels: NDArray[Any] = np.asarray(image)
        if head.table is not None:
            return np.asarray(head.table[pixels])
        if image.mode == "L" and head.depth in (2, 4):  # Pillow spreads them over 0..255
            pixels = pixels // (255 // (2**head.depth - 1))
        return pixels


def _header(path: Path, *, target: bool) -> ImageHeader:
    with path.open("rb") as stream:
        head = stream.read(32)
    if head.startswith(_PNG):
        return _png(path, target=target)
    if head.startswith(_JPEG):
        return _pillow(path, JpegImageFile, ("L", "RGB"), target=target)
    if _is_bmp(path, head):
        return _pillow(path, BmpImageFile, ("1", "L", "RGB", "RGBA"), target=target)
    if _is_webp(path, head):
        return _pillow(path, WebPImageFile, ("RGB", "RGBA"), target=target)
    raise DataError(f"{path}: is no PNG, JPEG, BMP or WebP image")


def _png(path: Path, *, target: bool) -> ImageHeader:
    found = png_header(path)
    orientation = 1
    if found.exif is not None:
        tags = Image.Exif()
        try:
            tags.load(found.exif)
            orientation = _known(tags.get(_ORIENTATION, 1))
        except _BROKEN as error:
            raise _no_exif(path, error) from error
    table, channels = None, found.samples
    if found.indexed:
        colours = png_colours(path, found.palette, found.transparency)
        table = palette_table(colours, target=target)
        channels = table.shape[1]
    depth = 8 if found.indexed else found.depth
    return ImageHeader(found.rows, found.columns, channels, depth, orientation, PngImageFile, table)


def _pillow(
    path: Path, decoder: type[PillowFile.ImageFile], modes: tuple[str, ...], *, target: bool
) -> ImageHeader:
    """Return the header of an image as Pillow reads it."""
    name = str(decoder.format)
    try:
        with path.open("rb") as stream:
            image = decoder(stream)
            columns, rows = image.size
            palette = None if image.mode != "P" else image.getpalette()
            animated = getattr(image, "n_frames", 1) > 1
            try:
                orientation = _known(image.getexif().get(_ORIENTATION, 1))
            except _BROKEN as error:
                raise _no_exif(path, error) from error
    except _BROKEN as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path}: its {name} header is cut off or damaged ({error})") from error
    if animated:
        raise DataError(f"{path}: is an animation; save its pictures one by one")
    if palette is not None:
        colours = np.asarray(palette, np.uint8).reshape(-1, 3)
        table = palette_table(colours, target=target)
        return ImageHeader(rows, columns, table.shape[1], 8, orientation, decoder, table)
    if image.mode not in modes:
        raise DataError(f"{path}: is a {name} in {image.mode} colours; save it as RGB or grey")
    channels = len(image.getbands())
    return ImageHeader(rows, columns, channels, 8, orientation, decoder)


def _is_bmp(path: Path, head: bytes) -> bool:
    """Whether a file begins as a BMP: two letters, and a header of a known length."""
    del path
    return head.startswith(b"BM") and int.from_bytes(head[14:18], "little") in _BMP_HEADERS


def _is_webp(path: Path, head: bytes) -> bool:
    del path
    return head.startswith(b"RIFF") and head[8:12] == b"WEBP"


def _known(orientation: int) -> int:
    """Orientations other than 1..8 are written by some cameras and mean nothing (0: unknown)."""
    return orientation if orientation in _TURNS else 1


def _no_exif(path: Path, error: Exception) -> DataError:
    return DataError(
        f"{path}: its EXIF part cannot be read ({error}), so that its orientation is not known; "
        "save it again without EXIF"
    )


def _open(path: Path, options: Options) -> ImageFile:
    return ImageFile(path, options.axes, limit=options.limit, target=options.target)


PNG = Format(name="PNG", suffixes=(".png",), magic=(_PNG,), plane=True, open=_open)
JPEG = Format(name="JPEG", suffixes=(".jpg", ".jpeg"), magic=(_JPEG,), plane=True, open=_open)
BMP = Format(name="BMP", suffixes=(".bmp",), known_by=_is_bmp, plane=True, open=_open)
WEBP = Format(name="WebP", suffixes=(".webp",), known_by=_is_webp, plane=True, open=_open)
