"""Objects of a prediction: a table with places, sizes and scores, and their outlines."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from lamina.files import write_text
from lamina.inference.polygons import Polygon, polygons
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

        Columns: case, class, object, area_px, the first place and the one behind the last along
        each axis, the centre, score_mean, score_max, touches_border.
        """
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        boxes = [f"{axis}{end}" for end in (0, 1) for axis in self.axes]
        centres = [f"c{axis}" for axis in self.axes]
        head = ["case", "class", "object", "area_px", *boxes, *centres]
        writer.writerow([*head, "score_mean", "score_max", "touches_border"])
        for item in self.items:
            row: list[Any] = [self.case, item.class_name, item.number, item.area, *item.box]
            row += [f"{place:.2f}" for place in item.centre]
            row += [f"{item.score_mean:.4f}", f"{item.score_max:.4f}", int(item.touches_border)]
            writer.writerow(row)
        return _kept(stream.getvalue(), path)

    def to_geojson(self, path: StrPath | None = None) -> str:
        """Return a FeatureCollection of the outlines; with ``path`` it is written there, too.

        Places are pixels (x to the right, y down), rings closed, holes included; each feature has
        the properties that QuPath reads. Volumes have no outlines and give an empty collection.
        """
        features = [_feature(self.case, item) for item in self.items if item.polygon]
        text = json.dumps({"type": "FeatureCollection", "features": features})
        return _kept(text + "\n", path)


def find_objects(
    labels: Sequence[NDArray[np.int32]],
    probabilities: NDArray[np.floating[Any]],
    names: Sequence[str],
    *,
    case: str,
    axes: str,
) -> Objects:
    """Return the objects of label images.

    Args:
        labels: For each class labels (*S) from 1, 0 where there is none.
        probabilities: (K, *S) of the same classes.
        names: Names of the classes.
        case: Id of the image.
        axes: Letters of S.
    """
    items: list[Object] = []
    for own, prob, name in zip(labels, probabilities, names, strict=True):
        items += _objects_of(own, prob, name)
    return Objects(case, axes, tuple(items))


def _objects_of(
    labels: NDArray[np.int32], prob: NDArray[np.floating[Any]], name: str
) -> Iterator[Object]:
    places = np.nonzero(labels)
    own = labels[places]
    if not own.size:
        return
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


def _feature(case: str, item: Object) -> dict[str, Any]:
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
            "case": case,
            "object": item.number,
            "area_px": item.area,
            "score_mean": round(item.score_mean, 4),
            "score_max": round(item.score_max, 4),
        },
    }


def _kept(text: str, path: StrPath | None) -> str:
    if path is not None:
        write_text(as_path(path), text)
    return text
