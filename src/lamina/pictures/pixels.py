"""Arrays of any type and size as RGB pictures, and masks painted on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lamina.pictures.palette import rgb

Pixels = NDArray[np.uint8]

_FILL = 0.45  # how much of the colour lies over the grey


def visible(image: NDArray[Any]) -> Pixels:
    """Return (H, W, 3) RGB of an image (C, H, W); three channels are colours.

    Of any other number the middle channel is shown. Other types than bytes are stretched from
    their 1 % to their 99 % quantile.
    """
    shown = image if len(image) == 3 else image[len(image) // 2][None]
    if shown.dtype == np.uint8:
        return stretched(shown, 0, 255)
    low, high = np.percentile(shown, (1, 99))
    return stretched(shown, float(low), float(high))


def stretched(values: NDArray[Any], low: float, high: float) -> Pixels:
    """Return (H, W, 3) of (C, H, W): ``low`` becomes 0, ``high`` 255; 1 or 3 channels."""
    if values.dtype == np.uint8 and (low, high) == (0, 255):
        pixels = values
    else:
        scale = 255 / (high - low) if high > low else 0.0
        pixels = ((values.astype(np.float32) - low) * scale).clip(0, 255).astype(np.uint8)
    return np.asarray(cv2.merge(list(pixels if len(pixels) == 3 else pixels[[0, 0, 0]])), np.uint8)


def shrunk(pixels: Pixels, side: int) -> Pixels:
    """Return a picture (H, W, 3) whose longer side is at most ``side`` pixels, by area means."""
    height, width = pixels.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return pixels
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def shrunk_mask(mask: NDArray[np.bool_], size: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return a mask (H, W) at another size; what covers any part of a pixel stays visible."""
    if mask.shape == size:
        return mask
    share = cv2.resize(mask.astype(np.float32), (size[1], size[0]), interpolation=cv2.INTER_AREA)
    return np.asarray(share > 0)  # a defect of one pixel must stay visible


def painted(
    picture: Pixels,
    masks: Sequence[NDArray[np.bool_]],
    colours: Sequence[str],
    *,
    fill: float = _FILL,
    outline: bool = True,
) -> Pixels:
    """Return a copy of a picture (H, W, 3) with masks (H, W) filled and outlined in colours.

    Args:
        picture: RGB.
        masks: As large as the picture.
        colours: #RRGGBB for each mask.
        fill: How much of the colour lies over the picture, 0 (outline only) to 1.
        outline: Whether masks are outlined too.
    """
    result = picture.copy()
    pixels = result.reshape(-1, 3)
    for mask, name in zip(masks, colours, strict=True):
        where = np.flatnonzero(mask)  # few pixels, as a rule
        if not where.size:
            continue
        paint = np.array(rgb(name), np.float32)
        pixels[where] = (pixels[where] * (1 - fill) + paint * fill).astype(np.uint8)
        if outline:
            pixels[_inner_edge(mask, 1)] = rgb(name)
    return result


def outlined(picture: Pixels, mask: NDArray[np.bool_], name: str, *, width: int = 2) -> Pixels:
    """Return a copy of a picture (H, W, 3) with the inner edge of a mask (H, W) in a colour.

    Args:
        picture: RGB.
        mask: As large as the picture.
        name: #RRGGBB.
        width: Of the line, in pixels.
    """
    result = picture.copy()
    result.reshape(-1, 3)[_inner_edge(mask, width)] = rgb(name)
    return result


def _inner_edge(mask: NDArray[np.bool_], width: int) -> NDArray[np.intp]:
    """Return the places, in the flat mask, of its pixels that are so near to its outside."""
    solid = np.ascontiguousarray(mask).view(np.uint8)
    inner = cv2.erode(solid, np.ones((2 * width + 1, 2 * width + 1), np.uint8))
    return np.flatnonzero(solid > inner)


def hatched(picture: Pixels, mask: NDArray[np.bool_], name: str, *, step: int = 4) -> Pixels:
    """Return a copy of a picture (H, W, 3) with a mask (H, W) in diagonal stripes and outlined.

    Args:
        picture: RGB.
        mask: As large as the picture.
        name: #RRGGBB.
        step: Width of stripes and of gaps, in pixels.
    """
    rows, columns = np.arange(mask.shape[0])[:, None], np.arange(mask.shape[1])
    result = outlined(picture, mask, name, width=1)
    result[mask & ((rows + columns) // step % 2 == 0)] = rgb(name)
    return result


def enlarged(values: NDArray[Any], times: int) -> NDArray[Any]:
    """Return (H, W, ...) with every pixel repeated ``times`` along rows and columns."""
    return values if times == 1 else values.repeat(times, axis=0).repeat(times, axis=1)
