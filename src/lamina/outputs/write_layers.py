"""Layers of a volume written out, a block of rows at a time (INK-10)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from shutil import disk_usage
from typing import Any, Literal

import numpy as np
import tifffile
import zarr
from zarr.codecs import BloscCodec

from lamina.errors import DataError, ResourceError
from lamina.files import make_folder, replacing_folder
from lamina.geometry.region import Region
from lamina.progress import Bar
from lamina.refusals import writing
from lamina.volume import Volume, chunk_shape_of

Form = Literal["tif", "zarr"]

BLOCK = 2**24
"""Voxels of a block of rows, all layers of the source counted, unless a row alone has more."""

_CHUNK = 128  # rows and columns of a chunk of Zarr


def write_layers(volume: Volume, out: Path, layers: tuple[int, int], form: Form = "tif") -> None:
    """Write layers of a stack as one uncompressed TIFF file each, or as one Zarr array.

    Files are called by the layers' numbers, 20.tif for layer 20. Whole or not at all.

    Args:
        volume: ``"zyx"``, one channel.
        out: The folder to be made; of Zarr its name ends in ``.zarr``.
        layers: First layer and the one after the last.
        form: ``tif`` or ``zarr`` (version 3, chunks of all layers, 128 rows and columns).

    Raises:
        RecipeError: something is there already, or nothing can be written there.
        ResourceError: the disk is full, or has not room enough.
        DataError: there are no such layers, or one cannot be read.
    """
    depth, rows, columns = volume.shape
    if not 0 <= layers[0] < layers[1] <= depth:
        raise DataError(f"{volume.name}: has {depth} layers, not {layers[0]} to {layers[1] - 1}")
    make_folder(out.parent)
    needed = (layers[1] - layers[0]) * rows * columns * volume.dtype.itemsize
    free = disk_usage(out.parent).free
    if needed > free and form == "tif":
        raise ResourceError(
            f"{out}: {needed / 2**30:.1f} GiB are needed, {free / 2**30:.1f} GiB are free; free "
            "some space, or write fewer layers"
        )
    with replacing_folder(out) as beside, writing(beside):
        (_write_tif if form == "tif" else _write_zarr)(volume, beside, layers)


def _write_tif(volume: Volume, folder: Path, layers: tuple[int, int]) -> None:
    _, rows, columns = volume.shape
    digits = max(2, len(str(layers[1] - 1)))
    with ExitStack() as open_files:
        streams: list[tuple[Any, int]] = []
        for number in range(*layers):
            path = folder / f"{number:0{digits}}.tif"
            place = tifffile.imwrite(
                path,
                shape=(rows, columns),
                dtype=volume.dtype,
                photometric="minisblack",
                metadata=None,
                returnoffset=True,
            )
            if place is None:
                raise ValueError(f"{path}: no place for pixels")
            streams.append((open_files.enter_context(path.open("r+b")), place[0]))
        for region in _blocks(volume, layers):
            block = volume.read(region)[0]
            for layer, (stream, offset) in zip(block, streams, strict=True):
                stream.seek(offset + region.start[1] * columns * volume.dtype.itemsize)
                stream.write(np.ascontiguousarray(layer))


def _write_zarr(volume: Volume, folder: Path, layers: tuple[int, int]) -> None:
    _, rows, columns = volume.shape
    array = zarr.create_array(
        folder,
        shape=(layers[1] - layers[0], rows, columns),
        chunks=(layers[1] - layers[0], min(_CHUNK, rows), min(_CHUNK, columns)),
        dtype=volume.dtype,
        fill_value=0,
        compressors=BloscCodec(cname="zstd", clevel=3, shuffle="shuffle"),
        dimension_names=["z", "y", "x"],
        config={"write_empty_chunks": True},
    )
    for region in _blocks(volume, layers, _CHUNK):
        array[:, region.start[1] : region.stop[1]] = volume.read(region)[0]


def _blocks(volume: Volume, layers: tuple[int, int], least: int = 1) -> Iterator[Region]:
    """Yield blocks of all columns, of rows as the file is cut where that fits, in order."""
    depth, height, width = volume.shape
    rows = max(BLOCK // (depth * width), 1)
    tall = chunk_shape_of(volume)[1]
    if tall <= rows:
        rows -= rows % tall
    rows = -(-rows // least) * least
    count = -(-height // rows)
    with Bar("writing layers", count) as bar:
        for top in range(0, height, rows):
            stop = min(top + rows, height)
            yield Region((layers[0], top, 0), (layers[1], stop, width))
            bar.advance()
