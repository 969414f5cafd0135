"""DICOM images: one frame of one file, with the values that its header means.

Opening reads the header; the first read decodes the whole frame. pydicom reads the file, its own
decoders unpack native, deflated and RLE pixels, and imagecodecs those of the JPEG family, so that
no plug-in has to be found.
"""

from __future__ import annotations

import importlib
import struct
import warnings
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from lamina.data.readers.recent import RECENT
from lamina.errors import DataError, RecipeError
from lamina.geometry.region import Region
from lamina.spec import Spec
from lamina.volume import check_within

if TYPE_CHECKING:
    from pydicom import FileDataset

_GREY = ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR")
_COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
_END = b"\xff\xd9"  # of every code of the JPEG family; a byte or two of padding may follow
_BROKEN = (
    *(OSError, EOFError, ValueError, RuntimeError, AttributeError, LookupError, TypeError),
    *(struct.error, NotImplementedError, zlib.error),
)


class Dicom(Spec):
    """How the stored numbers of DICOM files become grey values; other files do not care.

    The order is that of the standard (PS3.3 C.11): rescale, window, and MONOCHROME1 turned so that
    larger is brighter, once.
    """

    rescale: bool = True
    """Apply the slope and intercept of the header, such as those that make Hounsfield units."""

    window: Literal["none", "first"] | tuple[float, float] = "none"
    """none: all bits stay; first: the first window of the header; or its centre and width, in
    rescaled units. A window makes 0..255."""

    frame: int | None = Field(default=None, ge=0)
    """Which frame of a file of several, counted from 0; null: such files are refused."""

    @field_validator("window")
    @classmethod
    def _window_has_a_width(cls, window: str | tuple[float, float]) -> str | tuple[float, float]:
        if isinstance(window, tuple) and window[1] <= 1:
            raise ValueError(f"a window is its centre and a width above 1, not {list(window)}")
        return window


