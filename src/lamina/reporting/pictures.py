"""Pictures of a case: the image, the truth, the answer, and where they differ."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lamina.pictures.palette import colour
from lamina.pictures.pixels import Pixels, painted, shrunk, shrunk_mask, stretched, visible
from lamina.volume import Volume, narrowed

HIT, FALSE, MISSED = "#1FA774", "#E4572E", "#3D5AFE"
"""Colours of the error picture: right, predicted and not true, true and not predicted."""

_QUALITY = 85


@dataclass(frozen=True)
class Panel:
    """One picture with its word, as a data URI."""

    word: str
    uri: str


def pictured(image: Volume) -> Volume:
    """Return the channels that a picture shows: three as colours, else the one in the middle."""
    return image if image.channels == 3 else narrowed(image, image.channels // 2, 1)


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
    grey = shrunk(visible(image), side)
    size = grey.shape[:2]
    first = int(background)
    true = [shrunk_mask(mask, size) for mask in target[first:]]
    mine = [shrunk_mask(mask, size) for mask in answer[first:]]
    colours = [colour(k) for k in range(len(true))]
    parts = (target & answer, answer & ~target, target & ~answer)  # right, false, missed
    error = [shrunk_mask(np.asarray(part[first:].any(axis=0)), size) for part in parts]
    return [
        Panel("image", _uri(grey)),
        Panel("ground truth", _uri(painted(grey, true, colours))),
        Panel("prediction", _uri(painted(grey, mine, colours))),
        Panel("error", _uri(painted(grey // 2 + 64, error, [HIT, FALSE, MISSED], fill=0.85))),
    ]


def value_panels(
    image: NDArray[Any], target: NDArray[Any], answer: NDArray[Any], *, side: int
) -> list[Panel]:
    """Draw image, truth, restored image and the size of the error; arguments as above."""
    truth, mine = target.astype(np.float32), answer.astype(np.float32)
    error = np.abs(truth - mine)
    low, high = float(truth.min()), float(truth.max())
    pictures = {
        "image": visible(image),
        "ground truth": stretched(truth, low, high),
        "prediction": stretched(mine, low, high),
        "error": stretched(error, 0.0, float(error.max())),
    }
    return [Panel(word, _uri(shrunk(pixels, side))) for word, pixels in pictures.items()]


def _uri(pixels: Pixels) -> str:
    options = (
        cv2.IMWRITE_JPEG_QUALITY,
        _QUALITY,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,  # thin coloured lines would smear
    )
    data = cv2.imencode(".jpg", pixels[:, :, ::-1], options)[1].tobytes()
    return "data:image/jpeg;base64," + base64.b64encode(data).decode()
