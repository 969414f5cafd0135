"""An array from a program as a volume: its axes are named or have one reading, never guessed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.errors import DataError
from lamina.volume import ArrayVolume

_LETTERS = "zyxc"
_PILLOW = {"L": "yx", "I;16": "yx", "I": "yx", "F": "yx", "RGB": "yxc"}
"""Modes of Pillow whose numbers are what a picture shows, with their axes."""

_LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Expected:
    """What a model takes."""

    channels: int
    """Channels of an image."""
    volumes: bool
    """Whether it takes volumes (zyx)."""
    images: bool = True
    """Whether it takes images (yx)."""
    order: str = "zyx"
    """Axes of volumes in the order in which the networks saw them."""

    def describe(self) -> str:
        """Return it in words.

        Example:
            >>> Expected(channels=1, volumes=True).describe()
            '1 channel, axes zyx or yx'
        """
        plural = "" if self.channels == 1 else "s"
        axes = ["zyx"] * self.volumes + ["yx"] * self.images
        return f"{self.channels} channel{plural}, axes {' or '.join(axes)}"


@dataclass(frozen=True)
class ArrayInput:
    """An array as the networks take it, and how to bring an answer back to its own axes."""

    volume: ArrayVolume
    """(channels, y, x), or three axes in the order that the networks saw: a view of the array,
    which is never written to."""
    axes: str
    """Spatial axes of the array in its own order."""

    def back(self, answer: NDArray[Any]) -> NDArray[Any]:
        """Return an answer (K, *volume.shape) with the axes in the array's own order."""
        order = [self.volume.axes.index(axis) for axis in self.axes]
        return np.transpose(answer, (0, *(1 + n for n in order)))


def array_input(image: Any, axes: str | None, expected: Expected, name: str) -> ArrayInput:
    """Return an array, a tensor on the CPU or a picture of Pillow as a volume.

    Args:
        image: Anything with ``__array__``; integers or finite floats, 2 to 4 axes.
        axes: A letter of ``zyxc`` for each axis in stored order; None: ``yx`` for two axes, and
            for three what has one reading: ``yxc`` where only the last has the model's number of
            channels, ``cyx`` where only the first has, ``zyx`` for volumes of one channel.
        expected: What the model takes.
        name: What messages call the image.

    Raises:
        DataError: it is no array of numbers, its axes fit in more than one way or in none, or it
            holds values that are not finite or overflow float32.
    """
    if isinstance(image, (list, tuple)):
        raise DataError(f"{name}: is a {type(image).__name__}; pass one array, or use model.map")
    own = _pillow_axes(image, name)
    array = _numbers(image, name)
    spelled = axes if axes is not None else own or _read(array.shape, expected, name)
    _check_axes(array, spelled, expected, name)
    if "c" not in spelled:
        array, spelled = array[None], f"c{spelled}"
    spatial = "".join(axis for axis in "zyx" if axis in spelled)
    spatial = expected.order if len(spatial) == 3 else spatial
    array = np.transpose(array, [spelled.index(axis) for axis in f"c{spatial}"])
    if len(array) != expected.channels:
        raise DataError(
            f"{name}: has {len(array)} channels, and the model takes {expected.describe()}; "
            f"{_channel_remedy(len(array), expected.channels)}"
        )
    _check_values(array, name)
    return ArrayInput(ArrayVolume(array, spatial, name), spelled.replace("c", ""))


def _pillow_axes(image: Any, name: str) -> str | None:
    """Return the axes of a picture of Pillow; None for anything else."""
    mode = getattr(image, "mode", None)
    if not isinstance(mode, str) or not hasattr(image, "getbands"):
        return None
    if mode not in _PILLOW:
        raise DataError(
            f"{name}: is a picture of mode {mode}; convert it first, with .convert('RGB') or "
            ".convert('L')"
        )
    return _PILLOW[mode]


def _numbers(image: Any, name: str) -> NDArray[Any]:
    try:
        array = np.asarray(image)
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError(
            f"{name}: {type(image).__name__} is no array ({error}); pass a NumPy array, such as "
            "tensor.detach().cpu().float().numpy()"
        ) from error
    if array.dtype.kind not in "uif":
        remedy = {
            "b": "a mask is no image; pass grey levels, such as array.astype(numpy.uint8) * 255",
            "c": "pass its magnitude, numpy.abs(array)",
        }.get(array.dtype.kind, "pass integers or floats")
        raise DataError(f"{name}: is of type {array.dtype}; {remedy}")
    if array.size == 0:
        raise DataError(f"{name}: is empty, shape {array.shape}")
    return array


def _read(shape: tuple[int, ...], expected: Expected, name: str) -> str:
    """Return the one reading of a shape."""
    readings = ["yx"] * (len(shape) == 2 and expected.images)
    if len(shape) == 3 and not expected.images:
        readings = ["zyx"] * (expected.channels == 1)
    elif len(shape) == 3:
        readings += ["yxc"] * (shape[-1] == expected.channels)
        readings += ["cyx"] * (shape[0] == expected.channels)
        readings += ["zyx"] * (expected.volumes and expected.channels == 1)
    if len(readings) == 1:
        return readings[0]
    takes = f"the model takes {expected.describe()}"
    if readings:
        choices = " or ".join(f'axes="{reading}"' for reading in readings)
        raise DataError(f"{name}: shape {shape} reads in {len(readings)} ways; pass {choices}")
    raise DataError(
        f"{name}: shape {shape} fits no reading, since {takes}; name the axes in stored order with "
        f'axes, letters of {_LETTERS}, such as axes="yxc"'
    )


def _check_axes(array: NDArray[Any], axes: str, expected: Expected, name: str) -> None:
    wrong = len(axes) != array.ndim or len(set(axes)) != len(axes) or set(axes) - set(_LETTERS)
    if wrong or not {"y", "x"} <= set(axes):
        raise DataError(
            f"{name}: axes is {axes!r} for shape {array.shape}; it must have a different letter of "
            f"{_LETTERS} for each of the {array.ndim} axes, y and x among them"
        )
    if "z" in axes and not expected.volumes:
        raise DataError(
            f"{name}: axes is {axes!r}, and the model takes {expected.describe()}; pass one slice "
            "at a time"
        )
    if "z" not in axes and not expected.images:
        raise DataError(
            f"{name}: axes is {axes!r}, and the model takes {expected.describe()}; pass a volume"
        )


def _check_values(array: NDArray[Any], name: str) -> None:
    if array.dtype.kind != "f":
        return
    if not np.isfinite(array).all():
        count = int((~np.isfinite(array)).sum())
        raise DataError(f"{name}: {count} values are NaN or infinite; replace them first")
    if array.dtype.itemsize > 4 and np.abs(array).max() > _LARGEST:
        raise DataError(f"{name}: values overflow float32; scale them as the training data were")


def _channel_remedy(found: int, expected: int) -> str:
    if found == 1:
        return f"repeat it, numpy.repeat(image[..., None], {expected}, axis=-1)"
    if expected == 1:
        return "pass the channel to predict, such as image[..., 0], or a grey version"
    return "pass the channels that it was trained on"
