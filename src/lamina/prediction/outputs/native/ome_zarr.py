"""OME-Zarr 0.5 with a pyramid, for volumes of Zarr, npy and HDF5.

    NAME.ome.zarr/            image ``probability``: (channel, *S) uint8, 255 stands for 1
      0, 1, ...               levels; each halves the sides of the one before, down to 256 or less
      labels/decided/0, ...   masks as class ids; ``labels/CLASS`` each where classes overlap

Restored values are an image ``values`` of float32 without labels. A voxel of level n covers 2^n
voxels along each axis; its centre, and so its translation, lies (2^n - 1) / 2 of them further:

    level 0   | 0 | 1 | 2 | 3 |
    level 1   |   0   |   1   |     its first centre is between 0 and 1: 0.5 spacings further

Probabilities of a level are means and labels modes of the voxels of level 0; of labels that are as
frequent the greater one counts. At the end of an odd side fewer voxels are covered.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.data.readers.hdf5 import Hdf5Volume
from lamina.data.readers.npy import NpyVolume
from lamina.data.readers.zarr.volume import ZarrVolume
from lamina.files import digest, replacing_folder
from lamina.pictures.palette import colour, rgb
from lamina.prediction.outputs.native.base import Answer, Layer, Native, let_go
from lamina.volume import placement_of

SMALL = 256
"""Longest side of the last level, in voxels."""

_SIDES = {2: 256, 3: 64}  # of chunks, by the number of axes
_SLAB = 16 * 2**20  # bytes that are read together
_UNITS = {"mm": "millimeter", "um": "micrometer"}

Reduce = Callable[[NDArray[Any], int], NDArray[Any]]


@dataclass(frozen=True)
class _Axes:
    """Names, steps, begins and units of the stored spatial axes."""

    names: str
    step: tuple[float, ...]
    begin: tuple[float, ...]
    units: tuple[str | None, ...]

    def described(self, *, channels: bool) -> list[dict[str, str]]:
        found = [{"name": "c", "type": "channel"}] if channels else []
        for name, unit in zip(self.names, self.units, strict=True):
            found.append({"name": name, "type": "space"} | ({"unit": unit} if unit else {}))
        return found

    def datasets(self, levels: int, *, channels: bool) -> list[dict[str, Any]]:
        one, nothing = ([1.0], [0.0]) if channels else ([], [])
        found = []
        for level in range(levels):
            scale = [step * 2**level for step in self.step]
            shift = [
                begin + (2**level - 1) / 2 * step
                for begin, step in zip(self.begin, self.step, strict=True)
            ]
            transformations = [
                {"type": "scale", "scale": one + scale},
                {"type": "translation", "translation": nothing + shift},
            ]
            found.append({"path": str(level), "coordinateTransformations": transformations})
        return found


def write(path: Path, answer: Answer, layer: Layer) -> str:
    """Write probabilities with labels, or restored values, and their levels; return the SHA-256."""
    del layer  # all classes are in one store
    import zarr

    shutil.rmtree(path, ignore_errors=True)
    with replacing_folder(path) as beside:
        root = zarr.create_group(beside, zarr_format=3)
        _write_image(root, beside, answer)
        if not answer.restores:
            _write_labels(root.create_group("labels"), beside, answer)
    return digest(path)


def _write_image(root: Any, beside: Path, answer: Answer) -> None:
    axes, shape = _axes(answer.reader), answer.shape
    outputs = answer.predictions.task.outputs
    dtype: Any = np.float32 if answer.restores else np.uint8
    name = "values" if answer.restores else "probability"
    root.attrs["ome"] = _multiscales(name, axes, levels_of(shape), "mean", channels=True)
    pyramid = _Pyramid.make(root, shape, dtype, axes.names, outputs)
    for k in range(outputs):
        values = answer.values(k, 255.0)

        def part(
            prob: NDArray[Any], masks: NDArray[Any], values: Any = values
        ) -> NDArray[np.float32]:
            found: NDArray[np.float32] = values(prob, masks)
            return found if answer.restores else np.rint(found).clip(0, 255)

        with answer.stored(beside / "probability", dtype, part) as array:
            pyramid.fill(array, block_means, k)


def _write_labels(group: Any, beside: Path, answer: Answer) -> None:
    axes, shape = _axes(answer.reader), answer.shape
    layers = answer.label_layers()
    names = [layer.folder or "decided" for layer in layers]
    group.attrs["ome"] = {"version": "0.5", "labels": names}
    for name, layer in zip(names, layers, strict=True):
        dtype, part = answer.labels(layer)
        own = group.create_group(name)
        about = _multiscales(name, axes, levels_of(shape), "mode", channels=False)
        own.attrs["ome"] = about | {"image-label": _label_about(answer, layer)}
        pyramid = _Pyramid.make(own, shape, dtype, axes.names, None)
        with answer.stored(beside / "labels.part", dtype, part) as array:
            pyramid.fill(array, block_modes)


def _label_about(answer: Answer, layer: Layer) -> dict[str, Any]:
    """Return colours and names of labels, and which image they are of."""
    names = dict(enumerate(answer.predictions.task.names or ()))
    first = int(answer.predictions.task.exclusive)
    values = {k: k for k, _ in answer.classes()} if layer.number is None else {layer.number: 1}
    return {
        "source": {"image": "../../"},
        "colors": [
            {"label-value": value, "rgba": [*rgb(colour(k - first)), 255]}
            for k, value in values.items()
        ],
        "properties": [{"label-value": value, "class": names[k]} for k, value in values.items()],
    }


def _multiscales(
    name: str, axes: _Axes, levels: int, how: str, *, channels: bool
) -> dict[str, Any]:
    image = {
        "name": name,
        "axes": axes.described(channels=channels),
        "datasets": axes.datasets(levels, channels=channels),
        "type": how,
    }
    return {"version": "0.5", "multiscales": [image]}


def _axes(reader: Any) -> _Axes:
    """Return the axes as the source states them, in its own units."""
    scales = getattr(reader, "scales", None)
    if scales is not None and len(scales.step) == len(reader.stored_axes):
        kept = [at for at, name in enumerate(reader.stored_axes) if name not in "c_"]
        step, begin, units = (
            tuple(every[at] for at in kept) for every in (scales.step, scales.begin, scales.units)
        )
        return _Axes(reader.axes, step, begin, units)
    placed, count = placement_of(reader), len(reader.axes)
    step = tuple(one or 1.0 for one in placed.spacing or (1.0,) * count)
    begin = tuple(one or 0.0 for one in placed.origin or (0.0,) * count)
    units = tuple(_UNITS.get(one) for one in placed.units or ("",) * count)
    return _Axes(reader.axes, step, begin, units)


def levels_of(shape: Sequence[int]) -> int:
    """Return how many levels there are until no side is longer than 256.

    Example:
        >>> levels_of((256, 256)), levels_of((10, 257, 300)), levels_of((1024, 1024, 1024))
        (1, 2, 3)
    """
    return 1 + max(math.ceil(math.log2(max(shape) / SMALL)), 0)


@dataclass(frozen=True)
class _Pyramid:
    """The arrays of all levels."""

    arrays: tuple[Any, ...]
    thick: int
    """Slices of level 0 that are read together; a power of two."""

    @classmethod
    def make(
        cls, group: Any, shape: tuple[int, ...], dtype: Any, names: str, channels: int | None
    ) -> _Pyramid:
        from zarr.codecs import BloscCodec

        levels, side = levels_of(shape), _SIDES[len(shape)]
        thick, page = 2 ** (levels - 1), math.prod(shape[1:]) * np.dtype(dtype).itemsize
        while thick < max(side, 2 ** (levels - 1)) and 2 * thick * page <= _SLAB:
            thick *= 2
        arrays = []
        for level in range(levels):
            sides = tuple(-(-n // 2**level) for n in shape)
            chunks = tuple(min(n, side) for n in (max(thick >> level, 1), *sides[1:]))
            lead = () if channels is None else (channels,)
            arrays.append(
                group.create_array(
                    str(level),
                    shape=(*lead, *sides),
                    chunks=((1,) if lead else ()) + chunks,
                    dtype=dtype,
                    fill_value=0,
                    compressors=BloscCodec(cname="zstd", clevel=3, shuffle="bitshuffle"),
                    dimension_names=[*("c" if lead else ""), *names],
                    config={"write_empty_chunks": True},
                )
            )
        return cls(tuple(arrays), thick)

    def fill(self, array: NDArray[Any], reduce: Reduce, channel: int | None = None) -> None:
        """Write all levels of an array (*S), a slab at a time."""
        lead = () if channel is None else (channel,)
        for start in range(0, len(array), self.thick):
            slab = np.array(array[start : start + self.thick])
            for level, one in enumerate(self.arrays):
                part = reduce(slab, 2**level) if level else slab
                first = start >> level
                one[(*lead, slice(first, first + len(part)))] = part
            let_go(array)


def block_means(values: NDArray[Any], side: int) -> NDArray[Any]:
    """Return the means of blocks of ``side`` along each axis, in the type of ``values``.

    Whole numbers are rounded to the nearest, halves to the even one. Blocks at the end may be
    smaller.

    Example:
        >>> block_means(np.array([[0, 4, 8]], np.uint8), 2)
        array([[2, 8]], dtype=uint8)
    """
    kind = np.float64 if values.dtype.kind == "f" else np.uint32
    means = _sums(values, side, kind).astype(np.float64)
    for axis, length in enumerate(values.shape):
        count = _sums(np.ones(length), side, np.float64)
        means /= count.reshape([-1 if at == axis else 1 for at in range(values.ndim)])
    return (means if values.dtype.kind == "f" else np.rint(means)).astype(values.dtype)


def block_modes(labels: NDArray[Any], side: int) -> NDArray[Any]:
    """Return the most frequent label of blocks of ``side``; of equal ones the greatest.

    Example:
        >>> block_modes(np.array([[0, 0, 1, 2], [0, 1, 2, 1]], np.uint8), 2)
        array([[0, 2]], dtype=uint8)
    """
    most: Any = None
    result: Any = None
    for label in _present(labels):
        count = _sums(labels == label, side, np.uint32)
        if most is None:
            most, result = count, np.full(count.shape, label, labels.dtype)
            continue
        result[count >= most] = label
        np.maximum(most, count, out=most)
    return np.asarray(result, labels.dtype)


def _present(labels: NDArray[Any]) -> Iterator[int]:
    """Yield the labels that are there, in rising order."""
    counts: NDArray[Any] = np.zeros(int(labels.max()) + 1, np.int64)
    for page in labels:
        counts += np.bincount(page.ravel(), minlength=len(counts))
    yield from np.flatnonzero(counts).tolist()


def _sums(values: NDArray[Any], side: int, kind: Any) -> NDArray[Any]:
    """Return the sums of blocks of ``side`` along each axis."""
    for axis in range(values.ndim):
        values = np.add.reduceat(values, np.arange(0, values.shape[axis], side), axis, kind)
    return values


def _layers(answer: Answer) -> tuple[Layer, ...]:
    return (Layer("values" if answer.restores else "probability_and_labels"),)


OME_ZARR = Native(
    readers=(ZarrVolume, NpyVolume, Hdf5Volume),
    suffix=".ome.zarr",
    write=write,
    layers=_layers,
)
