"""From a predicted volume to its objects: a file for each, and a table of them all."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, get_args

import numpy as np
from numpy.typing import NDArray

from lamina.errors import DataError, RecipeError
from lamina.files import make_folder, replacing, replacing_folder, scratch, write_json
from lamina.geometry.components.slabs import ComponentMoments, Neighbours, SlabParts
from lamina.geometry.plane import FittedPlane, Grid, centre_of, plane_of
from lamina.geometry.sheet import HeightMap
from lamina.outputs.submit import finished_ids
from lamina.prediction.folder.file_names import file_name
from lamina.prediction.folder.predictions import Predictions
from lamina.progress import Bar
from lamina.public import StrPath, VerbResult, as_path
from lamina.refusals import verb
from lamina.result.object_files import (
    SUFFIXES,
    Kind,
    write_npy,
    write_points,
    write_triangles,
    write_vertices,
)
from lamina.result.submissions.base import check_cell, csv_line

TABLE = "objects.csv"
"""Name of the table, which is written last."""

HEADER = "export.json"
"""Name of the file that says what was asked for."""

_BLOCK = 2**16  # voxels of an object that are read at a time
_CELL = 2  # largest spacings; a cell of one would miss voxels of a slanting sheet

Masks = Iterator[NDArray[np.bool_]]


@dataclass(frozen=True)
class ObjectsResult(VerbResult):
    """What ``write_objects`` wrote."""

    out: Path
    """The folder; its table is ``objects.csv``."""
    kind: Kind
    """What the files of objects hold."""
    cases: int
    """Number of volumes."""
    objects: int
    """Number of objects over all volumes and classes."""
    voxels: int
    """Number of voxels over all objects."""


@verb
def write_objects(
    pred: StrPath,
    out: StrPath,
    *,
    kind: Kind = "points",
    minimum: int = 100,
    connectivity: Neighbours = 26,
    spacing: tuple[float, float, float] | None = None,
    origin: tuple[float, float, float] | None = None,
    down: str | None = None,
) -> ObjectsResult:
    """Write the connected parts of decided volumes, class by class.

    A slab of a volume is in memory at a time where each pixel is decided by itself. The
    background of exclusive classes is no object.

    Args:
        pred: A folder of ``lamina predict``, finished.
        out: The folder to write, which is not there yet; it appears whole or not at all.
        kind: ``points`` (csv), ``npy``, ``vtk`` (vertices) or ``surface`` (triangles).
        minimum: The smallest part that is an object, in voxels.
        connectivity: Which neighbours belong together: 6 (faces), 18 (edges), 26 (corners).
        spacing: Distance from voxel to voxel along each stored axis; None: 1.
        origin: Place of the centre of the first voxel; None: 0.
        down: Name of the axis that points down, for dip and azimuth; None: the last.

    Returns:
        The folder and how many objects and voxels it holds.

    Raises:
        RecipeError: an option is not valid, ``out`` is there, or there are no masks.
        DataError: the prediction is not finished or damaged, or holds images.

    Example:
        >>> spacing = (12.5, 12.5, 4)
        >>> result = write_objects("volumes", "objects", kind="npy", minimum=20, spacing=spacing)
        >>> result.objects, result.voxels
        (1, 64)
    """
    pred, out = as_path(pred, "pred"), as_path(out, "out")
    predictions = Predictions.open(pred)
    grid = Grid(spacing or (1.0, 1.0, 1.0), origin or (0.0, 0.0, 0.0))
    _check(pred, predictions, kind, minimum, connectivity, grid)
    ids = finished_ids(predictions)
    rows: list[dict[str, Any]] = []
    with replacing_folder(out) as folder, Bar("objects", len(ids)) as bar:
        for id in ids:
            here = _placed(predictions, id, grid, down)
            for class_, number in _classes(predictions):
                work = _Work(predictions, id, class_, number, here, folder, kind)
                rows += work.objects(SlabParts(minimum, connectivity))
            bar.advance()
        asked = {
            "prediction": str(pred),
            "recipe": predictions.info.recipe_digest,
            "decision": predictions.decision.model_dump(mode="json"),
            "kind": kind,
            "minimum": minimum,
            "connectivity": connectivity,
            "spacing": grid.spacing,
            "origin": grid.origin,
            "down": down,
        }
        write_json(folder / HEADER, asked)
        _write_table(folder / TABLE, rows)
    voxels = sum(row["voxels"] for row in rows)
    return ObjectsResult(out, kind, cases=len(ids), objects=len(rows), voxels=voxels)


def _check(
    pred: Path,
    predictions: Predictions,
    kind: str,
    minimum: int,
    connectivity: int,
    grid: Grid,
) -> None:
    if predictions.task.kind == "restore":
        raise RecipeError(f"{pred}: holds values, not masks; there are no objects to export")
    for option, value, known in (
        ("kind", kind, get_args(Kind)),
        ("connectivity", connectivity, get_args(Neighbours)),
    ):
        if value not in known:
            raise RecipeError(
                f"--{option} is '{value}'; it must be one of {', '.join(map(str, known))}"
            )
    if minimum < 1:
        raise RecipeError(f"--min-voxels is {minimum}; it must be 1 or more")
    if min(grid.spacing) <= 0 or not np.isfinite([*grid.spacing, *grid.origin]).all():
        raise RecipeError(
            f"--spacing {grid.spacing} and --origin {grid.origin}: spacings are above 0, and all "
            "are finite"
        )


def _placed(predictions: Predictions, id: str, grid: Grid, down: str | None) -> Grid:
    """Return where the voxels of a case lie, with its own axis that points down."""
    axes = predictions.case(id).axes
    if len(axes) != 3:
        raise DataError(
            f"case {id}: has axes '{axes}', and objects are exported of volumes; leave images out"
        )
    if down is not None and (len(down) != 1 or down not in axes):
        raise RecipeError(f"--down is '{down}'; case {id} has the axes {', '.join(axes)}")
    return replace(grid, down=2 if down is None else axes.index(down))


def _classes(predictions: Predictions) -> list[tuple[str, int]]:
    names = predictions.task.names or ()
    return [(name, k) for k, name in enumerate(names)][int(predictions.task.exclusive) :]


@dataclass(frozen=True)
class _Work:
    """One class of one case."""

    predictions: Predictions
    id: str
    name: str
    number: int
    grid: Grid
    folder: Path
    kind: Kind

    @property
    def axes(self) -> str:
        return self.predictions.case(self.id).axes

    def objects(self, parts: SlabParts) -> list[dict[str, Any]]:
        """Write the files of all objects; return the rows of the table."""
        for mask in self._masks():
            parts.add(mask)
        found = parts.finish()
        with scratch(self.folder / "voxels") as spool:
            starts = _spread(parts.numbered(self._masks()), found, spool)
            return [
                self._object(number, moments, _reader(spool, start, moments.voxels))
                for number, (moments, start) in enumerate(zip(found, starts, strict=False), 1)
            ]

    def _masks(self) -> Masks:
        for _, _, masks in self.predictions.decided(self.id):
            yield masks[self.number]

    def _object(
        self,
        number: int,
        moments: ComponentMoments,
        voxels: Callable[[], Iterator[NDArray[np.int32]]],
    ) -> dict[str, Any]:
        plane = plane_of(moments, self.grid)
        name = f"{file_name(self.name)}_{number:04d}{SUFFIXES[self.kind]}"
        path = self.folder / file_name(self.id) / name
        make_folder(path.parent)
        places = map(self.grid.places, voxels())
        written = True
        match self.kind:
            case "points":
                write_points(path, places, self.axes)
            case "npy":
                write_npy(path, places, moments.voxels)
            case "vtk":
                write_vertices(path, places, moments.voxels)
            case "surface":
                written = plane is not None
                if plane is not None:
                    write_triangles(path, *_sheet(plane, moments, self.grid, places))
        file = path.relative_to(self.folder).as_posix() if written else ""
        return self._row(number, moments, plane, file)

    def _row(
        self, number: int, moments: ComponentMoments, plane: FittedPlane | None, file: str
    ) -> dict[str, Any]:
        row: dict[str, Any] = {"case": self.id, "class": self.name, "object": number}
        row["voxels"] = moments.voxels
        centre = centre_of(moments, self.grid)
        normal = [None] * 3 if plane is None else plane.normal
        for words, values in (
            ("first", moments.first),
            ("last", moments.last),
            ("centre", centre),
            ("normal", normal),
        ):
            row |= {f"{words}_{i}": v for i, v in enumerate(values)}
        for word in ("dip", "azimuth", "strike", "rms"):
            row[word] = None if plane is None else getattr(plane, word)
        return row | {"axes": self.axes, "file": file}


def _spread(
    slabs: Iterator[NDArray[np.int32]], found: tuple[ComponentMoments, ...], spool: IO[bytes]
) -> list[int]:
    """Write the voxels of all objects, each object's together; return where each begins."""
    starts = [0, *itertools.accumulate(moments.voxels for moments in found)]
    ends = list(starts)
    depth = 0
    for numbers in slabs:
        for z, page in enumerate(numbers, start=depth):
            rows, columns = np.nonzero(page)
            which = page[rows, columns]
            voxels = np.stack([np.full_like(rows, z), rows, columns], axis=1).astype(np.int32)
            order = np.argsort(which, kind="stable")
            heads = np.flatnonzero(np.diff(which[order], prepend=0))
            for some in np.split(order, heads[1:]) if len(heads) else ():
                at = int(which[some[0]]) - 1
                spool.seek(12 * ends[at])
                spool.write(voxels[some].tobytes())
                ends[at] += len(some)
        depth += len(numbers)
    return starts[:-1]


