"""A part of a case as an 8-bit picture: the image, probabilities, truth or masks."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from lamina.pictures.overlay import overlay
from lamina.pictures.pixels import stretched
from lamina.reporting.cards.planes import down_of
from lamina.viewer.board import Board
from lamina.viewer.cases.pixels import Part
from lamina.viewer.cases.viewed import ViewedCase

LAYERS = ("image", "probability", "truth", "mask")
"""What can be asked for."""

LARGEST = 2048
"""Longest side of a picture, in pixels."""

_THUMB = 240


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


def layer(
    board: Board, number: int, what: str, k: int, part: Part, decision: str, *, turned: bool = False
) -> bytes:
    """Return a layer of a part of a case as PNG.

    Images are shrunk by means of areas, probabilities (255 is 1) by their maximum; truth and
    masks (255 or 0) are on where any pixel is, so that thin objects stay visible.

    Args:
        board: The folder.
        number: Of the case.
        what: One of ``LAYERS``.
        k: The class.
        part: What is shown of it.
        decision: As ``Board.read_decision`` reads it.
        turned: Exchange rows and columns of the picture.

    Raises:
        ValueError: the part or the class is not there, or the case has no truth.
        DataError: a file is damaged or gone.
    """
    case = board.cases[number]
    check(part, tuple(case.found.case.image.shape))
    if what == "image":
        pixels = _image(board, case, part)
    else:
        if not 0 <= k < board.task.outputs:
            raise ValueError(f"classes are 0 to {board.task.outputs - 1}")
        if what == "truth" and case.found.case.target is None:
            raise ValueError("the case has no truth")
        draw = _values if board.task.kind == "restore" else _class
        pixels = draw(board, case, what, k, part, decision)
    return _png(pixels.swapaxes(0, 1) if turned else pixels)


def _values(
    board: Board, case: ViewedCase, what: str, k: int, part: Part, _: str
) -> NDArray[np.uint8]:
    source = board.pixels.truth if what == "truth" else board.pixels.answer
    values = source(case, part)[k : k + 1].astype(np.float32)
    return _mean(stretched(values, *board.pixels.value_ends(case)), part)


def _class(
    board: Board, case: ViewedCase, what: str, k: int, part: Part, decision: str
) -> NDArray[np.uint8]:
    if what == "truth":
        return _any(board.pixels.truth(case, part)[k], part)
    if what == "mask":
        return _any(board.pixels.masks(case, part, board.read_decision(decision))[k], part)
    codes = np.rint(board.pixels.answer(case, part)[k].astype(np.float32) * 255)
    return _exactly(codes.astype(np.uint8), part)


def thumbnail(board: Board, number: int) -> bytes:
    """Return a picture of a case, at most 240 pixels a side, with truth filled and prediction
    outlined; of a volume the plane in the middle of its first axis, with depth downwards.
    """
    case = board.cases[number]
    shape = tuple(case.found.case.image.shape)
    rows, columns = plane_shape(shape, 0)
    scale = min(_THUMB / max(rows, columns), 1.0)
    size = (max(round(rows * scale), 1), max(round(columns * scale), 1))
    part = Part((0, 0, rows, columns), size, 0, shape[0] // 2 if len(shape) == 3 else 0)
    picture = _image(board, case, part)
    if picture.ndim == 2:
        picture = np.repeat(picture[..., None], 3, axis=2)
    if board.task.kind != "restore":
        first = int(board.task.exclusive)
        masks = board.pixels.masks(case, part, board.decision)[first:]
        mine = [_any(mask, part) > 0 for mask in masks]
        true = None
        if case.found.case.target is not None:
            true = [_any(mask, part) > 0 for mask in board.pixels.truth(case, part)[first:]]
        picture = overlay(picture, mine, true)
    turned = len(shape) == 3 and down_of(case.found.case.image, board.recipe.frame) == 2
    return _png(picture.swapaxes(0, 1) if turned else picture)


def _image(board: Board, case: ViewedCase, part: Part) -> NDArray[np.uint8]:
    """Return (h, w) or (h, w, 3) pixels; grey levels are stretched as over the whole case."""
    pixels = board.pixels.image(case, part)
    shown = stretched(pixels, *board.pixels.image_ends(case))
    return _mean(shown if len(pixels) == 3 else shown[..., 0], part)


def _mean(pixels: NDArray[np.uint8], part: Part) -> NDArray[np.uint8]:
    rows, columns = _size(pixels.shape, part)
    if (rows, columns) == pixels.shape[:2]:
        return pixels
    return np.asarray(cv2.resize(pixels, (columns, rows), interpolation=cv2.INTER_AREA), np.uint8)


def _exactly(values: NDArray[np.uint8], part: Part) -> NDArray[np.uint8]:
    """Shrink (h, w) to the size that is asked for, by maximum."""
    for axis, size in enumerate(_size(values.shape, part)):
        length = values.shape[axis]
        if length > size:
            values = np.maximum.reduceat(values, np.arange(size) * length // size, axis=axis)
    return values


def _any(mask: NDArray[np.bool_], part: Part) -> NDArray[np.uint8]:
    return _exactly(np.where(mask, np.uint8(255), np.uint8(0)), part)


def _size(shape: tuple[int, ...], part: Part) -> tuple[int, int]:
    return min(part.size[0], shape[0]), min(part.size[1], shape[1])


def _png(pixels: NDArray[np.uint8]) -> bytes:
    shown = np.ascontiguousarray(pixels[..., ::-1] if pixels.ndim == 3 else pixels)
    return cv2.imencode(".png", shown, (cv2.IMWRITE_PNG_COMPRESSION, 1))[1].tobytes()
