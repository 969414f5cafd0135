"""Objects of a prediction: a table with places, sizes and scores, and their outlines."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from lamina.files import write_text
from lamina.geometry.polygons import Polygon, area_corners, areas_of, polygons_of
from lamina.public import StrPath, as_path

_SIZES = {2: ("area_px", "area"), 3: ("volume_voxels", "volume")}


@dataclass(frozen=True)
class Object:
    """One object: connected pixels of a class."""

    class_name: str
    """Name of its class."""
    number: int
    """Its label, from 1."""
    area: int
    """Number of pixels, or voxels."""
    box: tuple[int, ...]
    """First row and column, and those behind the last: (y0, x0, y1, x1); six numbers in 3-D."""
    centre: tuple[float, ...]
    """Mean place of its pixels' centres, in pixels."""
    score_mean: float
    """Mean probability of its pixels."""
    score_max: float
    """Greatest probability of its pixels."""
    touches_border: bool
    """Whether it reaches the border of the image."""
    polygon: tuple[Polygon, ...] = field(default=(), repr=False)
    """Its outline along the edges of pixels; several where parts touch at a corner only. Empty in
    3-D."""


@dataclass(frozen=True)
class Objects(Sequence[Object]):
    """The objects of one prediction, class by class and in raster order."""

    case: str
    """Id of the image."""
    axes: str
    """Spatial axes, such as ``yx``."""
    items: tuple[Object, ...]
    spacing: tuple[float, ...] | None = None
    """Distance from pixel to pixel along each axis; None: not known."""
    unit: str | None = None
    """Unit of the spacing, such as um; None: not known."""

    def __len__(self) -> int:
        return len(self.items)

    @overload
    def __getitem__(self, index: int) -> Object: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Object, ...]: ...
    def __getitem__(self, index: int | slice) -> Object | tuple[Object, ...]:
        return self.items[index]

    def to_csv(self, path: StrPath | None = None) -> str:
        """Return a table with one row for each object; with ``path`` it is written there, too.

        Columns: case, class, object, area_px, area (of volumes volume_voxels, volume) and its unit
        where spacing is known, the first place and the one behind the last along each axis, the
        centre, score_mean, score_max, touches_border.
        """
        return _kept(table(columns(self.axes), self.rows()), path)

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the values of each object by the columns of the table."""
        place = ObjectPlace(self.case, self.axes, self.spacing, self.unit)
        return map(place.row, self.items)

    def to_geojson(self, path: StrPath | None = None) -> str:
        """Return a FeatureCollection of the outlines; with ``path`` it is written there, too.

        Places are pixels (x to the right, y down), rings closed, holes included; each feature has
        the properties that QuPath reads. Volumes have no outlines and give an empty collection.
        """
        pairs = zip(self.items, self.rows(), strict=True)
        lines = [feature_line(item, row) for item, row in pairs if item.polygon]
        return _kept("".join(collection_lines(lines)), path)


def find_objects(
    labels: Sequence[NDArray[np.int32]],
    probabilities: NDArray[np.floating[Any]],
    names: Sequence[str],
    *,
    case: str,
    axes: str,
    spacing: tuple[float, ...] | None = None,
    unit: str | None = None,
) -> Objects:
    """Return the objects of label images.

    Args:
        labels: For each class labels (*S) from 1, 0 where there is none.
        probabilities: (K, *S) of the same classes.
        names: Names of the classes.
        case: Id of the image.
        axes: Letters of S.
        spacing: Distance from pixel to pixel along each axis; None: not known.
        unit: Of the spacing.
    """
    triples = zip(labels, probabilities, names, strict=True)
    every = [_Pixels.of(own, prob, name) for own, prob, name in triples]
    some = [pixels for pixels in every if pixels.own.size]
    return Objects(case, axes, tuple(_objects_of(some)) if some else (), spacing, unit)


@dataclass(frozen=True)
class ObjectPlace:
    """Where the objects of a case lie, for their rows."""

    case: str
    """Id of the image."""
    axes: str
    """Spatial axes."""
    spacing: tuple[float, ...] | None = None
    """Distance from pixel to pixel along each axis; None: not known."""
    unit: str | None = None
    """Unit of the spacing; None: not known."""

    def row(self, item: Object) -> dict[str, Any]:
        """Return the values of an object by the columns of the table."""
        count, extent = _SIZES[len(self.axes)]
        size = None if self.spacing is None else float(np.prod(self.spacing))
        unit = f"{self.unit}^{len(self.axes)}" if self.unit and size is not None else ""
        row: dict[str, Any] = {"case": self.case, "class": item.class_name}
        row |= {"object": item.number, count: item.area}
        row |= {extent: None if size is None else float(f"{item.area * size:.6g}"), "unit": unit}
        row |= dict(zip(_box(self.axes), item.box, strict=True))
        centre = (round(place, 2) for place in item.centre)
        row |= dict(zip(_centre(self.axes), centre, strict=True))
        row |= {"score_mean": round(item.score_mean, 4), "score_max": round(item.score_max, 4)}
        return row | {"touches_border": item.touches_border}


def columns(*axes: str) -> list[str]:
    """Return the columns of a table of objects of images, of volumes, or of both.

    Example:
        >>> columns("yx")[3:10]
        ['area_px', 'area', 'unit', 'y0', 'x0', 'y1', 'x1']
        >>> columns("yx", "zyx")[3:11]
        ['area_px', 'area', 'volume_voxels', 'volume', 'unit', 'z0', 'y0', 'x0']
    """
    each = sorted(set(axes), key=lambda one: (-len(one), one))
    letters = "".join(dict.fromkeys("".join(each)))
    sizes = [name for count in sorted({len(one) for one in each}) for name in _SIZES[count]]
    head = ["case", "class", "object", *sizes, "unit"]
    scores = ["score_mean", "score_max", "touches_border"]
    return [*head, *_box(letters), *_centre(letters), *scores]


def table(names: Sequence[str], rows: Iterable[Mapping[str, Any]], *, head: bool = True) -> str:
    """Return rows of objects as CSV.

    Args:
        names: Columns; what a row does not have stays empty.
        rows: Values by column.
        head: With a line of the columns first.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    if head:
        writer.writerow(names)
    for row in rows:
        writer.writerow([_cell(name, row.get(name)) for name in names])
    return stream.getvalue()


