"""DICOM images: one frame of one file, with the values that its header means.

Opening reads the header; the first read decodes the whole frame. pydicom reads the file, its own
decoders unpack native, deflated and RLE pixels, and imagecodecs those of the JPEG family, so that
no plug-in has to be found.
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from lamina.data.readers.cache import RECENT
from lamina.data.readers.dicom.deflated import SYNTAX, read_deflated
from lamina.data.readers.dicom.position import plane_placement, position_of
from lamina.data.readers.dicom.values import Dicom, Meaning, meaning_of
from lamina.data.readers.images.jpeg_size import code_size
from lamina.errors import DataError, RecipeError
from lamina.geometry.region import Region
from lamina.volume import check_within

if TYPE_CHECKING:
    from pydicom import Dataset

__all__ = ["Dicom", "DicomFile"]

_GREY = ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR")
_COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
_VALUES = {
    "PixelData": 0x7FE00010,
    "FloatPixelData": 0x7FE00008,
    "DoubleFloatPixelData": 0x7FE00009,
}
_SMALL = 4096  # bytes, which cost nothing even where the file is shorter
_END = b"\xff\xd9"  # of every code of the JPEG family; a byte or two of padding may follow
_BROKEN = (
    *(OSError, EOFError, ValueError, RuntimeError, AttributeError, LookupError, TypeError),
    *(struct.error, NotImplementedError, zlib.error),
)


_TURN = RLock()


@contextmanager
def own_warnings() -> Iterator[None]:
    """Let filters of warnings be set inside the block, as they were afterwards.

    They are those of the whole process: one thread at a time sets them, else what one takes for an
    error another would ignore.
    """
    with _TURN, warnings.catch_warnings():
        yield


class DicomFile:
    """One frame of a DICOM file, axes ``"yx"``, of 1 grey channel or palette index, or 3 colours.

    Without rescale and window values keep their stored type and all their bits.
    """

    axes = "yx"

    def __init__(
        self, path: Path, options: Dicom, *, limit: int, head: Dataset | None = None
    ) -> None:
        """Read the header of ``path``.

        Args:
            path: The file.
            options: Rescale, window and frame.
            limit: Largest number of pixels.
            head: The header, where it has been read; None: it is read.

        Raises:
            RecipeError: pydicom is not installed.
            DataError: the file is cut off or no DICOM image, has several frames and none is
                chosen, lacks the window asked for, has one that cannot be applied, or its colours
                are of no known kind.
        """
        self.path, self._options = Path(path), options
        head = header_of(self.path) if head is None else head
        frames = int(head.get("NumberOfFrames") or 1)
        if options.frame is None and frames > 1:
            raise DataError(
                f"{path}: holds {frames} frames; choose one with data.dicom.frame, from 0 to "
                f"{frames - 1}"
            )
        if (options.frame or 0) >= frames:
            raise DataError(f"{path}: has no frame {options.frame}; it holds {frames}")
        self._frames, self._colours = frames, str(head.get("PhotometricInterpretation"))
        if "PhotometricInterpretation" not in head:
            raise DataError(
                f"{path}: its header does not say what its pixels are (no "
                "PhotometricInterpretation); leave it out"
            )
        if self._colours not in (*_GREY, *_COLOUR):
            raise DataError(f"{path}: its colours are {self._colours}; convert it to grey or RGB")
        self.shape: tuple[int, ...] = (int(head.Rows), int(head.Columns))
        if self.shape[0] * self.shape[1] > limit:
            raise DataError(f"{path}: has {self.shape} rows and columns, more than {limit} pixels")
        self._stored = _type(self.path, head)
        self._meaning = meaning_of(head, options, stored=self._stored, name=str(path))
        stat = self.path.stat()
        self._key = (str(path), stat.st_size, stat.st_mtime_ns, options.model_dump_json())
        frame = options.frame or 0
        self.series = str(head.get("SeriesInstanceUID", ""))
        self.position = position_of(head, frame)
        self.placement = plane_placement(head, frame)

    @property
    def frames(self) -> tuple[int]:
        """Number of the frame in the file."""
        return (self._options.frame or 0,)

    @property
    def meaning(self) -> Meaning:
        """What is done to the stored numbers."""
        return self._meaning

    @property
    def name(self) -> str:
        """The path."""
        return str(self.path)

    @property
    def channels(self) -> int:
        """1 grey or palette index, 3 colours."""
        return 1 if self._colours in _GREY else 3

    @property
    def dtype(self) -> np.dtype[Any]:
        """The stored type, that of the modality table, or float32 if rescaled or windowed."""
        return self._meaning.dtype

    def read(self, region: Region) -> NDArray[Any]:
        """Return a copy, ``(channels, *region.shape)``.

        Raises:
            ValueError: the region leaves the image.
            DataError: the pixels are cut off, damaged, or packed in a way that is not known.
        """
        check_within(self, region)
        whole = RECENT.get(self._key, self._decode)
        return np.array(whole[(slice(None), *region.slices)], order="C")

    def _decode(self) -> NDArray[Any]:
        return self.values(opened(self.path, pixels=True))

    def values(self, data: Dataset) -> NDArray[Any]:
        """Return the values of the frame, (channels, rows, columns).

        Args:
            data: The file with its pixels, as of ``opened``.

        Raises:
            DataError: the pixels are cut off, damaged, or packed in an unknown way.
        """
        stored = _decoded(self.path, data, self._unpacked)
        wanted = (*self.shape, self.channels)
        stored = stored.reshape(*stored.shape[:2], -1)
        if stored.shape != wanted:
            raise DataError(f"{self.path}: its pixels are {stored.shape}, its header says {wanted}")
        return self._meaning.values(stored.transpose(2, 0, 1), data, str(self.path))

    def _unpacked(self, data: Dataset) -> NDArray[Any]:
        """Return the chosen frame as stored, (rows, columns) or (rows, columns, 3)."""
        name, frame = data.file_meta.TransferSyntaxUID.name, self._options.frame or 0
        if "JPEG" not in name and "HTJ2K" not in name:
            pixels = data.pixel_array
            return np.asarray(pixels[frame] if self._frames > 1 else pixels).astype(self._stored)
        from pydicom.encaps import generate_frames

        count = self._frames
        packed = list(generate_frames(data.PixelData, number_of_frames=count))[frame]
        if _END not in packed[-4:]:  # decoders fill up what is missing, without a word
            raise ValueError("the code of the image has no end")
        if (size := code_size(packed)) != self.shape:  # before memory is taken for it
            raise ValueError(f"the code says {size} rows and columns, the header {self.shape}")
        if "2000" in name or "HTJ2K" in name:
            found = imagecodecs.jpeg2k_decode(packed)
        elif "JPEG-LS" in name:
            found = imagecodecs.jpegls_decode(packed)
        elif self._colours == "RGB" and not _says_colours(packed):
            found = imagecodecs.jpeg_decode(packed, colorspace="RGB", outcolorspace="RGB")
        else:
            found = imagecodecs.jpeg_decode(packed)
        return _signed(np.asarray(found), self._meaning.bits, self._stored)


class _Stream(io.BufferedReader):
    """A file of which no more is read than it holds, whatever length an element claims."""

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(str(path)))  # pydicom opens it again by its name, a string
        self._size = path.stat().st_size

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < _SMALL:
            return super().read(size)
        return super().read(max(0, min(size, self._size - self.tell())))


def _first_header(reader: Any, path: Path) -> Dataset:
    """Return the elements of group 2, which say how the others are stored."""
    with _Stream(path) as stream:
        reader.filereader.read_preamble(stream, force=False)
        found: Dataset = reader.filereader.read_dataset(
            stream,
            is_implicit_VR=False,
            is_little_endian=True,
            stop_when=lambda tag, vr, length: int(tag) >> 16 != 2,
        )
    return found


def header_of(path: Path) -> Dataset:
    """Return the header of a DICOM image, whatever it holds.

    Raises:
        RecipeError: pydicom is not installed.
        DataError: it is cut off or no DICOM file, has no pixels, or does not say how they are
            stored.
    """
    head = opened(path, pixels=False)
    if not any(name in head for name in _VALUES):
        raise DataError(f"{path}: {_without_pixels(head)}")
    if "TransferSyntaxUID" not in head.file_meta:
        raise DataError(
            f"{path}: does not say how its pixels are stored (no TransferSyntaxUID); copy it "
            "again, or save it again with the program that made it"
        )
    return head


def frames_in(path: Path) -> int:
    """Return how many frames a DICOM image holds, as its header says.

    Raises:
        RecipeError: pydicom is not installed.
        DataError: as ``header_of``.
    """
    return int(header_of(path).get("NumberOfFrames") or 1)


def kind_of_object(path: Path) -> str:
    """Return the UID of what a DICOM file is (its SOP class); empty where it does not say it."""
    reader = _pydicom(path)
    try:
        return str(_first_header(reader, path).get("MediaStorageSOPClassUID", ""))
    except (*_BROKEN, reader.errors.InvalidDicomError):
        return ""  # told when it is opened


def frames_of(path: Path) -> NDArray[Any]:
    """Return all frames of a file as pydicom decodes them, frames first where there are several.

    Raises:
        DataError: the pixels are cut off, damaged, or packed in an unknown way.
    """
    data = opened(path, pixels=True)
    return _decoded(path, data, lambda found: np.asarray(found.pixel_array))


def opened(path: Path, *, pixels: bool) -> Dataset:
    """Return the file's elements; without ``pixels`` large ones are read when asked for."""
    reader = _pydicom(path)
    try:
        with own_warnings():
            warnings.simplefilter("ignore")  # of values that are against the standard
            first = _first_header(reader, path)
            if str(first.get("TransferSyntaxUID")) == SYNTAX:
                return read_deflated(path, first, pixels=pixels)
            return _read(reader, path, defer=None if pixels else 1024)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (*_BROKEN, reader.errors.InvalidDicomError) as error:
        raise DataError(f"{path}: is cut off or not a DICOM file ({error})") from error


