"""A part of a case as an 8-bit picture: the image, probabilities, truth or masks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lamina.geometry.region import Region
from lamina.pictures.palette import colour
from lamina.pictures.pixels import outlined, painted, shrunk_mask, stretched
from lamina.reporting.cards.panels import pictured
from lamina.viewer.board import Board

LAYERS = ("image", "probability", "truth", "mask")
"""What can be asked for."""

LARGEST = 2048
"""Longest side of a picture, in pixels."""

_THUMB = 240


@dataclass(frozen=True)
class Part:
    """A box of an image, or of a plane of a volume, and how large it is shown."""

    box: tuple[int, int, int, int]
    """y0, x0, y1, x1; half-open, inside the plane."""
    size: tuple[int, int]
    """Rows and columns of the picture at most; it is never larger than the box."""
    axis: int = 0
    at: int = 0
    """The plane across ``axis`` of a volume."""


def plane_shape(shape: tuple[int, ...], axis: int) -> tuple[int, int]:
    """Return rows and columns of an image, or of a plane across ``axis``."""
    left = [n for number, n in enumerate(shape) if len(shape) == 2 or number != axis]
    return left[0], left[1]


def check(part: Part, shape: tuple[int, ...]) -> None:
    """Raise ValueError where a part does not lie in a case of this shape."""
    if not 0 <= part.axis < 3 or (len(shape) == 3 and not 0 <= part.at < shape[part.axis]):
        raise ValueError("no such plane")
    rows, columns = plane_shape(shape, part.axis)
    y0, x0, y1, x1 = part.box
    if not (0 <= y0 < y1 <= rows and 0 <= x0 < x1 <= columns):
        raise ValueError(f"the box leaves {rows} x {columns}")
    if not all(1 <= side <= LARGEST for side in part.size):
        raise ValueError(f"sizes are 1 to {LARGEST}")


def layer(board: Board, number: int, what: str, k: int, part: Part, decision: str) -> bytes:
    """Return a layer of a part of a case as PNG.

    Images are shrunk by means of areas, probabilities (255 is 1) by their maximum; truth and
    masks (255 or 0) are on where any pixel is, so that thin objects stay visible.

    Raises:
        ValueError: the part or the class is not there.
    """
    case = board.cases[number].case
    shape = tuple(case.image.shape)
    check(part, shape)
    if what == "image":
        return _png(_image(board, number, part))
    opened = board.opened(number)
    if not 0 <= k < len(opened.target):
        raise ValueError(f"classes are 0 to {len(opened.target) - 1}")
    if board.task.kind == "restore":
        source = opened.target if what == "truth" else opened.prob
        low, high = float(opened.target.min()), float(opened.target.max())
        shown = stretched(_cut(source[k], part)[None].astype(np.float32), low, high)
        return _png(_mean(shown, part.size))
    if what == "truth":
        return _png(_any(_cut(opened.target[k], part), part.size))
    if what == "mask":
        return _png(_any(_cut(board.decided(number, decision)[k], part), part.size))
    values = np.rint(_cut(opened.prob[k], part).astype(np.float32) * 255)
    return _png(_maximum(values.astype(np.uint8), part.size))


def thumbnail(board: Board, number: int) -> bytes:
    """Return a picture of a case, at most 240 pixels a side, with truth filled and prediction
    outlined; of a volume the plane in the middle of its first axis.
    """
    case = board.cases[number].case
    shape = tuple(case.image.shape)
    rows, columns = plane_shape(shape, 0)
    scale = min(_THUMB / max(rows, columns), 1.0)
    size = (max(round(rows * scale), 1), max(round(columns * scale), 1))
    part = Part((0, 0, rows, columns), size, 0, shape[0] // 2 if len(shape) == 3 else 0)
    picture = _image(board, number, part)
    if picture.ndim == 2:
        picture = np.repeat(picture[..., None], 3, axis=2)
    if board.task.kind != "restore":
        first = int(board.task.exclusive)
        opened, masks = board.opened(number), board.decided(number, "")
        for k in range(first, len(masks)):
            true = shrunk_mask(np.asarray(_cut(opened.target[k], part)), size)
            picture = painted(picture, [true], [colour(k - first)], outline=False)
            mine = shrunk_mask(_cut(masks[k], part), size)
            picture = outlined(picture, mine, colour(k - first), width=1)
    return _png(picture)


def _image(board: Board, number: int, part: Part) -> NDArray[np.uint8]:
    """Return (h, w) or (h, w, 3) pixels; grey levels are stretched as over the whole case."""
    image = pictured(board.cases[number].case.image)
    y0, x0, y1, x1 = part.box
    start, stop = [y0, x0], [y1, x1]
    if len(image.shape) == 3:
        start.insert(part.axis, part.at)
        stop.insert(part.axis, part.at + 1)
    pixels = image.read(Region(tuple(start), tuple(stop)))
    if len(image.shape) == 3:
        pixels = pixels.squeeze(part.axis + 1)
    shown = stretched(pixels, *_range(image, pixels))
    return _mean(shown if len(pixels) == 3 else shown[..., 0], part.size)


def _range(image: Any, pixels: NDArray[Any]) -> tuple[float, float]:
    """Return what is black and what is white: bytes as they are, else by quantiles of a sample."""
    if pixels.dtype == np.uint8:
        return 0.0, 255.0
    corner = tuple(max(n // 2 - 256, 0) for n in image.shape)
    ends = tuple(min(a + 512, n) for a, n in zip(corner, image.shape, strict=True))
    if len(corner) == 3:
        corner, ends = (ends[0] - 1, *corner[1:]), ends
    low, high = np.percentile(image.read(Region(corner, ends)), (1, 99))
    return float(low), float(high)


def _cut(values: NDArray[Any], part: Part) -> NDArray[Any]:
    plane = values if values.ndim == 2 else np.take(values, part.at, axis=part.axis)
    y0, x0, y1, x1 = part.box
    return plane[y0:y1, x0:x1]


def _mean(pixels: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    if pixels.shape[0] <= size[0] and pixels.shape[1] <= size[1]:
        return pixels
    target = (min(size[1], pixels.shape[1]), min(size[0], pixels.shape[0]))
    return np.asarray(cv2.resize(pixels, target, interpolation=cv2.INTER_AREA), np.uint8)


def _maximum(values: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    for axis in (0, 1):
        length = values.shape[axis]
        if length > size[axis]:
            cuts = np.arange(size[axis]) * length // size[axis]
            values = np.maximum.reduceat(values, cuts, axis=axis)
    return values


def _any(mask: NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.uint8]:
    return _maximum(np.where(mask, np.uint8(255), np.uint8(0)), size)


def _png(pixels: NDArray[np.uint8]) -> bytes:
    shown = pixels[..., ::-1] if pixels.ndim == 3 else pixels
    return cv2.imencode(".png", shown, (cv2.IMWRITE_PNG_COMPRESSION, 1))[1].tobytes()
