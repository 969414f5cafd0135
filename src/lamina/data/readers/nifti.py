"""NIfTI volumes, versions 1 and 2, plain or gzipped; only what is asked for is read.

Axes are called ``"xyz"`` in the order in which the file stores them. How they lie in a body is
said by ``placement``; ``lamina.data.orientation`` turns volumes by it. A plain file is mapped into
memory. A gzipped one is unpacked from its beginning up to what is asked for, so that slices in the
order of the last axis cost one pass.
"""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.data.readers.axes import Layout, lay_out
from lamina.data.readers.file_stamp import stamp_of
from lamina.data.readers.format import Format
from lamina.errors import DataError, RecipeError
from lamina.geometry.region import Region
from lamina.volume import NOWHERE, Placement, check_within

_KEEP_OPEN = 64 << 20
"""Volumes of at least this many bytes stay open between reads; each holds a descriptor."""

_FLAT = 1e-3
"""Least volume of the box of the three unit directions; below it they lie in a plane."""

# Unit of the header: what spacing is said in and times what, and times what it is mm.
_UNITS = {"micron": ("um", 1.0, 1e-3), "meter": ("mm", 1e3, 1e3)}

_BLOCK = 1 << 20
_GZIP = b"\x1f\x8b"
_HEADER = 352  # bytes, of NIfTI-1
_BROKEN = (
    *(OSError, EOFError, ValueError, RuntimeError, LookupError, TypeError, AttributeError),
    *(ArithmeticError, MemoryError, zlib.error),
)