def _decoded(path: Path, data: Dataset, unpack: Callable[[Dataset], NDArray[Any]]) -> NDArray[Any]:
    """Return what ``unpack`` makes of the pixels; whatever libraries raise is one error."""
    try:
        with own_warnings():
            warnings.simplefilter("error")  # pydicom warns of pixels that are too few
            warnings.simplefilter("ignore", DeprecationWarning)
            warnings.filterwarnings("ignore", message=".*bytes of excess padding")
            return unpack(data)
    except (*_BROKEN, UserWarning) as error:
        raise DataError(
            f"{path}: its pixels are cut off, damaged or packed in an unknown way "
            f"({data.file_meta.TransferSyntaxUID.name}: {error}); copy it again"
        ) from error


def _type(path: Path, head: Dataset) -> np.dtype[Any]:
    """Return the type that values are stored in; those of one bit are bytes of 0 and 1."""
    if "FloatPixelData" in head:
        return np.dtype(np.float32)
    if "DoubleFloatPixelData" in head:
        return np.dtype(np.float64)
    bits, signed = int(head.BitsAllocated), bool(head.get("PixelRepresentation"))
    if bits not in (1, 8, 16, 32):
        raise DataError(f"{path}: has {bits} bits per pixel; read are 1, 8, 16 and 32")
    return np.dtype(f"{'i' if signed else 'u'}{max(bits // 8, 1)}")


