"""What a TIFF file says of itself, checked before a pixel is read."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from lamina.data.readers.images.palette import palette_table
from lamina.data.readers.tiff.page_directories import count_pages
from lamina.data.readers.tiff.scales import Scales, scales_of
from lamina.errors import DataError

BROKEN = (
    OSError,
    ValueError,
    RuntimeError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    MemoryError,
    struct.error,
)
"""What tifffile and its codecs raise on damaged files."""

_GDAL_NODATA = 42113
_JPEG = (6, 7, 34892, 33007)
_KINDS = ("generic", "uniform", "shaped", "imagej", "ome")


@dataclass(frozen=True)
class TiffHeader:
    """Pages of one kind and where their bytes are.

    ``lead`` and ``lead_axes``: lengths and letters of the axes over pages, without those of
    length 1. ``planes`` and ``samples``: colours stored apart and side by side. ``segment``:
    rows and columns of a strip or tile. ``mapped``: the byte where all pixels start, one page
    behind the other and uncoded, or None. ``offsets`` and ``counts``: (pages, segments) bytes.
    ``white``: the value that stands for black where 0 stands for white, else None. ``table``:
    (indices, channels) what the indices of a palette stand for, or None. ``nodata``: the value
    that GDAL calls no data, or None. ``scales``: spacing of axes. ``microscope``: whether the
    file is OME or ImageJ, so that rows and columns are y and x and scales are meant.
    """

    lead: tuple[int, ...]
    lead_axes: str
    planes: int
    rows: int
    columns: int
    samples: int
    dtype: np.dtype[Any]
    stored: np.dtype[Any]
    mapped: int | None
    segment: tuple[int, int]
    offsets: NDArray[np.int64]
    counts: NDArray[np.int64]
    tables: tuple[bytes | None, ...]
    white: int | None = None
    table: NDArray[np.uint8] | None = None
    nodata: float | None = None
    scales: Scales = field(default_factory=dict)
    microscope: bool = False


def tiff_header(path: Path, limit: int, *, target: bool = False) -> TiffHeader:
    """Read and check the headers of all pages of a TIFF file.

    Args:
        path: The file.
        limit: Largest number of pixels of a page that has to be decoded.
        target: Whether it is a mask, whose palette indices are class numbers.

    Raises:
        DataError: the file is cut off, lacks pages that it claims, holds pixels outside itself,
            or is of a kind that cannot be read exactly.
    """
    chain = count_pages(path)
    try:
        with open_tiff(path) as tif:
            _one_stack(path, tif)
            _plain(path, tif.pages.first)
            return _header(path, tif, chain, limit, target=target)
    except BROKEN as error:
        raise DataError(f"{path}: cannot be read as TIFF ({error}); save it again") from error


def open_tiff(path: Path) -> tifffile.TiffFile:
    """Open a TIFF file without following names of other files inside it."""
    return tifffile.TiffFile(path, _multifile=False)


def _one_stack(path: Path, tif: tifffile.TiffFile) -> None:
    series = tif.series
    if len(series) != 1 or series[0].kind not in _KINDS:
        shapes = "; ".join(f"{one.kind} {one.axes} {one.shape}" for one in series)
        raise DataError(f"{path}: holds not one plain stack of pages ({shapes}); export it as one")


def _plain(path: Path, page: Any) -> None:
    """Refuse what different programs read differently."""
    colours, orientation = int(page.photometric), page.tags.valueof(274, 1)
    wrong = None
    if page.dtype is None or page.dtype.kind not in "biuf":
        wrong = "its pixels are not integers or floats; save it as 8, 16 or 32 bits"
    elif colours == 0 and (page.dtype.kind not in "bu" or page.bitspersample > 16):
        wrong = "0 means white in it; save it with 0 as black"
    elif colours == 3 and (page.dtype.kind != "u" or page.samplesperpixel != 1):
        wrong = "its palette is for one sample of whole numbers; save it as RGB"
    elif colours not in (0, 1, 2, 3) and not (colours == 6 and int(page.compression) in _JPEG):
        wrong = f"its colours are {page.photometric.name}; save it as grey or RGB"
    elif orientation not in (0, 1):
        wrong = f"it is to be turned (EXIF orientation {orientation}); save it upright"
    elif page.imagedepth != 1:
        wrong = "its pages are three-dimensional; save one page per slice"
    elif 0 in page.shaped:
        wrong = "it has no pixels"
    if wrong is not None:
        raise DataError(f"{path}: {wrong}")


def _header(
    path: Path, tif: tifffile.TiffFile, chain: int, limit: int, *, target: bool
) -> TiffHeader:
    page: Any = tif.pages.first
    series = tif.series[0]
    planes, _, rows, columns, samples = page.shaped
    lead, lead_axes = _lead(series)
    mapped = series.dataoffset if page.dtype.kind != "b" else None
    parts: list[Any] = list(series.pages)
    _whole(path, tif, chain, math.prod(lead), mapped)
    if mapped is None and rows * columns > limit:
        raise DataError(
            f"{path}: has pages of {columns} x {rows} pixels, more than the limit of {limit}; cut "
            "it into parts, or raise the limit if the file is trusted"
        )
    tall = min(page.rowsperstrip or rows, rows)
    segment = (page.tilelength, page.tilewidth) if page.is_tiled else (tall, columns)
    segments = planes * -(-rows // segment[0]) * -(-columns // segment[1])
    offsets, counts = _bytes(path, [] if mapped is not None else parts, segments)
    tables = tuple(part.jpegtables for part in parts)
    return TiffHeader(
        lead=lead,
        lead_axes=lead_axes,
        planes=planes,
        rows=rows,
        columns=columns,
        samples=samples,
        dtype=np.dtype(np.uint8) if page.dtype.kind == "b" else page.dtype.newbyteorder("="),
        stored=np.dtype(tif.byteorder + page.dtype.char),
        mapped=mapped,
        segment=segment,
        offsets=offsets,
        counts=counts,
        tables=tables if any(tables) else (),
        white=_black(page),
        table=_palette(page, target=target) if int(page.photometric) == 3 else None,
        nodata=_nodata(page),
        scales=scales_of(tif),
        microscope=series.kind in ("ome", "imagej"),
    )


def _black(page: Any) -> int | None:
    """Return the value that stands for black where 0 stands for white; None: larger is brighter.

    tifffile marks booleans so and stores True as 1 all the same; its files are known by their
    description.
    """
    if int(page.photometric) != 0 or (page.bitspersample == 1 and page.is_shaped):
        return None
    return int(2**page.bitspersample - 1)


def _palette(page: Any, *, target: bool) -> NDArray[np.uint8] | None:
    """Return what palette indices stand for; None: for themselves."""
    colours = np.asarray(page.colormap).T  # 16 bits, though some programs write 8
    if colours.max(initial=0) > 255:
        colours = colours >> 8
    if len(colours) > 256:
        if target:
            return None
        solid = np.asarray(colours, np.uint8)
        return solid[:, :1] if bool((solid == solid[:, :1]).all()) else solid
    return palette_table(np.asarray(colours, np.uint8), target=target)


def _nodata(page: Any) -> float | None:
    """Return the value of the tag GDAL_NODATA."""
    text = page.tags.valueof(_GDAL_NODATA)
    try:
        return None if text is None else float(str(text).strip("\0 "))
    except ValueError:
        return None


def _whole(
    path: Path, tif: tifffile.TiffFile, chain: int, covered: int, mapped: int | None
) -> None:
    """Refuse a file that holds fewer pages, or fewer bytes, than it claims."""
    page: Any = tif.pages.first
    size, parts = path.stat().st_size, list(tif.series[0].pages)
    # One directory may stand for a whole stack of uncoded pages (ImageJ, tifffile).
    held = covered if mapped is not None and chain == 1 else chain
    claimed = max(_claimed(tif), covered)
    if claimed != held or (mapped is None and len(parts) != held) or None in parts:
        raise DataError(
            f"{path}: claims {claimed} pages and holds {held}; the file is not whole, copy or "
            "export it again"
        )
    stop = 0 if mapped is None else mapped + covered * page.size * page.dtype.itemsize
    if stop > size:
        raise DataError(f"{path}: is cut off at byte {size} of {stop}; copy it again")


def _lead(series: tifffile.TiffPageSeries) -> tuple[tuple[int, ...], str]:
    """Return the axes over pages, without those of length 1."""
    pairs = zip(series.get_axes(squeeze=False), series.get_shape(squeeze=False), strict=True)
    kept = [(axis, length) for axis, length in pairs if axis not in "YXS" and length > 1]
    return tuple(length for _, length in kept), "".join(axis for axis, _ in kept)


def _claimed(tif: tifffile.TiffFile) -> int:
    """Return how many pages the description of the first one promises; 1 where it is silent."""
    page: Any = tif.pages.first
    if tif.imagej_metadata is not None:
        return int(tif.imagej_metadata.get("images", 1))
    text = page.description
    if text.startswith('{"shape"'):
        return int(math.prod(json.loads(text)["shape"])) // int(page.size)
    return 1


def _bytes(
    path: Path, parts: Sequence[Any], segments: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where the strips or tiles of each page are; all must lie inside the file."""
    size = path.stat().st_size
    for number, part in enumerate(parts):
        offsets, counts = part.dataoffsets, part.databytecounts
        if len(offsets) != segments or len(counts) != segments:
            raise DataError(
                f"{path}: page {number} lists {len(offsets)} of {segments} strips or tiles; save "
                "it again"
            )
        for place, count in zip(offsets, counts, strict=True):
            if place <= 0 or count <= 0:
                raise DataError(
                    f"{path}: page {number} has a strip or tile without bytes; the file was never "
                    "finished, or is sparse: write it again in full"
                )
            if place + count > size:
                raise DataError(
                    f"{path}: is cut off in page {number}, at byte {size} of {place + count}; "
                    "copy it again"
                )
    return (
        np.array([part.dataoffsets for part in parts], np.int64),
        np.array([part.databytecounts for part in parts], np.int64),
    )