class NiftiVolume:
    """One NIfTI file of two or three axes, and of channels along the fourth.

    More axes may follow if their length is 1. The fourth is time by the standard and what people
    keep modalities in; a recipe that expects another number of channels refuses it.

    Where the header scales (``scl_slope``, ``scl_inter``) values are slope times stored plus
    intercept, in float32, or in float64 where more than 24 bits are stored; else as stored.
    """

    def __init__(self, path: Path, axes: str | None = None, *, as_stored: bool = False) -> None:
        """Read the header of ``path``.

        Args:
            path: The file.
            axes: Names of the stored axes; None: ``"xyz"``, or ``"xyzc"``.
            as_stored: Whether ``axes`` may call the first three other than x, y and z.

        Raises:
            RecipeError: nibabel is not installed.
            DataError: the file is cut off or no NIfTI, has five axes or more, holds colours or
                complex numbers, or its axes are not those named.
        """
        self.path = Path(path)
        with self.path.open("rb") as stream:
            self._packed = stream.read(2) == b"\x1f\x8b"
        head = self.header()
        self._stored = np.dtype(head.get_data_dtype())
        if self._stored.kind not in "biuf" or self._stored.itemsize > 8:
            what = self._stored.name if self._stored.names is None else "colours"
            raise DataError(f"{path}: holds {what}, not plain numbers; save integers or floats")
        self._lengths = tuple(int(n) for n in head.get_data_shape())
        if min(self._lengths, default=0) < 1:
            raise DataError(
                f"{path}: its header says lengths of {self._lengths} along its axes; it is "
                "damaged, copy it again"
            )
        lengths, more = self._lengths, self._lengths[4:]
        if math.prod(more) != 1:
            raise DataError(
                f"{path}: has {len(lengths)} axes {lengths}; save each volume on its own, with its "
                "channels along the fourth axis"
            )
        lengths = lengths[: 4 if len(lengths) > 3 and lengths[3] > 1 else 3]
        self._lengths = lengths
        own, said = "xyzc"[: len(lengths)], "xyz?"[: len(lengths)]
        self._layout = lay_out(self.path, lengths, axes, own, declared=said, as_stored=as_stored)
        self.axes = self._layout.axes
        self.placement = _placement(head, self._layout, self._steps)
        slope, inter = head.get_slope_inter()
        self._slope = 1.0 if slope is None else float(slope)
        self._inter = 0.0 if inter is None else float(inter)
        self._offset = int(head.get_data_offset())
        said = self._offset + math.prod(lengths) * self._stored.itemsize
        there = self.path.stat().st_size
        if not self._packed and there < said:
            raise DataError(f"{path}: is cut off at byte {there} of {said}; copy it again")
        self._keeps = math.prod(lengths) * self._stored.itemsize >= _KEEP_OPEN
        self._kept: Any = None
        self._whole = False
        self._seen = self._now()

    @property
    def name(self) -> str:
        """The path."""
        return str(self.path)

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each spatial axis, in pixels."""
        return self._layout.shape

    @property
    def channels(self) -> int:
        """1, or the length of the axis that the recipe names ``c``."""
        return self._layout.channels

    @property
    def dtype(self) -> np.dtype[Any]:
        """The stored type in the machine's byte order, or a float where the header scales."""
        if (self._slope, self._inter) == (1, 0):
            native: np.dtype[Any] = self._stored.newbyteorder("=")
            return native
        fits = self._stored.itemsize <= 2 or (
            self._stored.kind == "f" and self._stored.itemsize == 4
        )
        return np.dtype(np.float32 if fits else np.float64)

    @property
    def chunk_shape(self) -> tuple[int, ...]:
        """One voxel; of a gzipped file a slice of the axis that is stored last."""
        sides = (*self._lengths[:-1], 1) if self._packed else (1,) * len(self._lengths)
        return self._layout.spatial(sides)

    @property
    def stored_axes(self) -> str:
        """Names of the stored axes in order, with ``c`` where channels are stored."""
        return self._layout.names

    def stamp(self) -> str:
        """Return a digest of the file's name, size and time."""
        return stamp_of(self.path, [self.path], self._layout.names)

    def read(self, region: Region) -> NDArray[Any]:
        """Return a copy, ``(channels, *region.shape)``.

        Raises:
            ValueError: the region leaves the volume.
            DataError: the file is cut off or damaged, or changed since it was opened.
        """
        check_within(self, region)
        if 0 in region.shape:
            return np.empty((self.channels, *region.shape), self.dtype)
        array = self._kept
        if array is None:
            array = self._array()
            if self._keeps:
                self._kept = array
        try:
            values = self._layout.seen(np.array(array[self._layout.stored(region)], order="C"))
        except _BROKEN as error:
            raise DataError(
                f"{self.path}: {region} is cut off or damaged ({error}); copy it again"
            ) from error
        if (self._slope, self._inter) == (1, 0):
            return values
        scaled = values.astype(np.float64) * self._slope + self._inter
        return scaled.astype(self.dtype, copy=False)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_kept": None}

    def _array(self) -> Any:
        """Return the stored array, which is read where it is indexed."""
        if not self.path.is_file() or self._now() != self._seen:
            raise DataError(f"{self.path}: is gone or changed while in use; run again")
        lengths = self._lengths
        if not self._packed:
            return np.memmap(self.path, self._stored, "r", self._offset, lengths, "F")
        if not self._whole:
            self._check_sum()
        stream = gzip.open(self.path)  # noqa: SIM115  # closed with the array that reads it
        proxy = _nibabel(self.path).arrayproxy.ArrayProxy
        return proxy(stream, (lengths, self._stored, self._offset), mmap=False)

    def _check_sum(self) -> None:
        """Unpack the stream to its end once: only there is its checksum."""
        try:
            with gzip.open(self.path) as stream:
                while stream.read(_BLOCK):
                    pass
        except _BROKEN as error:
            raise DataError(
                f"{self.path}: is cut off or damaged ({error}); copy it again"
            ) from error
        self._whole = True

    def header(self) -> Any:
        """Return the header with its extensions, as nibabel reads it from the file.

        Raises:
            DataError: the file is gone, or its header damaged.
        """
        library = _nibabel(self.path).nifti2
        try:
            with gzip.open(self.path) if self._packed else self.path.open("rb") as stream:
                second = stream.read(4) in (b"\x1c\2\0\0", b"\0\0\2\x1c")  # 540, its size
                stream.seek(0)
                kind = library.Nifti2Header if second else library.Nifti1Header
                head = kind.from_fileobj(stream, check=False)
                # Checking it, the library sets steps of 0 to 1, which nobody has measured.
                self._steps = tuple(abs(float(step)) for step in head["pixdim"][1:4])
                head.check_fix()
                return head
        except FileNotFoundError:
            raise DataError(f"{self.path}: no such file") from None
        except _refused(self.path) as error:
            raise DataError(
                f"{self.path}: its NIfTI header is cut off or damaged ({error}); copy it again"
            ) from error

    def _now(self) -> tuple[int, int]:
        stat = self.path.stat()
        return stat.st_size, stat.st_mtime_ns


