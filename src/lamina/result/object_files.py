"""Objects as files that other programs open: points, and PolyData of VTK.

======= ====== ===========================================================================
kind    suffix content
======= ====== ===========================================================================
points  .csv   a line for each voxel, its places along the stored axes, which the head names
npy     .npy   the same as one array (n, axes) float64
vtk     .vtp   the voxels as vertices
surface .vtp   a sheet of triangles through them
======= ====== ===========================================================================

In VTK the last stored axis is called x, the one before y, the first z.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import IO, Literal

import numpy as np
from numpy.typing import NDArray

from lamina.files import replacing

Kind = Literal["points", "npy", "vtk", "surface"]

SUFFIXES: dict[Kind, str] = {"points": ".csv", "npy": ".npy", "vtk": ".vtp", "surface": ".vtp"}
"""How the files of each kind end."""

Places = Iterator[NDArray[np.float64]]
"""Blocks of places, each (n, axes) along the stored axes."""

_BLOCK = 2**18


def write_points(path: Path, places: Places, axes: str) -> None:
    """Write places as a csv whose columns are named by ``axes``."""
    with replacing(path) as stream:
        stream.write((",".join(axes) + "\n").encode())
        for block in places:
            np.savetxt(stream, block, fmt="%.9g", delimiter=",")


def write_npy(path: Path, places: Places, shape: tuple[int, int]) -> None:
    """Write places as one array of ``shape`` (count, axes) float64."""
    with replacing(path) as stream:
        header = {"descr": "<f8", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(stream, header)
        for block in places:
            stream.write(block.astype("<f8").tobytes())


def write_vertices(path: Path, places: Places, count: int) -> None:
    """Write ``count`` places as PolyData in which each is a vertex."""
    with replacing(path) as stream:
        data = _PolyData(count, vertices=count)
        stream.write(data.head())
        data.begin(stream, 0)
        for block in places:
            stream.write(_xyz(block))
        data.numbers(stream, 1, 0)
        data.numbers(stream, 2, 1)
        data.end(stream)


def write_triangles(path: Path, corners: NDArray[np.float64], faces: NDArray[np.int64]) -> None:
    """Write corners (n, 3) and triangles (m, 3) of their numbers as PolyData."""
    with replacing(path) as stream:
        data = _PolyData(len(corners), triangles=len(faces))
        stream.write(data.head())
        data.begin(stream, 0)
        stream.write(_xyz(corners))
        data.begin(stream, 1)
        stream.write(faces.astype("<i8").tobytes())
        data.numbers(stream, 2, 3, step=3)
        data.end(stream)


def _xyz(places: NDArray[np.float64]) -> bytes:
    return places[:, ::-1].astype("<f8").tobytes()


@dataclass(frozen=True)
class _PolyData:
    """A VTK XML file of version 1.0 with appended raw data: points, connectivity, offsets."""

    points: int
    vertices: int = 0
    triangles: int = 0

    @property
    def _cells(self) -> int:
        return self.vertices or self.triangles

    @property
    def _sizes(self) -> Sequence[int]:
        return (24 * self.points, 8 * self._cells * (3 if self.triangles else 1), 8 * self._cells)

    def head(self) -> bytes:
        """Return all up to the data."""
        starts = [0]
        for size in self._sizes:
            starts.append(starts[-1] + 8 + size)  # each array begins with its length
        arrays = [f'format="appended" offset="{start}"/>' for start, _ in pairwise(starts)]
        name = "Verts" if self.vertices else "Polys"
        return (
            '<?xml version="1.0"?>\n'
            '<VTKFile type="PolyData" version="1.0" byte_order="LittleEndian" '
            'header_type="UInt64">\n<PolyData>\n'
            f'<Piece NumberOfPoints="{self.points}" NumberOfVerts="{self.vertices}" '
            f'NumberOfLines="0" NumberOfStrips="0" NumberOfPolys="{self.triangles}">\n'
            '<Points>\n<DataArray type="Float64" Name="Points" NumberOfComponents="3" '
            f"{arrays[0]}\n</Points>\n"
            f'<{name}>\n<DataArray type="Int64" Name="connectivity" {arrays[1]}\n'
            f'<DataArray type="Int64" Name="offsets" {arrays[2]}\n</{name}>\n'
            '</Piece>\n</PolyData>\n<AppendedData encoding="raw">\n_'
        ).encode()

    def begin(self, stream: IO[bytes], array: int) -> None:
        """Write the length of an array, in bytes."""
        stream.write(np.uint64(self._sizes[array]).astype("<u8").tobytes())

    def numbers(self, stream: IO[bytes], array: int, first: int, *, step: int = 1) -> None:
        """Write an array of whole numbers: ``first``, ``first + step`` and so on, one a cell."""
        self.begin(stream, array)
        for at in range(0, self._cells, _BLOCK):
            some = np.arange(at, min(at + _BLOCK, self._cells), dtype="<i8")
            stream.write((first + step * some).astype("<i8").tobytes())

    def end(self, stream: IO[bytes]) -> None:
        """Write all behind the data."""
        stream.write(b"\n</AppendedData>\n</VTKFile>\n")
