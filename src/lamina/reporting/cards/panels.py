"""Pictures of a case: the image, truth with prediction, and where they differ."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lamina.pictures.palette import FALSE, MISSED, RIGHT, colour
from lamina.pictures.pixels import (
    Pixels,
    enlarged,
    hatched,
    outlined,
    painted,
    shrunk,
    shrunk_mask,
    stretched,
    visible,
)
from lamina.volume import Volume, narrowed

LARGEST_WHOLE = 1500
"""Images of longer sides are cut to where most is wrong, in pixels."""

_QUALITY = 85
_COARSE = 8  # pixels that are looked at together to find where most is wrong
_INSET = 110  # longest side of the small picture of the place, in pixels
_ALPHA = 0.4


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
    """Draw the image, truth with prediction, and errors.

    Truth is filled and prediction outlined in the colour of the class. Of errors, what is
    predicted and not there is solid, what is there and not predicted is hatched, and what is
    right has a white outline.

    Args:
        image: (C, H, W), any type; three channels are colours, else the middle one is shown.
        target: (K, H, W) truth.
        answer: (K, H, W) decided masks.
        side: The longer side of a picture is at most this, in pixels; smaller images are
            enlarged by whole numbers.
        background: Whether class 0 is background and stays unpainted.
    """
    rows, columns = box = most_wrong(np.asarray((target != answer).any(axis=0)))
    whole = image.shape[1:]
    image, target, answer = (part[:, rows, columns] for part in (image, target, answer))
    grey = _sized(visible(image), side)
    size = grey.shape[:2]
    first = int(background)
    true = [_resized(mask, size) for mask in target[first:]]
    mine = [_resized(mask, size) for mask in answer[first:]]
    colours = [colour(k) for k in range(len(true))]
    both = painted(grey, true, colours, fill=_ALPHA, outline=False)
    for mask, name in zip(mine, colours, strict=True):
        both = outlined(both, mask, name)
    shown = grey if box == _WHOLE else _with_place(grey, whole, box)
    return [
        Panel("image", jpeg_uri(shown)),
        Panel("truth filled, prediction outlined", jpeg_uri(both)),
        Panel("error", jpeg_uri(_error(grey, target[first:], answer[first:]))),
    ]


def value_panels(
    image: NDArray[Any], target: NDArray[Any], answer: NDArray[Any], *, side: int
) -> list[Panel]:
    """Draw image, truth, restored image and the size of the error; arguments as above."""
    truth, mine = target.astype(np.float32), answer.astype(np.float32)
    error = np.abs(truth - mine)
    low, high, most = float(truth.min()), float(truth.max()), float(error.max())
    pictures = {
        "image": visible(image),
        "ground truth": stretched(truth, low, high),
        "restored": stretched(mine, low, high),
        f"error, black 0, white {most:.3g}": stretched(error, 0.0, most),
    }
    return [Panel(word, jpeg_uri(_sized(pixels, side))) for word, pixels in pictures.items()]


def plane_panels(
    planes: Sequence[tuple[str, NDArray[Any], NDArray[np.bool_], NDArray[np.bool_]]],
    *,
    side: int,
    background: bool,
) -> list[Panel]:
    """Draw planes of a volume: truth with prediction in a first row, errors in a second.

    Args:
        planes: Of each plane its word, image (C, H, W), truth and decided masks (K, H, W).
        side: As for ``mask_panels``.
        background: As for ``mask_panels``.
    """
    drawn = [
        (word, mask_panels(image, target, answer, side=side, background=background))
        for word, image, target, answer in planes
    ]
    return [
        Panel(f"{word}: {panels[number].word}", panels[number].uri)
        for number in (1, 2)
        for word, panels in drawn
    ]


def most_wrong(wrong: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Return where most pixels of (H, W) are wrong, half of ``LARGEST_WHOLE`` along long sides."""
    height, width = wrong.shape
    if max(height, width) <= LARGEST_WHOLE:
        return _WHOLE
    step = _COARSE
    rows, columns = np.nonzero(wrong)
    coarse = np.zeros((-(-height // step), -(-width // step)), np.float32)
    np.add.at(coarse, (rows // step, columns // step), 1)
    sides = [n if n <= LARGEST_WHOLE else LARGEST_WHOLE // 2 for n in (height, width)]
    window = [-(-n // step) for n in sides]
    sums = cv2.boxFilter(coarse, -1, (window[1], window[0]), normalize=False)
    # of all windows that hold the most, the one in their middle
    middle = np.argwhere(sums >= sums.max() * 0.999).mean(axis=0)
    cut = []
    for at, part, n in zip(middle, sides, (height, width), strict=True):
        begin = min(max(round((float(at) + 0.5) * step) - part // 2, 0), n - part)
        cut.append(slice(begin, begin + part))
    return cut[0], cut[1]


_WHOLE = (slice(None), slice(None))


def _error(grey: Pixels, target: NDArray[np.bool_], answer: NDArray[np.bool_]) -> Pixels:
    size = grey.shape[:2]
    parts = (target & answer, answer & ~target, target & ~answer)
    right, false, missed = (_resized(np.asarray(part.any(axis=0)), size) for part in parts)
    picture = outlined(grey // 2 + 48, right, RIGHT, width=1)
    picture = painted(picture, [false], [FALSE], fill=0.85)
    return hatched(picture, missed, MISSED)


def _with_place(grey: Pixels, whole: tuple[int, ...], box: tuple[slice, slice]) -> Pixels:
    """Return a picture with a small map of where in the whole image it lies, in its corner."""
    scale = _INSET / max(whole)
    height, width = (max(round(n * scale), 3) for n in whole)
    picture = grey.copy()
    height, width = min(height, picture.shape[0]), min(width, picture.shape[1])
    corner = picture[:height, -width:]
    corner[:] = corner // 3
    corner[[0, -1], :] = corner[:, [0, -1]] = 255
    rows, columns = (
        slice(int(part.start * scale), max(int(part.stop * scale), int(part.start * scale) + 2))
        if part.start is not None
        else slice(None)
        for part in box
    )
    corner[rows, columns] = 255
    return picture


def _sized(pixels: Pixels, side: int) -> Pixels:
    """Return a picture whose longer side is at most ``side``; small ones are enlarged."""
    times = max(side // max(pixels.shape[:2]), 1)
    return enlarged(pixels, times) if times > 1 else shrunk(pixels, side)


def _resized(mask: NDArray[np.bool_], size: tuple[int, ...]) -> NDArray[np.bool_]:
    times = size[0] // mask.shape[0]
    return enlarged(mask, times) if times > 1 else shrunk_mask(mask, size)


def jpeg_uri(pixels: Pixels) -> str:
    """Return a picture (H, W, 3) as a data URI."""
    options = (
        cv2.IMWRITE_JPEG_QUALITY,
        _QUALITY,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,  # thin coloured lines would smear
    )
    data = cv2.imencode(".jpg", pixels[:, :, ::-1], options)[1].tobytes()
    return "data:image/jpeg;base64," + base64.b64encode(data).decode()