def _without_pixels(head: Dataset) -> str:
    """Say why a file has no pixels: most that have none are of another kind."""
    kind = head.get("SOPClassUID") or head.file_meta.get("MediaStorageSOPClassUID")
    name = getattr(kind, "name", "")
    if "Rows" not in head and name:
        return f"has no pixels, it is of the kind {name}; leave it out"
    return "has no pixels; it is cut off, or not an image; leave it out"


def _again(name: str, _: str) -> _Stream:
    return _Stream(Path(name))


def _read(reader: Any, path: Path, *, defer: int | None) -> Dataset:
    """Return the elements of a file up to its pixels; padding may follow them, or nothing."""
    passed = False

    def behind_pixels(tag: int, *_: object) -> bool:
        nonlocal passed
        if passed:
            return True
        passed = int(tag) in _VALUES.values()
        return False

    with _Stream(path) as stream:
        found: Dataset = reader.filereader.read_partial(
            stream, stop_when=behind_pixels, defer_size=defer
        )
    found.fileobj_type = _again  # with which pydicom opens it for large elements
    return found


def _signed(values: NDArray[Any], bits: int, stored: np.dtype[Any]) -> NDArray[Any]:
    """Return decoded values as ``stored``: codes of the JPEG family hold ``bits`` bits, no sign."""
    if stored.kind == "u" or bits == 8 * stored.itemsize:
        return values.astype(stored, copy=False)
    wide = values.astype(np.int64) & ((1 << bits) - 1)
    return (wide - ((wide >> (bits - 1)) << bits)).astype(stored)


def _says_colours(packed: bytes) -> bool:
    """Whether a JPEG code has a marker that says what its components are (JFIF or Adobe).

    An Adobe marker of less than 14 bytes ends before the byte that says it.
    """
    at = packed.find(b"Adobe", 2, 1024)
    whole = at > 0 and int.from_bytes(packed[at - 2 : at], "big") >= 14
    return whole or b"JFIF\0" in packed[:64]


def _pydicom(path: Path) -> Any:
    """Import pydicom, which not everybody installs, only when a DICOM file is opened."""
    try:
        import pydicom
        import pydicom.errors
    except ImportError:
        raise RecipeError(
            f"{path}: is a DICOM file, and pydicom is not installed; pip install 'lamina[dicom]'"
        ) from None
    return pydicom
