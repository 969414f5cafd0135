"""SEG-Y cubes: traces that stand on a regular grid of inlines and crosslines.

The grid is found in the headers of all traces and never guessed: there must be exactly one trace
for every pair of an inline and a crossline, and the numbers of both must rise in equal steps.
What is not such a cube is refused with what its headers say, since traces that are laid out in
the wrong grid look like seismic data all the same.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from lamina.data.readers.axes import lay_out
from lamina.data.readers.file_stamp import stamp_of
from lamina.data.readers.format import Format
from lamina.data.readers.segy.grid import Grid, grid_of
from lamina.errors import DataError, RecipeError
from lamina.geometry.region import Region
from lamina.progress import say
from lamina.spec import Spec
from lamina.volume import NOWHERE, Placement, check_within

KNOWN = ((189, 193), (9, 21), (5, 21), (9, 13), (17, 21), (17, 13))
"""Where inline and crossline stand in trace headers: by the standard, then by habit."""

_FORMATS = {
    1: "IBM floats",
    2: "int32",
    3: "int16",
    5: "float32",
    6: "float64",
    8: "int8",
    10: "uint32",
    11: "uint16",
    16: "uint8",
}
_INTERVAL, _DELAY = 3217, 109  # of the binary header, and of trace headers
_FORMAT, _SAMPLES, _KIND = 3224, 115, 29  # a place in the file; bytes of a trace header, from 1
_HEADERS, _TRACE = 3600, 240  # bytes before the traces, and before the samples of each
_DEAD = 2
_BROKEN = (OSError, ValueError, RuntimeError, LookupError, TypeError, MemoryError, AttributeError)


class Segy(Spec):
    """Where SEG-Y files say which trace belongs where; ignored for other files."""

    inline: int | None = Field(default=None, ge=1, le=237)
    """First byte of the inline number in each trace header, counted from 1; null: 189, as the
    standard says, or else one of the usual others, together with its crossline."""

    crossline: int | None = Field(default=None, ge=1, le=237)
    """First byte of the crossline number; null: 193, or else another, as for inline."""

    dead: Literal["refuse", "keep"] = "refuse"
    """Traces that the file itself calls dead are refused, or read as they are stored."""

    @model_validator(mode="after")
    def _bytes_come_in_pairs(self) -> Segy:
        if (self.inline is None) != (self.crossline is None):
            raise ValueError("inline and crossline belong together; give both bytes or neither")
        return self

    @property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """Pairs of bytes to try, in order."""
        if self.inline is None or self.crossline is None:
            return KNOWN
        return ((self.inline, self.crossline),)


class SegyVolume:
    """One SEG-Y file as a volume: axes z inline, y crossline, x sample, each in rising order.

    Samples are read in their stored type; IBM floats become float32.
    """

    def __init__(self, path: Path, axes: str | None = None, options: Segy | None = None) -> None:
        """Read all headers of ``path``; the samples stay on disk.

        Args:
            path: The file.
            axes: Names of inlines, crosslines and samples; None: ``"zyx"``.
            options: Where the numbers of the lines stand; None: as ``Segy()``.

        Raises:
            RecipeError: segyio is not installed.
            DataError: the file is cut off or of an unknown format, or its traces are no regular
                cube; the message says what the headers hold.
        """
        self.path, self._options = Path(path), options or Segy()
        self._order = _byte_order(self.path)
        with self._opened() as file:
            self._stored: np.dtype[Any] = np.dtype(file.dtype)
            self._samples = len(file.samples)
            self._check(file)
            self._grid = self._found(file)
            step, begin = _sampling(file)
        self._layout = lay_out(self.path, (*self._grid.shape, self._samples), axes)
        self.axes = self._layout.axes
        self.placement = self._placed(step, begin)
        self._seen = self._now()

    @property
    def name(self) -> str:
        """The path."""
        return str(self.path)

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of inlines, crosslines and samples."""
        return self._layout.shape

    @property
    def channels(self) -> int:
        """1, or the length of the axis that the recipe names ``c``."""
        return self._layout.channels

    @property
    def dtype(self) -> np.dtype[Any]:
        """The stored type; float32 for IBM floats."""
        return self._stored

    @property
    def chunk_shape(self) -> tuple[int, ...]:
        """One voxel: traces are not packed, though each is read as a whole."""
        return self._layout.spatial((1, 1, 1))

    @property
    def byte_order(self) -> Literal["big", "little"]:
        """Order of the bytes of all numbers in the file."""
        return self._order

    def traces(self, inline: int) -> NDArray[np.int64]:
        """Return where in the file, counted from 0, the traces of an inline (first: 0) stand."""
        found = self._grid.traces(slice(inline, inline + 1), slice(0, self._grid.shape[1]))
        return np.asarray(found[0], np.int64)

    def stamp(self) -> str:
        """Return a digest of the file's name, size and time, and of the grid."""
        grid = (self._grid.shape, self._grid.first, self._grid.down, self._grid.across)
        return stamp_of(self.path, [self.path], self._layout.names, grid)

    def read(self, region: Region) -> NDArray[Any]:
        """Return a copy, ``(channels, *region.shape)``; whole traces are read.

        Raises:
            ValueError: the region leaves the volume.
            DataError: the traces cannot be read, or the file changed since it was opened.
        """
        check_within(self, region)
        if 0 in region.shape:
            return np.empty((self.channels, *region.shape), self.dtype)
        if not self.path.is_file() or self._now() != self._seen:
            raise DataError(f"{self.path}: is gone or changed while in use; run again")
        rows, columns, samples = self._layout.stored(region)
        traces = self._grid.traces(rows, columns)
        out = np.empty((*traces.shape, samples.stop - samples.start), self._stored)
        across = traces.shape[0] <= traces.shape[1]
        lines = (
            zip(traces, out, strict=True)
            if across
            else zip(traces.T, out.swapaxes(0, 1), strict=True)
        )
        with self._opened() as file:
            file.mmap()
            try:
                for numbers, place in lines:
                    _read_line(file.trace.raw, numbers, samples, place)
            except _BROKEN as error:
                raise DataError(
                    f"{self.path}: the traces of {region} cannot be read ({error}); copy it again"
                ) from error
        return self._layout.seen(out)

    def _opened(self) -> Any:
        library = _segyio(self.path)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # segyio warns of formats that it would guess
                return library.open(str(self.path), ignore_geometry=True, endian=self._order)
        except FileNotFoundError:
            raise DataError(f"{self.path}: no such file") from None
        except (*_BROKEN, Warning) as error:
            raise DataError(
                f"{self.path}: is cut off, or not a SEG-Y file with traces of one length "
                f"({error}); copy it again"
            ) from error

    def _check(self, file: Any) -> None:
        """Refuse traces of other lengths, and dead ones."""
        counts = np.asarray(file.attributes(_SAMPLES)[:]) & 0xFFFF
        differ = (counts != 0) & (counts != self._samples & 0xFFFF)
        if differ.any():
            self._check_counts(np.unique(counts[differ]), int(differ.sum()), file.tracecount)
        dead = int((np.asarray(file.attributes(_KIND)[:]) == _DEAD).sum())
        if dead and self._options.dead == "refuse":
            raise DataError(
                f"{self.path}: {dead} of {file.tracecount} traces are marked as dead; set "
                "data.segy.dead to keep if they are to be read as they are stored"
            )

    def _check_counts(self, others: NDArray[Any], differ: int, traces: int) -> None:
        """Take one old count in all trace headers for what it is; refuse traces of other lengths.

        Programs that resample or cut a cube often leave the old count in the trace headers. The
        binary header and the size of the file are believed where they agree and the old count
        would not fit the file.
        """
        size = self.path.stat().st_size - _HEADERS
        fits = [n for n in others.tolist() if size % (_TRACE + n * self._stored.itemsize) == 0]
        if len(others) == 1 and differ == traces and not fits:
            say(
                f"{self.path}: its trace headers say {others[0]} samples; read are "
                f"{self._samples}, as its binary header and its size say"
            )
            return
        raise DataError(
            f"{self.path}: {differ} of {traces} traces are said to have other than "
            f"{self._samples} samples; export it with traces of one length"
        )

    def _found(self, file: Any) -> Grid:
        """Return the grid of the first pair of bytes that makes one."""
        whys, given = [], self._options.inline is not None
        line: tuple[int, int] | None = None
        for pair in self._options.pairs:
            try:
                numbers = [np.asarray(file.attributes(byte)[:]) for byte in pair]
            except _BROKEN as error:
                raise DataError(
                    f"{self.path}: no numbers begin at bytes {pair} of a trace header ({error}); "
                    "correct data.segy"
                ) from error
            grid = grid_of(*numbers, lines=1 if given else 2)
            if isinstance(grid, Grid):
                return grid
            line = pair if grid.line and line is None else line
            whys.append(f"bytes {pair[0]} and {pair[1]}: {grid.why}")
        raise DataError(self._refusal(file, whys, line))

    def _refusal(self, file: Any, whys: list[str], line: tuple[int, int] | None) -> str:
        kind = _FORMATS[int(file.format)]
        remedy = "give the right bytes with data.segy.inline and crossline"
        if line is not None:
            remedy = (
                f"to read it as one line, set data.segy.inline to {line[0]} and "
                f"data.segy.crossline to {line[1]}"
            )
        return "\n  ".join(
            [
                f"{self.path}: is not a regular cube by {whys[0]}; {remedy}, or export it as a "
                "full cube",
                f"{file.tracecount} traces of {self._samples} samples, {kind}, {self._order} "
                "endian",
                *whys[1:],
            ]
        )

    def _placed(self, step: float | None, begin: float | None) -> Placement:
        """Return numbers of lines and times of samples as places, of the axes z, y and x."""
        lines = self._grid.lines
        if lines is None or len(self.axes) != 3:
            return NOWHERE
        (inline, down), (crossline, across) = lines
        return Placement(
            spacing=(down or None, across or None, step),
            units=("inlines", "crosslines", "ms"),
            origin=(inline, crossline, begin),
            world="lines",
        )

    def _now(self) -> tuple[int, int]:
        stat = self.path.stat()
        return stat.st_size, stat.st_mtime_ns