def collection_lines(features: Iterable[str]) -> Iterator[str]:
    """Yield the text of a FeatureCollection with a line for each feature."""
    yield '{"type": "FeatureCollection", "features": ['
    between = "\n"
    for feature in features:
        yield between + feature
        between = ",\n"
    yield "\n]}\n"


def row_of(line: str) -> dict[str, Any]:
    """Return the row that a line of ``feature_line`` was made of; its outline is not read."""
    values = json.loads(line.partition('"properties": ')[2].removesuffix("}"))
    return {**values, "class": values["classification"]["name"]}


def _cell(name: str, value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str):
        return value
    if name.startswith("score"):
        return f"{value:.4f}"
    return f"{value:.2f}" if name[0] == "c" and isinstance(value, float) else value


def _box(axes: str) -> list[str]:
    return [f"{axis}{end}" for end in (0, 1) for axis in axes]


def _centre(axes: str) -> list[str]:
    return [f"c{axis}" for axis in axes]


@dataclass(frozen=True)
class _Pixels:
    """The pixels of all objects of a class; n of them, object by object and in raster order."""

    name: str
    shape: tuple[int, ...]
    own: NDArray[np.int32]
    """(n,) labels."""
    where: NDArray[np.int64]
    """(n,) places in the flat image."""
    scores: NDArray[np.float64]
    """(n,) probabilities."""

    @classmethod
    def of(cls, labels: NDArray[np.int32], prob: NDArray[Any], name: str) -> _Pixels:
        where = np.flatnonzero(labels != 0)  # of bool it is several times faster
        own = labels.ravel()[where]
        order = np.argsort(own, kind="stable")
        where = where[order]
        return cls(name, labels.shape, own[order], where, prob.ravel()[where].astype(np.float64))


