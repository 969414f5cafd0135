"""Noise in masks: specks, rims of a class that lies between two others, and drawn frames."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lamina.doctor.case_statistics import CaseStatistics
from lamina.doctor.examined import Examined
from lamina.doctor.finding import Area, Finding, first_names
from lamina.errors import DataError
from lamina.task import Task
from lamina.volume import Plane, Volume, read_all

Mask = NDArray[np.bool_]

_LEAST_RIM = 24  # pixels

_MEANINGS = {
    "specks": (
        "masks have many specks of a few pixels, as thresholding a JPEG leaves them",
        "save masks as PNG without smoothing, or remove small parts (decide.min_area hides them "
        "in answers only)",
    ),
    "rims": (
        "a class lies as a thin rim between two others, as smooth resizing of class numbers "
        "leaves it",
        "resize masks by the nearest neighbour, or set data.ignore to the value of the rim",
    ),
    "frames": (
        "the class covers the outermost pixels all around and not those within",
        "cut the frame off, or clear it in the masks",
    ),
}


@dataclass(frozen=True)
class LabelNoise:
    """Up to 200 masks are looked at, of volumes the middle slice."""

    cases: int = 200
    """Masks that are read, evenly spread over the data."""
    pixels: int = 1 << 26
    """Pixels above which a mask is not read."""
    speck: int = 4
    """Pixels of a component that is a speck, at most."""
    specks: int = 8
    """Specks of a mask from which they are noise, where they are most of its components."""
    name: str = "label_noise"
    area: Area = "data"

    def __call__(self, examined: Examined) -> Iterator[Finding]:
        """Name the cases with each sort of noise."""
        if examined.recipe is None or examined.recipe.task.kind == "restore":
            return
        shown = [look for look in examined.looks if look.case.target is not None and look.areas]
        chosen = shown[:: max(1, -(-len(shown) // self.cases))]
        found = self._sorts(chosen, examined.recipe.task)
        for sort, ids in found.items():
            if ids:
                what, remedy = _MEANINGS[sort]
                yield Finding(
                    "warning", first_names(ids), f"{len(ids)} of {len(chosen)}: {what}", remedy
                )
        if chosen and not any(found.values()):
            what = f"{len(chosen)} masks without specks, rims or frames"
            yield Finding("fine", "masks", what)

    def _sorts(self, chosen: Sequence[CaseStatistics], task: Task) -> dict[str, list[str]]:
        """Return the cases with each sort of noise."""
        found: dict[str, list[str]] = defaultdict(list)
        bodies: set[int] = set()
        rims: dict[int, list[str]] = defaultdict(list)
        for look in chosen:
            stored = self._stored(look)
            if stored is None:
                continue
            masks = _masks(stored, task)
            for sort, is_there in (("specks", self._specked), ("frames", _framed)):
                if any(is_there(mask) for mask in masks):
                    found[sort].append(look.case.id)
            if task.exclusive:
                for k in np.unique(stored[0]).tolist():
                    body, rim = _body_and_rim(stored[0], k)
                    bodies |= {k} if body else set()
                    rims[k] += [look.case.id] if rim else []
        # a class that is nothing but rims may be one, such as the membranes of cells
        thin = {id for k, ids in rims.items() if k in bodies for id in ids}
        found["rims"] = [look.case.id for look in chosen if look.case.id in thin]
        return found

    def _stored(self, look: CaseStatistics) -> NDArray[Any] | None:
        """Return a target (channels, rows, columns); None: it is too large, or cannot be read."""
        try:
            return None if look.case.target is None else _plane(look.case.target, self.pixels)
        except DataError:
            return None

    def _specked(self, mask: Mask) -> bool:
        count, _, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
        small = int((stats[1:, cv2.CC_STAT_AREA] <= self.speck).sum())
        return small >= self.specks and small * 2 > count - 1


def _plane(target: Volume, most: int) -> NDArray[Any] | None:
    """Return a mask (channels, rows, columns), of a volume its middle slice; None: too large."""
    if len(target.shape) == 2:
        size = target.shape[0] * target.shape[1] * target.channels
        return None if size > most else read_all(target)
    middle = Plane(target, target.axes[0], target.shape[0] // 2)
    return _plane(middle, most)


def _masks(stored: NDArray[Any], task: Task) -> Sequence[Mask]:
    if task.exclusive:
        return [stored[0] == k for k in np.unique(stored[0]) if k]
    return [mask != 0 for mask in stored]


def _body_and_rim(classes: NDArray[Any], k: int) -> tuple[bool, bool]:
    """Return whether a class has a part with an inside, and a thin part between two others.

    A rim is no thicker than two pixels, and nearly all of it is near a lower and a higher class.
    """
    here = (classes == k).astype(np.uint8)
    three, five = np.ones((3, 3), np.uint8), np.ones((5, 5), np.uint8)
    count, parts = cv2.connectedComponents(here, connectivity=8)
    if k == 0 or count == 1:
        return False, False
    inside = cv2.erode(here, three, borderValue=0) > 0
    lower = cv2.dilate((classes < k).astype(np.uint8), five, borderValue=0) > 0
    higher = cv2.dilate((classes > k).astype(np.uint8), five, borderValue=0) > 0
    areas, inner, between = (
        np.bincount(parts.ravel(), weights, count)[1:]
        for weights in (None, inside.ravel(), (lower & higher).ravel())
    )
    rims = (areas >= _LEAST_RIM) & (inner == 0) & (between >= 0.9 * areas)
    return bool((inner > 0).any()), bool(rims.any())


def _framed(mask: Mask) -> bool:
    rows, columns = mask.shape
    if min(rows, columns) < 16:
        return False
    return _ring(mask, 0) >= 0.98 and _ring(mask, 6) < 0.5


def _ring(mask: Mask, depth: int) -> float:
    """Return the share of a ring around the centre that is on, ``depth`` pixels from the edge."""
    inner = mask[depth : len(mask) - depth, depth : mask.shape[1] - depth]
    ring = np.concatenate([inner[0], inner[-1], inner[1:-1, 0], inner[1:-1, -1]])
    return float(ring.mean())