def _sampling(file: Any) -> tuple[float | None, float | None]:
    """Return the interval of samples and the time of the first, in ms; None where it is 0."""
    interval = int(file.bin[_INTERVAL]) & 0xFFFF
    delay = int(file.attributes(_DELAY)[0][0])
    return interval / 1000 or None, float(delay) or None


def _read_line(raw: Any, numbers: NDArray[np.int64], samples: slice, out: NDArray[Any]) -> None:
    """Read traces into ``out`` (traces, samples), in one go where they are evenly spaced."""
    steps = np.diff(numbers)
    step = int(steps[0]) if len(steps) else 1
    if step > 0 and (steps == step).all():
        out[...] = raw[int(numbers[0]) : int(numbers[-1]) + 1 : step][:, samples]
        return
    for number, place in zip(numbers.tolist(), out, strict=True):
        place[...] = raw[number][samples]


def _byte_order(path: Path) -> Literal["big", "little"]:
    """Return the order of bytes in which the file's format code makes sense."""
    with path.open("rb") as stream:
        stream.seek(_FORMAT)
        code = stream.read(2)
    if len(code) < 2:
        raise DataError(f"{path}: is cut off within its headers; copy it again")
    if int.from_bytes(code, "big") in _FORMATS:
        return "big"
    if int.from_bytes(code, "little") in _FORMATS:
        return "little"
    raise DataError(
        f"{path}: its samples are of format {int.from_bytes(code, 'big')}; read are "
        f"{', '.join(f'{number} ({name})' for number, name in _FORMATS.items())}"
    )


def _segyio(path: Path) -> Any:
    """Import segyio, which not everybody installs, only when a SEG-Y file is opened."""
    try:
        import segyio
    except ImportError:
        raise RecipeError(
            f"{path}: is a SEG-Y file, and segyio is not installed; pip install 'lamina[segy]'"
        ) from None
    return segyio


def _is_segy(head: bytes) -> bool:
    """Whether the first lines are those of a textual header, which has no other mark."""
    lines = [head[80 * n : 80 * n + 1] for n in range(4)]
    return any(lines == [letter] * 4 for letter in (b"\xc3", b"C"))  # in EBCDIC and ASCII


SEGY = Format(
    name="SEG-Y",
    suffixes=(".sgy", ".segy"),
    known_by=lambda _, head: _is_segy(head),
    by_suffix=True,
    open=lambda path, options: SegyVolume(path, options.axes, options.segy),
)
