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
from lamina.geometry.polygons import Polygon, polygons
from lamina.public import StrPath, as_path


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

        Columns: case, class, object, area_px, area and its unit where spacing is known, the first
        place and the one behind the last along each axis, the centre, score_mean, score_max,
        touches_border.
        """
        return _kept(table(self.axes, self.rows()), path)

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the values of each object by the columns of the table."""
        size = None if self.spacing is None else float(np.prod(self.spacing))
        unit = f"{self.unit}^{len(self.axes)}" if self.unit and size is not None else ""
        for item in self.items:
            row: dict[str, Any] = {"case": self.case, "class": item.class_name}
            row |= {"object": item.number, "area_px": item.area}
            row |= {"area": None if size is None else float(f"{item.area * size:.6g}")}
            row |= {"unit": unit}
            row |= dict(zip(_box(self.axes), item.box, strict=True))
            centre = (round(place, 2) for place in item.centre)
            row |= dict(zip(_centre(self.axes), centre, strict=True))
            row |= {"score_mean": round(item.score_mean, 4), "score_max": round(item.score_max, 4)}
            yield row | {"touches_border": item.touches_border}

    def to_geojson(self, path: StrPath | None = None) -> str:
        """Return a FeatureCollection of the outlines; with ``path`` it is written there, too.

        Places are pixels (x to the right, y down), rings closed, holes included; each feature has
        the properties that QuPath reads. Volumes have no outlines and give an empty collection.
        """
        pairs = zip(self.items, self.rows(), strict=True)
        features = [_feature(item, row) for item, row in pairs if item.polygon]
        text = json.dumps({"type": "FeatureCollection", "features": features})
        return _kept(text + "\n", path)


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


def columns(axes: str) -> list[str]:
    """Return the columns of the table of objects.

    Example:
        >>> columns("yx")[4:10]
        ['area', 'unit', 'y0', 'x0', 'y1', 'x1']
    """
    head = ["case", "class", "object", "area_px", "area", "unit"]
    return [*head, *_box(axes), *_centre(axes), "score_mean", "score_max", "touches_border"]


def table(axes: str, rows: Iterable[Mapping[str, Any]], *, head: bool = True) -> str:
    """Return rows of objects as CSV; ``head``: with a line of their columns first."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    names = columns(axes)
    if head:
        writer.writerow(names)
    for row in rows:
        writer.writerow([_cell(name, row[name]) for name in names])
    return stream.getvalue()


def row_of(feature: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of the table that a feature of ``to_geojson`` was made of."""
    values = dict(feature["properties"])
    return values | {"class": values["classification"]["name"]}


def _cell(name: str, value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
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
    flat_places = np.flatnonzero(labels)
    if not flat_places.size:
        return
    places = np.unravel_index(flat_places, labels.shape)
    own = labels.ravel()[flat_places]
    order = np.argsort(own, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(own[order]) > 0])
    groups = np.split(order, starts[1:])
    for group in groups:
        where = tuple(axis[group] for axis in places)
        low = tuple(int(axis.min()) for axis in where)
        high = tuple(int(axis.max()) + 1 for axis in where)
        number, scores = int(own[group[0]]), prob[where].astype(np.float64)
        sides = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        flat = labels.ndim == 2
        outline = polygons(labels[sides] == number, (low[0], low[1])) if flat else []
        yield Object(
            class_name=name,
            number=number,
            area=len(group),
            box=(*low, *high),
            centre=tuple(float(axis.mean()) for axis in where),
            score_mean=float(scores.mean()),
            score_max=float(scores.max()),
            touches_border=any(a == 0 for a in low)
            or any(b == n for b, n in zip(high, labels.shape, strict=True)),
            polygon=tuple(outline),
        )


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
