"""Pictures of images with their masks, at most 2048 pixels a side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lamina.files import write_bytes
from lamina.geometry.region import Region
from lamina.pictures.palette import colour
from lamina.pictures.pixels import painted, shrunk, shrunk_mask, visible
from lamina.prediction.folder.predictions import Predictions
from lamina.volume import Volume, read_all

SIDE = 2048
"""Longest side of a picture, in pixels."""

_QUALITY = 90  # of JPEG
_BAND = 2**24  # pixels that are read together


def write_overlay(path: Path, predictions: Predictions, id: str, image: Volume) -> str:
    """Write masks, filled and outlined, on an image as JPEG; return the SHA-256.

    Of an image that is stored in chunks a band of rows is in memory at a time. A mask that covers
    any part of a pixel of the picture is seen in it.
    """
    first = int(predictions.task.exclusive)
    if predictions.case(id).chunked:
        pixels, masks = _shrunk_by_bands(predictions, id, image)
        picture = visible(pixels)
    else:
        picture = shrunk(visible(read_all(image)), SIDE)
        masks = np.stack([shrunk_mask(m, picture.shape[:2]) for m in predictions.mask(id)])
    shown = list(masks[first:])
    found = painted(picture, shown, [colour(k) for k in range(len(shown))])
    options = [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
    bgr = cv2.cvtColor(found, cv2.COLOR_RGB2BGR)
    return write_bytes(path, cv2.imencode(".jpg", bgr, options)[1].tobytes(), flush=False)


def _shrunk_by_bands(
    predictions: Predictions, id: str, image: Volume
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return an image (C, h, w) by means of blocks, and masks (K, h, w) where any pixel is on."""
    height, width = image.shape
    step = -(-max(height, width) // SIDE)
    size = (-(-height // step), -(-width // step))
    pixels: NDArray[Any] = np.zeros((image.channels, *size), np.float32)
    masks = np.zeros((predictions.task.outputs, *size), np.bool_)
    tall = max(_BAND // (width * step), 1) * step
    for top in range(0, height, tall):
        region = Region((top, 0), (min(top + tall, height), width))
        part = _means(image.read(region), step)
        pixels[:, top // step : top // step + part.shape[1]] = part
    for region, _, decided in predictions.decided(id):
        rows, columns = (np.arange(n) // step for n in (height, width))
        across = np.maximum.reduceat(decided, np.flatnonzero(np.diff(columns, prepend=-1)), axis=2)
        for row, line in zip(rows[region.slices[0]], across.swapaxes(0, 1), strict=True):
            masks[:, row] |= line
    return pixels.astype(image.dtype) if image.dtype == np.uint8 else pixels, masks


def _means(values: NDArray[Any], step: int) -> NDArray[np.float32]:
    """Return the means of blocks of ``step`` rows and columns of (C, H, W)."""
    total: Any = values
    count: Any = np.ones(values.shape[1:], np.float32)
    for axis in (1, 2):
        cuts = np.arange(0, values.shape[axis], step)
        total = np.add.reduceat(total, cuts, axis, np.float64)
        count = np.add.reduceat(count, cuts, axis - 1)
    return np.asarray(total / count, np.float32)