def _reader(spool: IO[bytes], start: int, count: int) -> Callable[[], Iterator[NDArray[np.int32]]]:
    def read() -> Iterator[NDArray[np.int32]]:
        for at in range(0, count, _BLOCK):
            spool.seek(12 * (start + at))
            data = spool.read(12 * min(_BLOCK, count - at))
            yield np.frombuffer(data, np.int32).reshape(-1, 3)

    return read


def _sheet(
    plane: FittedPlane, moments: ComponentMoments, grid: Grid, places: Iterator[NDArray[np.float64]]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    box = itertools.product(*zip(moments.first, moments.last, strict=True))
    sheet = HeightMap(plane, grid.places(np.array(list(box))), _CELL * max(grid.spacing))
    for some in places:
        sheet.add(some)
    return sheet.triangles()


def _write_table(path: Path, rows: list[dict[str, Any]]) -> None:
    for row in rows:
        for word in ("case", "class"):
            check_cell(row[word])
    with replacing(path) as stream:
        stream.write(csv_line(_COLUMNS))
        for row in rows:
            stream.write(csv_line(_text(row[column]) for column in _COLUMNS))


_COLUMNS = [
    *("case", "class", "object", "voxels", "axes"),
    *(f"{word}_{i}" for word in ("first", "last", "centre", "normal") for i in range(3)),
    *("dip", "azimuth", "strike", "rms", "file"),
]


def _text(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.9g}" if isinstance(value, float) else str(value)