class DicomFile:
    """One frame of a DICOM file, axes ``"yx"``, of 1 grey channel or palette index, or 3 colours.

    Without rescale and window values keep their stored type and all their bits.
    """

    axes = "yx"

    def __init__(self, path: Path, options: Dicom, *, limit: int) -> None:
        """Read the header of ``path``.

        Args:
            path: The file.
            options: Rescale, window and frame.
            limit: Largest number of pixels.

        Raises:
            RecipeError: pydicom is not installed.
            DataError: the file is cut off or no DICOM image, has several frames and none is
                chosen, lacks the window asked for, or its colours are of no known kind.
        """
        self.path, self._options = Path(path), options
        head = self._head()
        frames = int(head.get("NumberOfFrames") or 1)
        if options.frame is None and frames > 1:
            raise DataError(
                f"{path}: holds {frames} frames; choose one with data.dicom.frame, from 0 to "
                f"{frames - 1}"
            )
        if (options.frame or 0) >= frames:
            raise DataError(f"{path}: has no frame {options.frame}; it holds {frames}")
        self._frames, self._colours = frames, str(head.get("PhotometricInterpretation"))
        if self._colours not in (*_GREY, *_COLOUR):
            raise DataError(f"{path}: its colours are {self._colours}; convert it to grey or RGB")
        self.shape: tuple[int, ...] = (int(head.Rows), int(head.Columns))
        if self.shape[0] * self.shape[1] > limit:
            raise DataError(f"{path}: has {self.shape} rows and columns, more than {limit} pixels")
        bits, signed = int(head.BitsAllocated), bool(head.PixelRepresentation)
        if bits not in (8, 16, 32):
            raise DataError(f"{path}: has {bits} bits per pixel; read are 8, 16 and 32")
        self._stored = np.dtype(f"{'i' if signed else 'u'}{bits // 8}")
        self._bits = int(head.get("BitsStored") or bits)
        self._slope, self._intercept = self._modality(head)
        self._window = self._chosen(head)
        stat = self.path.stat()
        self._key = (str(path), stat.st_size, stat.st_mtime_ns, options.model_dump_json())

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
        """The stored type, or float32 where values are rescaled or windowed."""
        changed = self._window is not None or (self._slope, self._intercept) != (1, 0)
        return np.dtype(np.float32) if changed else self._stored

    def read(self, region: Region) -> NDArray[Any]:
        """Return a copy, ``(channels, *region.shape)``.

        Raises:
            ValueError: the region leaves the image.
            DataError: the pixels are cut off, damaged, or packed in a way that is not known.
        """
        check_within(self, region)
        whole = RECENT.get(self._key, self._decode)
        return np.array(whole[(slice(None), *region.slices)], order="C")

    def _head(self) -> FileDataset:
        head = self._opened(defer_size=1024)
        if "PixelData" not in head:
            raise DataError(f"{self.path}: has no pixels; it is cut off, or no image; leave it out")
        return head

    def _opened(self, **options: Any) -> FileDataset:
        reader = _pydicom(self.path)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of values that are against the standard
                return reader.dcmread(self.path, **options)  # type: ignore[no-any-return]
        except FileNotFoundError:
            raise DataError(f"{self.path}: no such file") from None
        except (*_BROKEN, reader.errors.InvalidDicomError) as error:
            raise DataError(f"{self.path}: is cut off or no DICOM file ({error})") from error

    def _modality(self, head: FileDataset) -> tuple[float, float]:
        if not self._options.rescale:
            return 1.0, 0.0
        return float(head.get("RescaleSlope") or 1), float(head.get("RescaleIntercept") or 0)

    def _chosen(self, head: FileDataset) -> tuple[float, float] | None:
        window = self._options.window
        if isinstance(window, tuple):
            return window
        if window == "none":
            return None
        pair = [np.atleast_1d(head.get(f"Window{word}") or ()) for word in ("Center", "Width")]
        if not all(len(values) for values in pair):
            raise DataError(
                f"{self.path}: its header has no window; give centre and width with "
                "data.dicom.window, or none"
            )
        return float(pair[0][0]), max(float(pair[1][0]), 1 + 1e-6)

    def _decode(self) -> NDArray[Any]:
        data = self._opened()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # pydicom warns of pixels that are too few
                warnings.simplefilter("ignore", DeprecationWarning)
                stored = self._unpacked(data)
        except (*_BROKEN, UserWarning) as error:
            raise DataError(
                f"{self.path}: its pixels are cut off, damaged or packed in an unknown way "
                f"({data.file_meta.TransferSyntaxUID.name}: {error}); copy it again"
            ) from error
        wanted = (*self.shape, self.channels)
        stored = stored.reshape(*stored.shape[:2], -1)
        if stored.shape != wanted:
            raise DataError(f"{self.path}: its pixels are {stored.shape}, its header says {wanted}")
        return self._meant(stored.transpose(2, 0, 1))

    def _unpacked(self, data: FileDataset) -> NDArray[Any]:
        """Return the chosen frame as stored, (rows, columns) or (rows, columns, 3)."""
        name, frame = data.file_meta.TransferSyntaxUID.name, self._options.frame or 0
        if "JPEG" not in name and "HTJ2K" not in name:
            pixels = data.pixel_array
            return np.asarray(pixels[frame] if self._frames > 1 else pixels).astype(self._stored)
        encaps = importlib.import_module("pydicom.encaps")
        count = self._frames
        packed = list(encaps.generate_frames(data.PixelData, number_of_frames=count))[frame]
        if _END not in packed[-4:]:  # decoders fill up what is missing, without a word
            raise ValueError("the code of the image has no end")
        if "2000" in name or "HTJ2K" in name:
            found = imagecodecs.jpeg2k_decode(packed)
        elif "JPEG-LS" in name:
            found = imagecodecs.jpegls_decode(packed)
        else:
            found = imagecodecs.jpeg_decode(packed)
        return np.asarray(found).astype(self._stored, copy=False)

    def _meant(self, stored: NDArray[Any]) -> NDArray[Any]:
        """Return what the stored numbers mean: rescaled, windowed, larger is brighter."""
        turned, window = self._colours == "MONOCHROME1", self._window
        if turned and window is None:
            signed = self._stored.kind == "i"
            stored = (-1 if signed else (1 << self._bits) - 1) - stored
            stored = stored.astype(self._stored, copy=False)
        if self.dtype == self._stored:
            return np.ascontiguousarray(stored)
        values = stored.astype(np.float32) * np.float32(self._slope) + np.float32(self._intercept)
        if window is None:
            return np.asarray(values)
        centre, width = window
        values = ((values - (centre - 0.5)) / (width - 1) + 0.5).clip(0, 1) * 255
        return np.asarray(255 - values if turned else values, np.float32)


def _pydicom(path: Path) -> Any:
    """Import pydicom, which not everybody installs, only when a DICOM file is opened."""
    try:
        importlib.import_module("pydicom.errors")
        return importlib.import_module("pydicom")
    except ImportError:
        raise RecipeError(
            f"{path}: is a DICOM file, and pydicom is not installed; pip install 'lamina[dicom]'"
        ) from None
