"""Pages of letter-like strokes: lines of Greek capitals written by an unsteady hand.

Letters are polylines in a box 1 high and 0.7 wide, y downwards. A page is a grey image of how
much of each pixel a stroke covers, 0 to 255.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Shape = tuple[int, int]
Line = tuple[tuple[float, float], ...]
"""Points (y, x) one after another."""

TALL = 28.0
"""Height of a letter, in pixels."""

THICK = 5.0
"""Width of a stroke, in pixels."""

_PITCH = 50.0  # from one line of text to the next
_BLANK = 0.15  # share of places without a letter


def _arc(y: float, x: float, tall: float, wide: float, first: float, last: float) -> Line:
    """Return part of an ellipse, angles in degrees from the right, downwards."""
    angles = [math.radians(first + (last - first) * n / 9) for n in range(10)]
    return tuple((y + tall * math.sin(a), x + wide * math.cos(a)) for a in angles)


LETTERS: tuple[tuple[Line, ...], ...] = (
    (((1, 0), (0, 0.35), (1, 0.7)), ((0.6, 0.16), (0.6, 0.54))),  # alpha
    (((1, 0), (0, 0), (0, 0.6)),),  # gamma
    (((1, 0), (0, 0.35), (1, 0.7), (1, 0)),),  # delta
    (_arc(0.5, 0.4, 0.5, 0.4, 50, 310), ((0.5, 0.02), (0.5, 0.55))),  # lunate epsilon
    (((0, 0), (1, 0)), ((0, 0.65), (1, 0.65)), ((0.5, 0), (0.5, 0.65))),  # eta
    (_arc(0.5, 0.35, 0.5, 0.35, 0, 360), ((0.5, 0.1), (0.5, 0.6))),  # theta
    (((0, 0.3), (1, 0.3)),),  # iota
    (((0, 0), (1, 0)), ((0, 0.6), (0.5, 0.05), (1, 0.65))),  # kappa
    (((1, 0), (0, 0.35), (1, 0.7)),),  # lambda
    (((1, 0), (0, 0.1), (0.7, 0.35), (0, 0.6), (1, 0.7)),),  # mu
    (((1, 0), (0, 0), (1, 0.6), (0, 0.6)),),  # nu
    (_arc(0.5, 0.35, 0.45, 0.35, 0, 360),),  # omicron
    (((1, 0), (0, 0), (0, 0.65), (1, 0.65)),),  # pi
    (_arc(0.5, 0.4, 0.5, 0.4, 50, 310),),  # lunate sigma
    (((0, 0), (0, 0.7)), ((0, 0.35), (1, 0.35))),  # tau
    (((0, 0), (0.5, 0.35), (0, 0.7)), ((0.5, 0.35), (1, 0.35))),  # upsilon
    (((0, 0), (1, 0.7)), ((0, 0.7), (1, 0))),  # chi
)


def page(shape: Shape, chance: np.random.Generator) -> NDArray[np.uint8]:
    """Return a page of text, (H, W): the share of each pixel that ink covers, 255 for all of it.

    About a seventh of the page is covered. Lines of text run along x; letters differ in height,
    slant, width of the stroke and place.

    Args:
        shape: Rows and columns.
        chance: Where letters and their places come from.
    """
    covered = np.zeros(shape, np.uint8)
    top = chance.uniform(-0.5, 0.2) * _PITCH
    while top < shape[0]:
        left = chance.uniform(-1, 1) * TALL
        slope = chance.uniform(-0.02, 0.02)
        while left < shape[1]:
            place = (top + slope * left + chance.normal(0, 1), left)
            left += TALL * chance.uniform(0.9, 1.2)
            if chance.random() >= _BLANK:
                _write(covered, place, chance)
        top += _PITCH * chance.uniform(0.95, 1.05)
    return covered


def _write(
    covered: NDArray[np.uint8], place: tuple[float, float], chance: np.random.Generator
) -> None:
    """Draw one letter whose box begins at a place."""
    lines = LETTERS[int(chance.integers(len(LETTERS)))]
    tall, thick = TALL * chance.uniform(0.85, 1.1), THICK * chance.uniform(0.8, 1.2)
    slant, shake = chance.uniform(-0.15, 0.15), chance.normal(0, 0.02, (sum(map(len, lines)), 2))
    points = np.concatenate([np.asarray(line, np.float64) for line in lines]) + shake
    points[:, 1] -= slant * (points[:, 0] - 0.5)
    points = points * tall + place
    # Segments from each point to the next, but not from one line to another.
    ends = np.cumsum([len(line) for line in lines])
    starts = np.setdiff1d(np.arange(len(points) - 1), ends - 1)
    low = np.floor(points.min(0) - thick).astype(int).clip(0)
    high = np.minimum(np.ceil(points.max(0) + thick).astype(int) + 1, covered.shape)
    if (low >= high).any():
        return
    rows, columns = np.mgrid[low[0] : high[0], low[1] : high[1]]
    away = _distance(rows, columns, points[starts], points[starts + 1])
    box = covered[low[0] : high[0], low[1] : high[1]]
    share = np.clip(thick / 2 - away + 0.5, 0, 1)
    np.maximum(box, np.round(255 * share).astype(np.uint8), out=box)


def _distance(
    rows: NDArray[np.int_],
    columns: NDArray[np.int_],
    first: NDArray[np.float64],
    last: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return how far pixels (H, W) are from the nearest of segments (n, 2) to (n, 2)."""
    along = (last - first)[:, :, None, None]
    y, x = rows - first[:, 0, None, None], columns - first[:, 1, None, None]
    length = np.maximum((along**2).sum(1), 1e-12)
    t = np.clip((y * along[:, 0] + x * along[:, 1]) / length, 0, 1)
    away: NDArray[np.float64] = np.hypot(y - t * along[:, 0], x - t * along[:, 1]).min(0)
    return away
