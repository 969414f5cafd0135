"""Pictures of a case: the image, the truth, the answer, and where they differ."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lamina.volume import Volume, narrowed

Pixels = NDArray[np.uint8]

PALETTE = ("#E69F00", "#56B4E9", "#F06BB5", "#F0E442", "#1FC48D", "#E8590C", "#9B7BFF", "#2F7FE0")
"""Colours of classes, bright on grey and told apart by colour-blind eyes (after Okabe and Ito)."""

HIT, FALSE, MISSED = "#1FA774", "#E4572E", "#3D5AFE"
"""Colours of the error picture: right, predicted and not true, true and not predicted."""

_FILL = 0.45  # how much of the colour lies over the grey
_QUALITY = 85


@dataclass(frozen=True)
class Panel:
    """One picture with its word, as a data URI."""

    word: str
    uri: str


def pictured(image: Volume) -> Volume:
    """Return the channels that a picture shows: three as colours, else the one in the middle."""
    return image if image.channels == 3 else narrowed(image, image.channels // 2, 1)


def colour(k: int) -> str:
    """Return the colour of class ``k`` as #RRGGBB; colours repeat after the palette."""
    return PALETTE[k % len(PALETTE)]


def mask_panels(
    image: NDArray[Any],
    target: NDArray[np.bool_],
    answer: NDArray[np.bool_],
    *,
    side: int,
    background: bool,
) -> list[Panel]:
    """Draw image, truth, prediction and error.

    Args:
        image: (C, H, W), any type; three channels are colours, else the middle one is shown.
        target: (K, H, W) truth.
        answer: (K, H, W) decided masks.
        side: The longer side of a picture is at most this, in pixels.
        background: Whether class 0 is background and stays unpainted.
    """
    grey = _shrunk(_visible(image), side)
    size = grey.shape[:2]
    first = int(background)
    true = [_shrunk_mask(mask, size) for mask in target[first:]]
    mine = [_shrunk_mask(mask, size) for mask in answer[first:]]
    colours = [colour(k) for k in range(len(true))]
    parts = (target & answer, answer & ~target, target & ~answer)  # right, false, missed
    error = [_shrunk_mask(np.asarray(one[first:].any(axis=0)), size) for one in parts]
    return [
        Panel("image", _uri(grey)),
        Panel("ground truth", _uri(_painted(grey, true, colours))),
        Panel("prediction", _uri(_painted(grey, mine, colours))),
        Panel("error", _uri(_painted(grey // 2 + 64, error, [HIT, FALSE, MISSED], fill=0.85))),
    ]


def value_panels(
    image: NDArray[Any], target: NDArray[Any], answer: NDArray[Any], *, side: int
) -> list[Panel]:
    """Draw image, truth, restored image and the size of the error; arguments as above."""
    truth, mine = target.astype(np.float32), answer.astype(np.float32)
    error = np.abs(truth - mine)
    low, high = float(truth.min()), float(truth.max())
    pictures = {
        "image": _visible(image),
        "ground truth": _stretched(truth, low, high),
        "prediction": _stretched(mine, low, high),
        "error": _stretched(error, 0.0, float(error.max())),
    }
    return [Panel(word, _uri(_shrunk(pixels, side))) for word, pixels in pictures.items()]


def _visible(image: NDArray[Any]) -> Pixels:
    """Return (H, W, 3) RGB; other types than bytes are stretched from their 1 % to their 99 %."""
    shown = image if len(image) == 3 else image[len(image) // 2][None]
    if shown.dtype == np.uint8:
        return _stretched(shown, 0, 255)
    low, high = np.percentile(shown, (1, 99))
    return _stretched(shown, float(low), float(high))


def _stretched(values: NDArray[Any], low: float, high: float) -> Pixels:
    scale = 255 / (high - low) if high > low else 0.0
    pixels = ((values.astype(np.float32) - low) * scale).clip(0, 255).astype(np.uint8)
    if len(pixels) != 3:
        pixels = np.repeat(pixels[:1], 3, axis=0)
    return np.ascontiguousarray(pixels.transpose(1, 2, 0))


def _shrunk(pixels: Pixels, side: int) -> Pixels:
    height, width = pixels.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return pixels
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def _shrunk_mask(mask: NDArray[np.bool_], size: tuple[int, ...]) -> NDArray[np.bool_]:
    if mask.shape == size:
        return mask
    share = cv2.resize(mask.astype(np.float32), (size[1], size[0]), interpolation=cv2.INTER_AREA)
    return np.asarray(share > 0)  # a defect of one pixel must stay visible


def _painted(
    grey: Pixels, masks: list[NDArray[np.bool_]], colours: list[str], *, fill: float = _FILL
) -> Pixels:
    painted = grey.copy()
    for mask, name in zip(masks, colours, strict=True):
        paint = np.array([int(name[i : i + 2], 16) for i in (1, 3, 5)], np.float32)
        painted[mask] = (painted[mask] * (1 - fill) + paint * fill).astype(np.uint8)
        outline = mask & ~cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
        painted[outline] = paint.astype(np.uint8)
    return painted


def _uri(pixels: Pixels) -> str:
    options = (
        cv2.IMWRITE_JPEG_QUALITY,
        _QUALITY,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,  # thin coloured lines would smear
    )
    data = cv2.imencode(".jpg", pixels[:, :, ::-1], options)[1].tobytes()
    return "data:image/jpeg;base64," + base64.b64encode(data).decode()
