"""TIFF images and stacks of pages, read strip by strip.

Only the strips or tiles that a region touches are decoded; uncoded stacks are mapped into
memory. Values are those stored, in the machine's byte order; where 0 stands for white they are
turned round, so that larger is brighter. A palette is colours in an image and class numbers in a
mask (``palette_table``). Of a pyramid the full resolution is read.
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.data.readers.axes import check_names, name_axes
from lamina.data.readers.cache import RECENT
from lamina.data.readers.file_stamp import stamp_of
from lamina.data.readers.format import PIXEL_LIMIT, Format
from lamina.data.readers.tiff.header import BROKEN, TiffHeader, open_tiff, tiff_header
from lamina.data.readers.tiff.scales import placement
from lamina.errors import DataError
from lamina.geometry.region import Region
from lamina.volume import check_within

_KEEP_OPEN = 64 << 20
"""Mapped files of at least this many bytes stay mapped; each map holds a descriptor."""

_LET_GO = 1 << 19
"""After a read of this many bytes, or of whole rows, a map gives its pages back to the system's
cache: who reads a stack band by band would else be charged with all of it. Crops keep them."""

_DONT_NEED: int | None = getattr(mmap, "MADV_DONTNEED", None)


class TiffVolume:
    """One TIFF file: a single page is ``"yx"``, a stack of pages ``"zyx"``.

    Colours of a page are channels, and so are pages that the file (OME, ImageJ) or ``axes``
    calls ``c``.
    """

    def __init__(
        self,
        path: Path,
        axes: str | None = None,
        *,
        limit: int = PIXEL_LIMIT,
        stack: bool = False,
        as_stored: bool = False,
        target: bool = False,
    ) -> None:
        """Read and check all page headers of ``path``.

        Args:
            path: The file.
            axes: Names of the stored axes in order: those over pages, rows, columns; colours of
                a page are not named. None: as the file says.
            limit: Largest number of pixels of a page that has to be decoded.
            stack: Whether pages along an axis that the file does not name are slices, of one page
                too.
            as_stored: Whether ``axes`` may be others than the file's own.
            target: Whether it is a mask, whose palette indices are class numbers.

        Raises:
            DataError: the file is cut off, lacks pages, is of a kind that cannot be read
                exactly, or does not have the axes named.
        """
        self.path = Path(path)
        self._header = head = tiff_header(self.path, limit, target=target)
        lead, own = head.lead, _declared(head)
        slices = stack and not own.strip("?yx")
        named = axes or ("zyx" if slices else _named(self.path, head))
        if len(lead) == 0 and len(named) == 3:
            lead = (1,)
        if len(named) != len(lead) + 2:
            raise DataError(
                f"{path}: has axes {(*head.lead, head.rows, head.columns)} without colours, but "
                f"'{axes}' names {len(named)}; set data.axes to match"
            )
        if not as_stored and len(own) == len(named):
            check_names(self.path, named, own)
        self.axes, channel = name_axes(self.path, named)
        said = "".join(name for name in own if name != "c").rjust(len(self.axes), "?")
        self.placement = placement(self.axes, head.scales, said, sample=head.microscope)
        colours = head.planes * head.samples
        if channel is not None and (colours > 1 or channel >= len(lead)):
            raise DataError(
                f"{path}: '{named}' makes the wrong axis the channels; each page has {colours} "
                "colours, rows and columns of its own; set data.axes"
            )
        # Page numbers by (channel, slice).
        pages = np.arange(math.prod(lead)).reshape(lead)
        if channel is None:
            self._pages = pages.reshape(1, -1)
        else:
            self._pages = np.moveaxis(pages, channel, 0).reshape(lead[channel], -1)
        stat = self.path.stat()
        self._stamp = (str(self.path), stat.st_size, stat.st_mtime_ns)
        self._kept: NDArray[Any] | None = None
        self._decoder: Callable[..., Any] | None = None

    @property
    def name(self) -> str:
        """The path."""
        return str(self.path)

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each spatial axis, in pixels."""
        page = (self._header.rows, self._header.columns)
        return page if len(self.axes) == 2 else (self._pages.shape[1], *page)

    @property
    def channels(self) -> int:
        """Colours of a page, or the pages along ``c``."""
        head = self._header
        colours = 1 if head.table is None else head.table.shape[1]
        return self._pages.shape[0] * head.planes * head.samples * colours

    @property
    def dtype(self) -> np.dtype[Any]:
        """The stored type, in the machine's byte order; one-bit pages are uint8."""
        table = self._header.table
        return self._header.dtype if table is None else table.dtype

    @property
    def lead_axes(self) -> str:
        """Letters that the file gives to its axes over pages, without those of length 1."""
        return self._header.lead_axes

    @property
    def nodata(self) -> float | None:
        """The stored value of pixels without data (GDAL); None: every pixel has data."""
        return self._header.nodata

    @property
    def chunk_shape(self) -> tuple[int, ...]:
        """Sides of a strip or tile; one pixel where pages are stored as they are."""
        sides = (1, 1) if self._header.mapped is not None else self._header.segment
        return sides if len(self.axes) == 2 else (1, *sides)

    def stamp(self) -> str:
        """Return a digest of the file's name, size and time, and of the names of its axes."""
        return stamp_of(self.path, [self.path], self.axes, self._pages.shape)

    def read(self, region: Region) -> NDArray[Any]:
        """Return a copy, ``(channels, *region.shape)``; only strips it touches are decoded.

        Raises:
            ValueError: the region leaves the volume.
            DataError: the pixels are damaged, or the file changed since it was opened.
        """
        check_within(self, region)
        rows, columns = region.slices[-2:]
        slices = region.slices[0] if len(self.axes) == 3 else slice(0, 1)
        pages = self._pages[:, slices]
        if self._header.mapped is not None:
            out = self._from_map(pages, rows, columns)
        else:
            out = self._from_strips(pages, rows, columns)
        return self._shown(out).reshape(self.channels, *region.shape)

    def _shown(self, stored: NDArray[Any]) -> NDArray[Any]:
        """Return what stored values stand for: (..., H, W), with colours before the slices."""
        head = self._header
        if head.white is not None:
            return np.asarray(head.white - stored, stored.dtype)
        if head.table is None:
            return stored
        return np.moveaxis(head.table[stored], -1, 1)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_kept": None, "_decoder": None}

    def _from_map(self, pages: NDArray[Any], rows: slice, columns: slice) -> NDArray[Any]:
        head = self._header
        array: Any = self._kept
        if array is None:
            shape = (self._pages.size, head.planes, head.rows, head.columns, head.samples)
            try:
                array = np.memmap(self.path, head.stored, "r", head.mapped or 0, shape)
            except (OSError, ValueError) as error:
                raise self._changed(error) from error
            if array.nbytes >= _KEEP_OPEN:
                self._kept = array
        # Pages along one axis are evenly spaced, so that a slice needs no list of pages.
        step = int(self._pages[0, 1] - self._pages[0, 0]) if self._pages.shape[1] > 1 else 1
        out = np.empty(
            (
                len(pages),
                head.planes,
                head.samples,
                pages.shape[1],
                rows.stop - rows.start,
                columns.stop - columns.start,
            ),
            head.dtype,
        )
        for channel, line in enumerate(pages):
            if len(line):
                some = array[line[0] : line[-1] + 1 : step, :, rows, columns]
                out[channel] = some.transpose(1, 4, 0, 2, 3)
        wide = out.nbytes >= _LET_GO or out.shape[-1] == head.columns
        if self._kept is not None and wide and _DONT_NEED is not None:
            held: Any = self._kept
            held._mmap.madvise(_DONT_NEED)
        return out

    def _from_strips(self, pages: NDArray[Any], rows: slice, columns: slice) -> NDArray[Any]:
        head = self._header
        tall, wide = head.segment
        across, down = -(-head.columns // wide), -(-head.rows // tall)
        shape = (rows.stop - rows.start, columns.stop - columns.start)
        out = np.empty((len(pages), head.planes, head.samples, pages.shape[1], *shape), head.dtype)
        if out.size == 0:
            return out
        for place, page in np.ndenumerate(pages):
            for plane in range(head.planes):
                target = out[place[0], plane, :, place[1]]
                for row in range(rows.start // tall, -(-rows.stop // tall)):
                    for column in range(columns.start // wide, -(-columns.stop // wide)):
                        number = (plane * down + row) * across + column
                        part = self._strip(int(page), number)
                        _paste(part, (row * tall, column * wide), target, (rows, columns))
        return out

    def _strip(self, page: int, number: int) -> NDArray[Any]:
        """Return strip or tile ``number`` of a page, (rows, columns, samples)."""
        return RECENT.get((*self._stamp, page, number), lambda: self._decode(page, number))

    def _decode(self, page: int, number: int) -> NDArray[Any]:
        head = self._header
        place, count = int(head.offsets[page, number]), int(head.counts[page, number])
        try:
            with self.path.open("rb") as stream:
                stream.seek(place)
                data = stream.read(count)
            if len(data) < count:
                raise ValueError(f"{len(data)} of {count} bytes are left")
            if self._decoder is None:
                with open_tiff(self.path) as tif:
                    self._decoder = tif.pages.first.decode
            table = head.tables[page] if head.tables else None
            decoded: Any = self._decoder(data, number, jpegtables=table)[0]
        except BROKEN as error:
            raise DataError(
                f"{self.path}: page {page}, strip {number} is damaged ({error}); copy it again"
            ) from error
        return np.array(decoded[0], dtype=head.dtype)

    def _changed(self, error: Exception) -> DataError:
        return DataError(f"{self.path}: is gone or changed while in use ({error}); run again")


def _declared(head: TiffHeader) -> str:
    """Return the names that the file itself gives to its axes, ``?`` where it gives none."""
    return "".join({"C": "c", "Z": "z"}.get(axis, "?") for axis in head.lead_axes) + (
        "yx" if head.microscope else "??"
    )


def _named(path: Path, head: TiffHeader) -> str:
    """Return the names of the stored axes as the file gives them; C is channels, others are z."""
    others = head.lead_axes.replace("C", "")
    if len(others) > 1:
        raise DataError(
            f"{path}: is a stack along {len(others)} axes '{others}' {head.lead}, and one axis "
            "beside channels is read; save one stack per file, such as one for each time"
        )
    return "".join("c" if axis == "C" else "z" for axis in head.lead_axes) + "yx"


def _paste(
    part: NDArray[Any],
    corner: tuple[int, int],
    target: NDArray[Any],
    wanted: tuple[slice, slice],
) -> None:
    """Copy what a strip at ``corner`` holds of the wanted rows and columns into ``target``.

    ``part`` (rows, columns, samples) may reach beyond the page; ``target`` (samples, H, W)
    starts where ``wanted`` starts.
    """
    source, goal = [], []
    for start, length, want in zip(corner, part.shape, wanted, strict=False):
        first, stop = max(start, want.start), min(start + length, want.stop)
        source.append(slice(first - start, stop - start))
        goal.append(slice(first - want.start, stop - want.start))
    target[:, goal[0], goal[1]] = part[source[0], source[1]].transpose(2, 0, 1)


TIFF = Format(
    name="TIFF",
    suffixes=(".tif", ".tiff"),
    magic=(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    open=lambda path, options: TiffVolume(
        path,
        options.axes,
        limit=options.limit,
        stack=options.stack,
        as_stored=options.as_stored,
        target=options.target,
    ),
)
