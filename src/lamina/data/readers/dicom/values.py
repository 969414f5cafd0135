"""What the stored numbers of a DICOM frame mean: modality, then window, then larger is brighter.

All from the header of the frame: enhanced files keep rescale and windows in functional groups, one
for each frame or one that all share, and these stand above the header's own (PS3.3 C.7.6.16).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from lamina.errors import DataError
from lamina.spec import Spec

if TYPE_CHECKING:
    from pydicom import Dataset

Shape = Literal["LINEAR", "LINEAR_EXACT", "SIGMOID"]

_SHAPES = ("LINEAR", "LINEAR_EXACT", "SIGMOID")
_NOT_READABLE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
_AS_STORED = "set data.dicom.rescale to false to take the values as they are stored"
_OTHER_WINDOW = "give centre and width with data.dicom.window, or none"


class Dicom(Spec):
    """How the stored numbers of DICOM files become grey values; ignored for other files.

    The order is that of the standard (PS3.3 C.11): rescale, window, and MONOCHROME1 turned so that
    larger is brighter, once.
    """

    rescale: bool = True
    """Apply the slope and intercept of the header, such as those that make Hounsfield units, or
    its modality table."""

    window: Literal["none", "first"] | tuple[float, float] = "none"
    """none: all bits stay; first: the first window of the header, by its function (linear,
    linear_exact or sigmoid); or centre and width of a linear one, in rescaled units. A window
    makes 0..255."""

    frame: int | None = Field(default=None, ge=0)
    """Which frame of a file of several, counted from 0; null: such files are refused."""

    @field_validator("window")
    @classmethod
    def _window_has_a_width(cls, window: str | tuple[float, float]) -> str | tuple[float, float]:
        if isinstance(window, tuple) and window[1] <= 1:
            raise ValueError(f"a window is its centre and a width above 1, not {list(window)}")
        return window


@dataclass(frozen=True)
class Window:
    """A window of PS3.3 C.11.2, which makes 0..255 of values."""

    centre: float
    width: float
    shape: Shape = "LINEAR"

    def __call__(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return 0..255, float32, rising with ``values``."""
        if self.shape == "SIGMOID":  # the exponent is clipped where the curve is flat anyway
            steep = (-4 * (values - self.centre) / self.width).clip(-80, 80)
            return np.asarray(255 / (1 + np.exp(steep)), np.float32)
        exact = self.shape == "LINEAR_EXACT"
        centre, width = (self.centre, self.width) if exact else (self.centre - 0.5, self.width - 1)
        if width == 0:
            return np.where(values > centre, 255, 0).astype(np.float32)
        share = ((values - np.float32(centre)) / np.float32(width) + np.float32(0.5)).clip(0, 1)
        return np.asarray(share * 255, np.float32)


