"""TIFF: with the axes, spacing and place that the source states.

ImageJ and OME files stay such. Of GeoTIFF the six tags that place it are copied, and the value of
no data where the type of the output holds it and it is no class id and no probability. Copying all
tags would move the image.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import tifffile

from lamina.data.readers.tiff.header import open_tiff
from lamina.data.readers.tiff.volume import TiffVolume
from lamina.files import write_with
from lamina.prediction.outputs.native.base import Answer, Layer, Native, one_channel

GEO_TAGS = (33550, 33922, 34264, 34735, 34736, 34737)
"""Pixel scale, tie points, transformation; keys, numbers and text of the reference system."""

_NO_DATA = 42113
_X, _Y, _UNIT = 282, 283, 296
_LARGE = 2**22  # pixels; pages beyond are stored in tiles
_TIFF = 2**32 - 2**25  # bytes; beyond them offsets need 64 bits


def write(path: Path, answer: Answer, layer: Layer) -> str:
    """Write labels, probabilities or values, placed as the source; return the SHA-256."""
    dtype, part = answer.numbers(layer)
    source = answer.once(_source)
    options = dict(source.options)
    if source.no_data is not None and _fits(source.no_data, dtype, answer, layer):
        options["extratags"] = [*options["extratags"], source.no_data_tag]
    if math.prod(answer.shape[-2:]) > _LARGE and not options.get("imagej"):
        options["tile"] = (256, 256)
    if not options.get("imagej"):
        size = math.prod(answer.shape) * dtype.itemsize
        options |= {"compression": "zlib", "bigtiff": size > _TIFF}
    with answer.stored(path, dtype, part) as array:

        def into(target: Path) -> None:
            tifffile.imwrite(target, array, photometric="minisblack", maxworkers=1, **options)

        return write_with(path, into, flush=False)


def _fits(value: float, dtype: np.dtype[Any], answer: Answer, layer: Layer) -> bool:
    """Whether a value may stand for no data in the output: its type holds it, no answer is it."""
    if layer.holds == "labels":
        largest = 1 if layer.number is not None else answer.task.outputs - 1
        return largest < value <= np.iinfo(dtype).max and value == int(value)
    with np.errstate(over="ignore"):  # of float64, beyond what float32 holds
        exact = math.isnan(value) or float(dtype.type(value)) == value
    return exact and not (layer.holds == "probability" and 0 <= value <= 1)


@dataclass(frozen=True)
class _Source:
    """What a source states of axes, spacing and place."""

    options: dict[str, Any]
    """As tifffile takes it."""

    no_data: float | None = None
    """The value of no data of a GeoTIFF; None: it states none."""

    no_data_tag: Any = None


def _source(reader: TiffVolume) -> _Source:
    with open_tiff(reader.path) as tif:
        page: Any = tif.pages.first
        lead = reader.lead_axes.replace("C", "") or "Z"
        axes = ("" if len(reader.axes) == 2 else lead if lead in "ZT" else "Z") + "YX"
        options: dict[str, Any] = _resolution(page)
        if tif.is_imagej:
            known: dict[str, Any] = tif.imagej_metadata or {}
            kept = {key: known[key] for key in ("spacing", "unit") if key in known}
            return _Source({**options, "imagej": True, "metadata": {"axes": axes, **kept}})
        if tif.is_ome:
            about = {"axes": axes, **_sizes(tif.ome_metadata)}
            return _Source({**options, "ome": True, "metadata": about})
        tags = [_tag(page.tags[code]) for code in GEO_TAGS if code in page.tags]
        options |= {"extratags": tags, "metadata": None if tags else {"axes": axes}}
        no_data = _number(page.tags.valueof(_NO_DATA)) if tags else None
        if no_data is None:
            return _Source(options)
        return _Source(options, no_data, _tag(page.tags[_NO_DATA]))


def _number(text: Any) -> float | None:
    try:
        return float(text)
    except (TypeError, ValueError):
        return None


def _resolution(page: Any) -> dict[str, Any]:
    x, y = page.tags.valueof(_X), page.tags.valueof(_Y)
    if not all(isinstance(one, tuple) and len(one) == 2 and all(one) for one in (x, y)):
        return {}
    return {"resolution": (x, y), "resolutionunit": int(page.tags.valueof(_UNIT, 1))}


def _sizes(text: str | None) -> dict[str, Any]:
    """Return the physical sizes of the pixels with their units, as the metadata of OME say."""
    root = ElementTree.fromstring(text or "<none/>")
    for one in root.iter():
        if one.tag.endswith("}Pixels"):
            found = {key: value for key, value in one.attrib.items() if "PhysicalSize" in key}
            return {key: v if key.endswith("Unit") else float(v) for key, v in found.items()}
    return {}


def _tag(tag: Any) -> tuple[Any, ...]:
    """Return a tag as tifffile takes it: code, type, count, value, and only on the first page."""
    return (
        tag.code,
        int(tag.dtype),
        None if isinstance(tag.value, str) else tag.count,
        tag.value,
        True,
    )


TIFF = Native(
    readers=(TiffVolume,),
    suffix=".tif",
    write=write,
    layers=Answer.label_layers,
    probabilities=True,
    why_not=one_channel,
)
