"""Objects of images as files: outlines of each image, and a table of all."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from lamina.files import digest, read_object, replacing, write_text
from lamina.geometry.components.instances import label_instances
from lamina.prediction.folder.contents import TABLES
from lamina.prediction.folder.predictions import Predictions
from lamina.result.objects import find_objects, row_of, table

FOLDER = "objects"


def write_objects(path: Path, predictions: Predictions, id: str) -> str:
    """Write the outlines of an image's objects as GeoJSON; return the SHA-256.

    Objects are connected pixels of a class, corners included. The background of exclusive classes
    is none.
    """
    case, first = predictions.case(id), int(predictions.task.exclusive)
    masks, prob = predictions.mask(id), predictions.prob(id)
    spacing = case.spacing if case.spacing and None not in case.spacing else None
    found = find_objects(
        [label_instances(np.asarray(mask)) for mask in masks[first:]],
        prob[first:],
        (predictions.task.names or ())[first:],
        case=id,
        axes=case.axes,
        spacing=spacing,  # type: ignore[arg-type]  # None is none of them
        unit=case.unit,
    )
    return write_text(path, found.to_geojson())


def write_tables(predictions: Predictions) -> None:
    """Write objects.csv and objects.geojson of the files of all images, and note their digests."""
    parts = list(_parts(predictions))
    if not parts:
        return
    for name, write in zip(TABLES, (_write_csv, _write_geojson), strict=True):
        path = predictions.folder / name
        write(path, parts)
        predictions.ledger.note_table(name, digest(path))


def _parts(predictions: Predictions) -> Iterator[Path]:
    for id in predictions.ids:
        for name in predictions.outputs(id).get("files", ()):
            if name.startswith(f"{FOLDER}/"):
                yield predictions.folder / name


def _features(part: Path) -> list[dict[str, Any]]:
    return list(read_object(part, "features")["features"])


def _write_csv(path: Path, parts: list[Path]) -> None:
    with replacing(path) as stream:
        stream.write(table("yx", ()).encode())
        for part in parts:
            rows = map(row_of, _features(part))
            stream.write(table("yx", rows, head=False).encode())


def _write_geojson(path: Path, parts: list[Path]) -> None:
    with replacing(path) as stream:
        stream.write(b'{"type": "FeatureCollection", "features": [')
        between = b"\n"
        for part in parts:
            for feature in _features(part):
                stream.write(between + json.dumps(feature).encode())
                between = b",\n"
        stream.write(b"\n]}\n")
