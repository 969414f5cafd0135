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
    items: list[Object] = []
    for own, prob, name in zip(labels, probabilities, names, strict=True):
        items += _objects_of(own, prob, name)
    return Objects(case, axes, tuple(items), spacing, unit)


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


def row_of(feature: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of the table that a feature of ``to_geojson`` was made of."""
    values = dict(feature["properties"])
    return values | {"class": values["classification"]["name"]}


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


def _objects_of(
    labels: NDArray[np.int32], prob: NDArray[np.floating[Any]], name: str
) -> Iterator[Object]:
    where = np.flatnonzero(labels != 0)
    if not where.size:
        return
    own = labels.ravel()[where]
    order = np.argsort(own, kind="stable")
    where, own = where[order], own[order]
    heads = np.flatnonzero(np.diff(own, prepend=0))
    places = np.stack(np.unravel_index(where, labels.shape))
    counts = np.diff(heads, append=len(own))
    low = np.minimum.reduceat(places, heads, axis=1)
    high = np.maximum.reduceat(places, heads, axis=1) + 1
    centres = np.add.reduceat(places, heads, axis=1) / counts
    scores = prob.ravel()[where].astype(np.float64)
    means = np.add.reduceat(scores, heads) / counts
    most = np.maximum.reduceat(scores, heads)
    border = ((low == 0) | (high == np.array(labels.shape)[:, None])).any(axis=0)
    outlines = _outlines(labels, own, places, low, high) if labels.ndim == 2 else {}
    for at, number in enumerate(own[heads].tolist()):
        yield Object(
            class_name=name,
            number=number,
            area=int(counts[at]),
            box=(*low[:, at].tolist(), *high[:, at].tolist()),
            centre=tuple(centres[:, at].tolist()),
            score_mean=float(means[at]),
            score_max=float(most[at]),
            touches_border=bool(border[at]),
            polygon=tuple(outlines.get(number, ())),
        )


def _outlines(
    labels: NDArray[np.int32],
    own: NDArray[np.int32],
    places: NDArray[np.int64],
    low: NDArray[np.int64],
    high: NDArray[np.int64],
) -> dict[int, list[Polygon]]:
    """Return the polygons of each object, in raster order.

    Objects cover few pixels as a rule: their boxes are laid side by side, and outlines are sought
    there, where that is smaller than the image.

    Args:
        labels: (H, W).
        own: (n,) labels of the pixels of objects, in order.
        places: (2, n) rows and columns of these.
        low: (2, objects) first row and column of each object.
        high: The same shape, those behind the last.
    """
    numbers, counts = np.unique(own, return_counts=True)
    height, widths = int((high - low)[0].max()), (high - low)[1]
    moved = low - np.stack([np.zeros_like(widths), np.cumsum(widths) - widths])
    if height * int(widths.sum()) < labels.size:
        side_by_side = np.zeros((height, int(widths.sum())), np.int32)
        y, x = places - np.repeat(moved, counts, axis=1)
        side_by_side[y, x] = own
        labels = side_by_side
    else:
        moved = np.zeros_like(low)
    areas = areas_of(labels)
    object_of = np.zeros(int(areas.max()) + 1, np.int32)
    inside = np.flatnonzero(areas > 0)
    object_of[areas.ravel()[inside]] = labels.ravel()[inside]
    offsets = dict(zip(numbers.tolist(), moved.T, strict=True))
    found: dict[int, list[Polygon]] = {}
    for area, polygon in polygons_of(area_corners(areas)).items():
        number = int(object_of[area])
        found.setdefault(number, []).append(polygon.moved(offsets[number]))
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
