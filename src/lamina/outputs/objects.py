"""From predictions to their objects: a file for each, and a table of them all."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, get_args

import numpy as np
from numpy.typing import NDArray

from lamina.errors import RecipeError
from lamina.files import make_folder, replacing_folder, scratch, write_json, write_text
from lamina.geometry.components.slabs import ComponentMoments, Neighbours, SlabParts
from lamina.geometry.plane import FittedPlane, Grid, plane_of
from lamina.geometry.sheet import HeightMap
from lamina.outputs.submit import finished_ids
from lamina.prediction.folder.file_names import file_name
from lamina.prediction.folder.manifest import PredictedCase
from lamina.prediction.folder.predictions import Predictions
from lamina.prediction.outputs.objects import place_of
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
from lamina.result.object_walk import Scores, measures, touches_border
from lamina.result.objects import Object, ObjectPlace, columns, table
from lamina.result.submissions.base import check_cell

TABLE = "objects.csv"
"""Name of the table, which is written last."""

HEADER = "export.json"
"""Name of the file that says what was asked for."""

_PLANE = ("dip", "azimuth", "strike", "rms")
_SIZE = "size"  # of a row; no column
_BLOCK = 2**16  # voxels of an object that are read at a time
_CELL = 2  # largest spacings; a cell of one would miss voxels of a slanting sheet


@dataclass(frozen=True)
class ObjectsResult(VerbResult):
    """What ``write_objects`` wrote."""

    out: Path
    """The folder; its table is ``objects.csv``."""
    kind: Kind
    """What the files of objects hold."""
    cases: int
    """Number of images and volumes."""
    objects: int
    """Number of objects over all cases and classes."""
    voxels: int
    """Number of voxels, or pixels, over all objects."""


@verb
def write_objects(
    pred: StrPath,
    out: StrPath,
    *,
    kind: Kind = "points",
    minimum: int = 100,
    connectivity: Neighbours = 26,
    spacing: Sequence[float] | None = None,
    origin: Sequence[float] | None = None,
    down: str | None = None,
) -> ObjectsResult:
    """Write the connected parts of decided images and volumes, class by class.

    A slab of a volume or a large image is in memory at a time where each pixel is decided by
    itself. The background of exclusive classes is no object.

    Args:
        pred: A folder of ``lamina predict``, finished.
        out: The folder to write, which is not there yet; it appears whole or not at all.
        kind: ``points`` (csv) or ``npy``; of volumes also ``vtk`` (vertices) or ``surface``
            (triangles).
        minimum: The smallest part that is an object, in voxels or pixels.
        connectivity: Which neighbours belong together: 6 (faces), 18 (edges), 26 (corners); of
            images 6 (edges), or corners too.
        spacing: Distance from voxel to voxel along each stored axis; None: that of the source, and
            1 where it states none.
        origin: Place of the centre of the first voxel; None: 0.
        down: Of volumes, name of the axis that points down, for dip and azimuth; None: the last.

    Returns:
        The folder and how many objects and voxels it holds.

    Raises:
        RecipeError: an option is not valid, ``out`` is there, or there are no masks.
        DataError: the prediction is not finished or damaged.

    Example:
        >>> spacing = (12.5, 12.5, 4)
        >>> result = write_objects("volumes", "objects", kind="npy", minimum=20, spacing=spacing)
        >>> result.objects, result.voxels
        (1, 64)
    """
    pred, out = as_path(pred, "pred"), as_path(out, "out")
    predictions = Predictions.open(pred)
    _check(pred, predictions, kind, minimum, connectivity)
    ids = finished_ids(predictions)
    places = {id: _placed(predictions.case(id), spacing, origin, down, kind) for id in ids}
    rows: list[dict[str, Any]] = []
    with replacing_folder(out) as folder, Bar("objects", len(ids)) as bar:
        for id in ids:
            for class_, number in _classes(predictions):
                work = _Work(predictions, id, class_, number, places[id], folder, kind)
                rows += work.objects(SlabParts(minimum, connectivity))
            bar.advance()
        asked = {
            "prediction": str(pred),
            "recipe": predictions.info.recipe_digest,
            "decision": predictions.decision.model_dump(mode="json"),
            "kind": kind,
            "minimum": minimum,
            "connectivity": connectivity,
            "spacing": spacing,
            "origin": origin,
            "down": down,
        }
        write_json(folder / HEADER, asked)
        _write_table(folder / TABLE, rows, {place.axes for place in places.values()})
    voxels = sum(row[_SIZE] for row in rows)
    return ObjectsResult(out, kind, cases=len(ids), objects=len(rows), voxels=voxels)


def _check(
    pred: Path,
    predictions: Predictions,
    kind: str,
    minimum: int,
    connectivity: int,
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


@dataclass(frozen=True)
class _Place:
    """Where the voxels of a case lie; an image has a second axis of length 1 between its two."""

    axes: str
    grid: Grid
    table: ObjectPlace

    @property
    def flat(self) -> bool:
        return len(self.axes) == 2

    def deep(self, mask: NDArray[Any]) -> NDArray[Any]:
        return mask[:, None] if self.flat else mask

    def places(self, voxels: NDArray[np.int32]) -> NDArray[np.float64]:
        """Return places (n, axes) of voxels (n, 3)."""
        found = self.grid.places(voxels)
        return found[:, [0, 2]] if self.flat else found


def _placed(
    case: PredictedCase,
    spacing: Sequence[float] | None,
    origin: Sequence[float] | None,
    down: str | None,
    kind: Kind,
) -> _Place:
    """Return where the voxels of a case lie, with its own axis that points down."""
    axes, stated = case.axes, place_of(case)
    if len(axes) == 2 and kind not in ("points", "npy"):
        raise RecipeError(
            f"--kind is '{kind}', and case {case.id} is an image; of images points and npy are "
            "written, and outlines by `lamina predict --save objects`"
        )
    for option, values in (("--spacing", spacing), ("--origin", origin)):
        if values is not None and len(values) != len(axes):
            raise RecipeError(
                f"{option} has {len(values)} numbers; case {case.id} has the axes {', '.join(axes)}"
            )
    if down is not None and (len(down) != 1 or down not in axes):
        raise RecipeError(f"--down is '{down}'; case {case.id} has the axes {', '.join(axes)}")
    if spacing is not None:
        stated = replace(stated, spacing=tuple(spacing), unit=None)
    steps, first = stated.spacing or (1.0,) * len(axes), origin or (0.0,) * len(axes)
    if min(steps) <= 0 or not np.isfinite([*steps, *first]).all():
        raise RecipeError(
            f"--spacing {steps} and --origin {first}: spacings are above 0, and all are finite"
        )
    if len(axes) == 2:
        steps, first = (steps[0], 1.0, steps[1]), (first[0], 0.0, first[1])
    lowest = 2 if down is None else axes.index(down)
    return _Place(axes, Grid(_triple(steps), _triple(first), lowest), stated)


def _triple(values: Sequence[float]) -> tuple[float, float, float]:
    one, two, three = values
    return float(one), float(two), float(three)


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
    place: _Place
    folder: Path
    kind: Kind

    def objects(self, parts: SlabParts) -> list[dict[str, Any]]:
        """Write the files of all objects; return the rows of the table."""
        for mask, _ in self._slabs():
            parts.add(mask)
        found = parts.finish()
        scores = Scores(len(found))
        with scratch(self.folder / "voxels") as spool:
            starts = _spread(self._numbered(parts, scores), found, spool)
            return [
                self._object(
                    number, moments, _reader(spool, start, moments.voxels), scores.of(number)
                )
                for number, (moments, start) in enumerate(zip(found, starts, strict=False), 1)
            ]

    def _slabs(self) -> Iterator[tuple[NDArray[np.bool_], NDArray[Any]]]:
        for _, prob, masks in self.predictions.decided(self.id):
            yield self.place.deep(masks[self.number]), prob[self.number]

    def _numbered(self, parts: SlabParts, scores: Scores) -> Iterator[NDArray[np.int32]]:
        for mask, prob in self._slabs():
            numbers = parts.number(mask)
            scores.add(numbers, np.asarray(prob))
            yield numbers

    def _object(
        self,
        number: int,
        moments: ComponentMoments,
        voxels: Callable[[], Iterator[NDArray[np.int32]]],
        scores: tuple[float, float],
    ) -> dict[str, Any]:
        flat = self.place.flat
        plane = None if flat else plane_of(moments, self.place.grid)
        name = f"{file_name(self.name)}_{number:04d}{SUFFIXES[self.kind]}"
        path = self.folder / file_name(self.id) / name
        make_folder(path.parent)
        places = map(self.place.places, voxels())
        written = True
        match self.kind:
            case "points":
                write_points(path, places, self.place.axes)
            case "npy":
                write_npy(path, places, (moments.voxels, len(self.place.axes)))
            case "vtk":
                write_vertices(path, places, moments.voxels)
            case "surface":
                written = plane is not None
                if plane is not None:
                    write_triangles(path, *_sheet(plane, moments, self.place.grid, places))
        item = self._item(number, moments, scores)
        file = path.relative_to(self.folder).as_posix() if written else ""
        return self.place.table.row(item) | self._more(item, plane) | {"file": file}

    def _item(self, number: int, moments: ComponentMoments, scores: tuple[float, float]) -> Object:
        low, high, centre = measures(moments, flat=self.place.flat)
        return Object(
            class_name=self.name,
            number=number,
            area=moments.voxels,
            box=(*low, *high),
            centre=centre,
            score_mean=scores[0] / moments.voxels,
            score_max=scores[1],
            touches_border=touches_border(low, high, self.predictions.case(self.id).shape),
        )

    def _more(self, item: Object, plane: FittedPlane | None) -> dict[str, Any]:
        """Return the place of an object's centre, and what is known of its plane."""
        y, *between, x = item.centre
        deep = np.array([[y, *(between or [0]), x]])
        centre = self.place.places(deep)[0]
        more: dict[str, Any] = {_SIZE: item.area}
        more |= {f"place_{axis}": v for axis, v in zip(self.place.axes, centre, strict=True)}
        normal = [None] * 3 if plane is None else plane.normal
        more |= {f"normal_{i}": v for i, v in enumerate(normal)}
        more |= {word: None if plane is None else getattr(plane, word) for word in _PLANE}
        return more


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


def _write_table(path: Path, rows: list[dict[str, Any]], axes: set[str]) -> None:
    for row in rows:
        for word in ("case", "class"):
            check_cell(row[word])
    names = columns(*axes)
    letters = [name[1:] for name in names if len(name) == 2 and name[0] == "c"]
    plane = [*(f"normal_{i}" for i in range(3)), *_PLANE] if 3 in map(len, axes) else []
    names += [*(f"place_{letter}" for letter in letters), *plane, "file"]
    write_text(path, table(names, map(_in_words, rows)))


def _in_words(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row with the numbers of places and planes in nine digits."""
    own = ("place_", "normal_", *_PLANE)
    return {
        name: f"{value:.9g}" if value is not None and name.startswith(own) else value
        for name, value in row.items()
    }
