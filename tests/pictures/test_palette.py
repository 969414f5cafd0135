"""Colours stay apart for normal and colour-blind eyes."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray

from lamina.pictures.palette import FALSE, MISSED, PALETTE, RIGHT, colour, rgb

# Machado, Oliveira and Fernandes 2009, severity 1, on linear RGB
SIGHTS = {
    "normal": np.eye(3),
    "protan": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deutan": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritan": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}


def oklab(linear: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return OKLab (Ottosson 2020) of linear RGB."""
    cones = np.array(
        [
            [0.4122214708, 0.5363325363, 0.0514459929],
            [0.2119034982, 0.6806995451, 0.1073969566],
            [0.0883024619, 0.2817188376, 0.6299787005],
        ]
    )
    lab = np.array(
        [
            [0.2104542553, 0.7936177850, -0.0040720468],
            [1.9779984951, -2.4285922050, 0.4505937099],
            [0.0259040371, 0.7827717662, -0.8086757660],
        ]
    )
    return np.asarray(lab @ np.cbrt(np.clip(cones @ linear, 0, None)))


def distance(one: str, other: str) -> float:
    """Return the least distance of two colours over all sights."""
    both = []
    for name in (one, other):
        part = np.array(rgb(name)) / 255
        both.append(np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4))
    seen = [[oklab(np.clip(sight @ c, 0, 1)) for c in both] for sight in SIGHTS.values()]
    return min(float(np.linalg.norm(a - b)) for a, b in seen)


@pytest.mark.parametrize(
    ("count", "least"),
    [(2, 0.29), (3, 0.17), (4, 0.12), (5, 0.095), (6, 0.09), (7, 0.09), (8, 0.08)],
)
def test_the_first_classes_are_told_apart(count: int, least: float) -> None:
    assert min(distance(a, b) for a, b in combinations(PALETTE[:count], 2)) >= least - 0.0005


def test_errors_are_told_from_classes_and_from_each_other() -> None:
    assert min(distance(a, b) for a in PALETTE for b in (FALSE, MISSED)) >= 0.08
    assert min(distance(a, b) for a, b in combinations((FALSE, MISSED, RIGHT), 2)) >= 0.3


def test_colours_repeat_and_are_different() -> None:
    assert [colour(k) for k in range(len(PALETTE))] == list(PALETTE)
    assert colour(len(PALETTE)) == PALETTE[0]
    assert rgb("#010a10") == (1, 10, 16)