@dataclass(frozen=True)
class Meaning:
    """What is done to the stored numbers of one frame."""

    stored: np.dtype[Any]
    bits: int
    """Of each pixel, those that are used."""
    turned: bool
    """MONOCHROME1: small values are bright."""
    slope: float = 1.0
    intercept: float = 0.0
    table: int | None = None
    """Bits of an entry of the modality table, 8 or 16; None: there is none."""
    window: Window | None = None

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the values: as stored, float32 if rescaled or windowed, unsigned out of a table."""
        if self.window is not None or (self.slope, self.intercept) != (1, 0):
            return np.dtype(np.float32)
        return self.stored if self.table is None else np.dtype(f"u{self.table // 8}")

    def values(self, pixels: NDArray[Any], head: Dataset, name: str) -> NDArray[Any]:
        """Return what the stored ``pixels`` mean, of ``dtype``, in their shape.

        Raises:
            DataError: the modality table of ``head`` cannot be read.
        """
        lookup, window = self.table is not None, self.window
        if lookup:
            pixels = _looked_up(pixels, head, name)
        if self.turned and window is None:
            signed = not lookup and self.stored.kind == "i"
            top = -1 if signed else (1 << (self.table or self.bits)) - 1
            pixels = (top - pixels.astype(np.int64)).astype(pixels.dtype)
        if self.dtype != np.float32:
            return np.ascontiguousarray(pixels)
        values = pixels.astype(np.float32) * np.float32(self.slope) + np.float32(self.intercept)
        if window is None:
            return np.asarray(values)
        values = window(values)
        return 255 - values if self.turned else values


def meaning_of(head: Dataset, options: Dicom, *, stored: np.dtype[Any], name: str) -> Meaning:
    """Return what the numbers of the frame that ``options`` choose mean.

    Raises:
        DataError: rescale, table or window are asked for and cannot be applied exactly; the
            message names what the header holds and the option that leaves it aside.
    """
    bits = int(head.get("BitsStored") or 8 * stored.itemsize)
    turned = str(head.get("PhotometricInterpretation")) == "MONOCHROME1"
    slope, intercept, table = 1.0, 0.0, None
    try:
        if options.rescale:
            table = _table(head, name)
        if options.rescale and table is None:
            slope, intercept = _rescale(head, options.frame or 0, name)
        window = _window(head, options, name)
    except _NOT_READABLE as error:
        raise DataError(
            f"{name}: the header's rescale or window cannot be read ({error}); set "
            "data.dicom.rescale to false and data.dicom.window to none"
        ) from error
    return Meaning(stored, bits, turned, slope, intercept, table, window)


def group_of(head: Dataset, name: str, frame: int) -> Dataset:
    """Return the functional group ``name`` of a frame, or the header where there is none."""
    each = head.get("PerFrameFunctionalGroupsSequence") or ()
    shared = head.get("SharedFunctionalGroupsSequence") or ()
    for found in (*each[frame : frame + 1], *shared[:1]):
        if found.get(name):
            group: Dataset = found[name].value[0]
            return group
    return head


def _table(head: Dataset, name: str) -> int | None:
    if not head.get("ModalityLUTSequence"):
        return None
    bits = int(head.ModalityLUTSequence[0].LUTDescriptor[2])
    if bits not in (8, 16):
        raise DataError(f"{name}: its modality table has entries of {bits} bits; {_AS_STORED}")
    return bits


def _rescale(head: Dataset, frame: int, name: str) -> tuple[float, float]:
    group = group_of(head, "PixelValueTransformationSequence", frame)
    slope, intercept = (group.get(f"Rescale{word}") for word in ("Slope", "Intercept"))
    found = 1.0 if slope is None else float(slope), float(intercept or 0)
    if found[0] == 0 or not np.isfinite(found).all():
        raise DataError(
            f"{name}: its rescale slope is {slope}, intercept {intercept}; {_AS_STORED}"
        )
    return found


def _window(head: Dataset, options: Dicom, name: str) -> Window | None:
    if isinstance(options.window, tuple):
        return Window(*options.window)
    if options.window == "none":
        return None
    group = group_of(head, "FrameVOILUTSequence", options.frame or 0)
    pair = [group.get(f"Window{word}") for word in ("Center", "Width")]
    centre, width = (np.atleast_1d([] if one is None else one) for one in pair)
    if not (len(centre) and len(width)):
        table = "a table (VOI LUT) and no window" if head.get("VOILUTSequence") else "no window"
        raise DataError(f"{name}: its header has {table}; {_OTHER_WINDOW}")
    shape = str(group.get("VOILUTFunction") or "LINEAR").upper()
    if shape not in _SHAPES:
        raise DataError(f"{name}: its window has the unknown function {shape}; {_OTHER_WINDOW}")
    found = Window(float(centre[0]), float(width[0]), shape)  # type: ignore[arg-type]
    least = 1 if shape == "LINEAR" else np.nextafter(0, 1)
    if not found.width >= least:
        raise DataError(f"{name}: its {shape} window is {found.width} wide; {_OTHER_WINDOW}")
    return found


def _looked_up(pixels: NDArray[Any], head: Dataset, name: str) -> NDArray[Any]:
    """Return pixels through the modality table (PS3.3 C.11.1); beyond its ends, its end."""
    from pydicom.pixels.processing import apply_modality_lut

    wide = pixels.astype(np.int64)  # so that the first value mapped may be negative
    try:
        return np.asarray(apply_modality_lut(wide, head))
    except (*_NOT_READABLE, struct.error) as error:
        raise DataError(
            f"{name}: its modality table cannot be read ({error}); {_AS_STORED}"
        ) from error