def _objects_of(classes: Sequence[_Pixels]) -> Iterator[Object]:
    """Yield the objects of classes with at least one each; all are measured together."""
    shape = classes[0].shape
    own = np.concatenate([one.own for one in classes])
    firsts = np.cumsum([0, *(len(one.own) for one in classes)])[:-1]
    new = np.diff(own, prepend=0) != 0
    new[firsts] = True
    heads = np.flatnonzero(new)
    counts = np.diff(heads, append=len(own))
    places = np.stack(np.unravel_index(np.concatenate([one.where for one in classes]), shape))
    low = np.minimum.reduceat(places, heads, axis=1)
    high = np.maximum.reduceat(places, heads, axis=1) + 1
    centres = np.add.reduceat(places, heads, axis=1) / counts
    scores = np.concatenate([one.scores for one in classes])
    means = np.add.reduceat(scores, heads) / counts
    most = np.maximum.reduceat(scores, heads)
    border = ((low == 0) | (high == np.array(shape)[:, None])).any(axis=0)
    of_class = np.searchsorted(firsts, heads, side="right") - 1
    outlines = _outlines(places, counts, low, high, shape, of_class) if len(shape) == 2 else {}
    for at, number in enumerate(own[heads].tolist()):
        yield Object(
            class_name=classes[of_class[at]].name,
            number=number,
            area=int(counts[at]),
            box=(*low[:, at].tolist(), *high[:, at].tolist()),
            centre=tuple(centres[:, at].tolist()),
            score_mean=float(means[at]),
            score_max=float(most[at]),
            touches_border=bool(border[at]),
            polygon=tuple(outlines.get(at, ())),
        )


def _outlines(
    places: NDArray[np.int64],
    counts: NDArray[np.int64],
    low: NDArray[np.int64],
    high: NDArray[np.int64],
    shape: tuple[int, ...],
    of_class: NDArray[np.int64],
) -> dict[int, list[Polygon]]:
    """Return the polygons of each object by its index, in raster order.

    Objects cover few pixels as a rule: their boxes are laid side by side, and outlines are sought
    there, where that is smaller than the images of the classes below one another.

    Args:
        places: (2, n) rows and columns of the pixels, object by object.
        counts: (objects,) pixels of each.
        low: (2, objects) first row and column of each.
        high: The same shape, those behind the last.
        shape: Of the image.
        of_class: (objects,) index of the class.
    """
    height, widths = int((high - low)[0].max()), (high - low)[1]
    rows, columns = int(of_class[-1] + 1) * shape[0], shape[1]
    if height * int(widths.sum()) < rows * columns:
        rows, columns = height, int(widths.sum())
        moved = low - np.stack([np.zeros_like(widths), np.cumsum(widths) - widths])
    else:
        moved = np.stack([-shape[0] * of_class, np.zeros_like(of_class)])
    canvas = np.zeros((rows, columns), np.int32)
    y, x = places - np.repeat(moved, counts, axis=1)
    canvas[y, x] = np.repeat(np.arange(1, len(counts) + 1, dtype=np.int32), counts)
    areas = areas_of(canvas)
    object_of = np.zeros(int(areas.max()) + 1, np.int32)
    object_of[areas[y, x]] = canvas[y, x]
    found: dict[int, list[Polygon]] = {}
    for area, polygon in polygons_of(area_corners(areas)).items():
        at = int(object_of[area]) - 1
        found.setdefault(at, []).append(polygon.moved(moved[:, at]))
    return found


def feature_line(item: Object, row: Mapping[str, Any]) -> str:
    """Return an object with its row as a feature, a line without its end."""
    return json.dumps(_feature(item, row))


def _feature(item: Object, row: Mapping[str, Any]) -> dict[str, Any]:
    parts = [
        [ring[:, ::-1].tolist() for ring in (part.outer, *part.holes)] for part in item.polygon
    ]
    one = len(parts) == 1
    return {
        "type": "Feature",
        "geometry": {
            "type": "Polygon" if one else "MultiPolygon",
            "coordinates": parts[0] if one else parts,
        },
        "properties": {
            "objectType": "annotation",
            "classification": {"name": item.class_name},
            **{name: value for name, value in row.items() if name != "class"},
        },
    }


def _kept(text: str, path: StrPath | None) -> str:
    if path is not None:
        write_text(as_path(path), text)
    return text