def _placement(head: Any, layout: Layout, stored: tuple[float, ...]) -> Placement:
    """Return what the header says: by the sform, or else the qform, as nibabel does.

    Where neither is set the file does not know how it lies, and only its spacing counts: that of
    ``stored``, which is not known where it is 0 or no number (I15).
    """
    count = len(layout.axes)
    if layout.names[:count] != "xyz"[:count]:
        return NOWHERE  # the recipe calls them otherwise
    unit, factor, mm = _UNITS.get(head.get_xyzt_units()[0], ("mm", 1.0, 1.0))
    zooms = [step * factor for step in stored[:count]]
    known = Placement(
        axes=layout.axes,
        spacing=tuple(step if math.isfinite(step) and step > 0 else None for step in zooms),
        units=(unit,) * count,
    )
    coded = int(head["sform_code"]) > 0
    if not coded and (int(head["qform_code"]) <= 0 or None in (known.spacing or ())):
        return known
    affine = np.asarray(head.get_best_affine(), np.float64) * mm
    steps = np.linalg.norm(affine[:3, :3], axis=0)
    if not np.isfinite(affine).all() or not steps.all():
        return known
    columns = affine[:3, :3] / steps
    if abs(np.linalg.det(columns)) < _FLAT:
        return known
    return Placement(
        axes=layout.axes,
        spacing=tuple(map(float, steps[:count])),
        units=("mm",) * count,
        origin=tuple(map(float, affine[:3, 3])),
        directions=tuple((float(x), float(y), float(z)) for x, y, z in columns.T[:count]),
        world="body",
    )


def _refused(path: Path) -> tuple[type[Exception], ...]:
    """Return all that nibabel raises on headers that it does not take."""
    head: type[Exception] = _nibabel(path).spatialimages.HeaderDataError
    block: type[Exception] = _nibabel(path).wrapstruct.WrapStructError
    return (*_BROKEN, head, block)


def _nibabel(path: Path) -> Any:
    """Import nibabel, which not everybody installs, only when NIfTI is opened."""
    try:
        import nibabel.arrayproxy
        import nibabel.nifti2
        import nibabel.spatialimages
        import nibabel.wrapstruct
    except ImportError:
        raise RecipeError(
            f"{path}: is a NIfTI file, and nibabel is not installed; pip install 'lamina[volumes]'"
        ) from None
    return nibabel


def _is_nifti(path: Path, head: bytes) -> bool:
    """Whether the magic of NIfTI-1 or NIfTI-2 stands at its place; of single files only."""
    if head.startswith(_GZIP):
        head = _unpacked(path)
    return head[344:348] == b"n+1\0" or head[4:8] == b"n+2\0"


def _unpacked(path: Path) -> bytes:
    try:
        with gzip.open(path) as stream:
            return stream.read(_HEADER)
    except (OSError, EOFError, zlib.error):
        return b""


NIFTI = Format(
    name="NIfTI",
    suffixes=(".nii", ".nii.gz"),
    known_by=_is_nifti,
    cut=lambda head: len(head) < _HEADER or head.startswith(_GZIP),
    open=lambda path, options: NiftiVolume(path, options.axes, as_stored=options.as_stored),
)
