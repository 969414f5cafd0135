"""SEG-Y: a copy of the source whose samples are replaced, trace by trace.

All headers stay as they are, byte for byte. Files of floats hold probabilities, of whole numbers
percent.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.data.readers.segy.volume import SegyVolume
from lamina.files import write_with
from lamina.prediction.folder.manifest import Holds
from lamina.prediction.outputs.native.base import Answer, Layer, Native, one_channel


def write(path: Path, answer: Answer, layer: Layer) -> str:
    """Write probabilities, percent or restored values in place of samples; return the SHA-256."""
    reader: SegyVolume = answer.reader
    part = answer.values(layer.number or 0, 100.0 if layer.holds == "percent" else 1.0)
    with answer.stored(path, np.float32, part) as array:

        def into(target: Path) -> None:
            shutil.copyfile(reader.path, target)
            _replace(target, reader, array)

        return write_with(path, into, flush=False)


def _replace(target: Path, reader: SegyVolume, array: NDArray[Any]) -> None:
    import segyio

    with segyio.open(str(target), "r+", ignore_geometry=True, endian=reader.byte_order) as file:
        for inline, samples in enumerate(array):
            values = _as_samples(np.asarray(samples), reader.dtype)
            for number, trace in zip(reader.traces(inline).tolist(), values, strict=True):
                file.trace[number] = trace


def _as_samples(values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    if dtype.kind == "f":
        return np.ascontiguousarray(values, dtype)
    limits = np.iinfo(dtype)
    whole = np.rint(values.astype(np.float64)).clip(limits.min, limits.max)
    return np.ascontiguousarray(whole, dtype)


def _layers(answer: Answer) -> tuple[Layer, ...]:
    if answer.restores:
        return (Layer("values", 0),)
    holds: Holds = "probability" if answer.reader.dtype.kind == "f" else "percent"
    classes = answer.classes()
    if len(classes) == 1:
        return (Layer(holds, classes[0][0]),)
    return tuple(Layer(holds, k, folder) for k, folder in classes)


def _why_not(answer: Answer) -> str | None:
    if answer.reader.channels > 1:
        return "lines are read as channels"
    return one_channel(answer)


SEGY = Native(readers=(SegyVolume,), suffix=".sgy", write=write, layers=_layers, why_not=_why_not)
