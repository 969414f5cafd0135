"""Objects as files: outlines of each image, a table of each volume, and of all cases together."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from lamina.files import digest, read_object, replacing, scratch, write_text
from lamina.geometry.components.instances import label_instances
from lamina.prediction.folder.contents import TABLES
from lamina.prediction.folder.manifest import PredictedCase
from lamina.prediction.folder.predictions import Predictions
from lamina.result.object_walk import walk_objects
from lamina.result.objects import (
    Object,
    ObjectPlace,
    collection_lines,
    columns,
    feature_line,
    find_objects,
    row_of,
    table,
)

FOLDER = "objects"

_FEATURE = '{"type": "Feature",'


def objects_path(predictions: Predictions, id: str) -> Path:
    """Return where the objects of a case are written: outlines of an image, a table of a volume."""
    case = predictions.case(id)
    ending = "geojson" if len(case.shape) == 2 else "csv"
    return predictions.folder / FOLDER / f"{case.file_name}.{ending}"


def write_objects(predictions: Predictions, id: str) -> str:
    """Write the objects of a case; return the SHA-256 of its file.

    Objects are connected pixels of a class, corners included. The background of exclusive classes
    is none. Of volumes and large images a slab is in memory at a time, where each pixel is decided
    by itself.
    """
    case, path = predictions.case(id), objects_path(predictions, id)
    place = place_of(case)
    if len(case.shape) != 2:
        rows = (place.row(item) for _, item in _walked(predictions, id))
        return write_text(path, table(columns(case.axes), rows))
    if case.chunked:
        with scratch(path) as spool:
            _write_lines(path, _spooled(spool, predictions, id, place), flush=False)
    else:
        found = _in_memory(predictions, id)
        lines = (feature_line(item, place.row(item)) for item in found)
        _write_lines(path, lines, flush=False)
    return digest(path)


def write_tables(predictions: Predictions) -> None:
    """Write objects.csv and objects.geojson of all cases, and note their digests."""
    parts = list(_parts(predictions))
    outlines = [path for path, _ in parts if path.suffix == ".geojson"]
    csv_name, geojson_name = TABLES
    if parts:
        names = columns(*{axes for _, axes in parts})
        with replacing(predictions.folder / csv_name) as stream:
            stream.write(table(names, ()).encode())
            for path, _ in parts:
                stream.write(table(names, _rows(path), head=False).encode())
        predictions.ledger.note_table(csv_name, digest(predictions.folder / csv_name))
    if outlines:
        _write_lines(
            predictions.folder / geojson_name,
            (line for path in outlines for line in _feature_lines(path)),
        )
        predictions.ledger.note_table(geojson_name, digest(predictions.folder / geojson_name))


def place_of(case: PredictedCase) -> ObjectPlace:
    """Return where the objects of a case lie: with its spacing, where all of it is known."""
    known = case.spacing if case.spacing and None not in case.spacing else None
    return ObjectPlace(case.id, case.axes, known, case.unit)  # type: ignore[arg-type]  # no None


def _in_memory(predictions: Predictions, id: str) -> Iterable[Object]:
    case, first = predictions.case(id), int(predictions.task.exclusive)
    prob = predictions.prob(id)
    return find_objects(
        [label_instances(np.asarray(mask)) for mask in predictions.mask(id)[first:]],
        prob[first:],
        (predictions.task.names or ())[first:],
        case=id,
        axes=case.axes,
    )


def _walked(predictions: Predictions, id: str) -> Iterator[tuple[int, Object]]:
    first = int(predictions.task.exclusive)
    return walk_objects(
        lambda: ((prob[first:], masks[first:]) for _, prob, masks in predictions.decided(id)),
        (predictions.task.names or ())[first:],
        predictions.case(id).shape,
    )


def _spooled(
    spool: IO[bytes], predictions: Predictions, id: str, place: ObjectPlace
) -> Iterator[str]:
    """Yield the features of a large image in order; they come when their last row has passed."""
    found: list[tuple[int, int, int, int]] = []
    at = 0
    for k, item in _walked(predictions, id):
        line = feature_line(item, place.row(item)).encode()
        spool.write(line)
        found.append((k, item.number, at, len(line)))
        at += len(line)
    for _, _, start, length in sorted(found):
        spool.seek(start)
        yield spool.read(length).decode()


def _write_lines(path: Path, features: Iterable[str], *, flush: bool = True) -> None:
    with replacing(path, flush=flush) as stream:
        for part in collection_lines(features):
            stream.write(part.encode())


def _parts(predictions: Predictions) -> Iterator[tuple[Path, str]]:
    """Yield the files of all cases with their axes."""
    for id in predictions.ids:
        for name in predictions.outputs(id).get("files", ()):
            if name.startswith(f"{FOLDER}/"):
                yield predictions.folder / name, predictions.case(id).axes


def _feature_lines(path: Path) -> Iterator[str]:
    """Yield the features of a file; earlier versions wrote all on one line."""
    with path.open(encoding="utf-8") as stream:
        if stream.readline().rstrip().endswith("["):
            lines = (line.rstrip().removesuffix(",") for line in stream)
            yield from (line for line in lines if line.startswith(_FEATURE))
            return
    yield from map(json.dumps, read_object(path, "features")["features"])


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    if path.suffix == ".geojson":
        yield from map(row_of, _feature_lines(path))
        return
    with path.open(encoding="utf-8", newline="") as stream:
        yield from csv.DictReader(stream)
