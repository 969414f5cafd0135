"""What the pixels of images and labels say, read up to a bound.

Which pixels are read depends on the data alone and never on the time that it takes, so that the
same data have the same fingerprint.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lamina.data.case import Case
from lamina.geometry.region import Region
from lamina.plan.fingerprint.facts import Classes, Intensity
from lamina.progress import Bar
from lamina.task import Task
from lamina.volume import placement_of

MOST = 1 << 28
"""Values of images, and of labels, that are read."""

_EACH = 1 << 25  # of one case at most
_PLANES = 8  # places at least of a volume that is not read as a whole
_SAMPLED = 1 << 18  # values of a case that differences are taken of


@dataclass(frozen=True)
class _CaseFacts:
    low: float
    high: float
    mean: float
    std: float
    steps: tuple[float, ...]
    pixels: int
    areas: tuple[int, ...]
    extents: tuple[float, ...]
    left: tuple[int, ...]
    width: float


@dataclass(frozen=True)
class PixelFacts:
    """What was measured, and of how much."""

    intensity: Intensity
    classes: Classes | None
    roughness: tuple[float, ...]
    read_cases: int
    read_share: float


def pixels_of(cases: Sequence[Case], task: Task) -> PixelFacts:
    """Measure evenly spaced cases.

    Args:
        cases: Opened, in order of their ids; all with labels.
        task: With its names.

    Raises:
        DataError: an image or its labels cannot be read.
    """
    chosen = _chosen(cases)
    rows, read = [], 0
    with Bar("measuring", len(chosen)) as bar:
        for case in chosen:
            boxes = _boxes(case)
            rows.append(_measured(case, boxes, task))
            read += sum(prod(box.shape) for box in boxes)
            bar.advance(note=case.id)
    whole = sum(prod(case.image.shape) for case in cases)
    within = float(np.mean([row.std for row in rows]))
    between = float(np.std([row.mean for row in rows])) / within if within else 0.0
    steps = np.mean([row.steps for row in rows], axis=0)
    finest = min((step for step in steps if step > 0), default=1.0)
    intensity = Intensity(
        low=min(row.low for row in rows),
        high=max(row.high for row in rows),
        between=_rounded(between),
        within=_rounded(within),
    )
    return PixelFacts(
        intensity=intensity,
        classes=None if task.kind == "restore" else _classes(rows, cases, task),
        roughness=tuple(_rounded(max(step / finest, 1.0)) for step in steps),
        read_cases=len(chosen),
        read_share=round(read / max(whole, 1), 4),
    )


def _chosen(cases: Sequence[Case]) -> list[Case]:
    """Return as many evenly spaced cases as the bound allows."""
    cost = sum(min(prod(c.image.shape) * c.image.channels, _EACH) for c in cases)
    if cost <= MOST:
        return list(cases)
    count = max(1, int(len(cases) * MOST / cost))
    places = np.linspace(0, len(cases) - 1, count).round().astype(int)
    return [cases[k] for k in sorted(set(places.tolist()))]


def _boxes(case: Case) -> list[Region]:
    """Return the regions of a case that are read: all of it, or slabs along its first axis."""
    shape, channels = tuple(case.image.shape), case.image.channels
    row = prod(shape[1:]) * channels
    if row * shape[0] <= _EACH:
        return [Region.whole(shape)]
    thick = max(1, _EACH // (_PLANES * row))
    starts = np.linspace(0, shape[0] - thick, _PLANES).astype(int)
    rest = shape[1:]
    return [
        Region((first, *[0] * len(rest)), (min(first + thick, shape[0]), *rest))
        for first in sorted(set(starts.tolist()))
    ]


def _measured(case: Case, boxes: Sequence[Region], task: Task) -> _CaseFacts:
    cut = 1 + cut_axis(case)  # slices come first, their rows and columns last
    images = [np.moveaxis(np.asarray(case.image.read(box)), cut, 1) for box in boxes]
    values = np.concatenate([one.reshape(-1) for one in images])
    if values.dtype.kind == "f":
        values = values[np.isfinite(values)]
    values = values if values.size else np.zeros(1)
    outputs = _outputs(task)
    areas = np.zeros(outputs, np.int64)
    left, extents, width = np.zeros(outputs, np.int64), np.zeros(outputs), 0.0
    if case.target is not None and task.kind != "restore":
        widths = []
        for box in boxes:
            masks = np.moveaxis(_masks(np.asarray(case.target.read(box)), task), cut, 1)
            areas += masks.reshape(outputs, -1).sum(1)
            left += masks[..., : masks.shape[-1] // 2].reshape(outputs, -1).sum(1)
            extents = np.maximum(extents, [_extent(mask) for mask in masks])
            widths.append(_width(np.asarray(masks.any(0))))
        width = max(widths)
    return _CaseFacts(
        low=float(values.min()),
        high=float(values.max()),
        mean=float(values.mean(dtype=np.float64)),
        std=float(values.std(dtype=np.float64)),
        steps=_steps(images[len(images) // 2], cut - 1),
        pixels=sum(prod(box.shape) for box in boxes),
        areas=tuple(areas.tolist()),
        extents=tuple(extents.tolist()),
        left=tuple(left.tolist()),
        width=width,
    )


def cut_axis(case: Case) -> int:
    """Return the number of the axis that slices are taken across: the coarsest, else z, else 0."""
    image = case.image
    if len(image.axes) < 3:
        return 0
    placed = placement_of(image)
    spacing = placed.spacing if len(set(placed.units or ())) < 2 else None
    if spacing is not None and None not in spacing:
        steps = [float(one or 0.0) for one in spacing]
        if max(steps) > 1.01 * min(steps):
            return steps.index(max(steps))
    return max(image.axes.find("z"), 0)


def _outputs(task: Task) -> int:
    return len(task.names or ()) - (task.kind == "multiclass") if task.kind != "restore" else 0


def _masks(target: NDArray[Any], task: Task) -> NDArray[np.bool_]:
    """Return (outputs, *S) masks without the background."""
    if task.kind == "multiclass":
        count = len(task.names or ())
        return np.stack([target[0] == k for k in range(1, count)])
    return target > 0


def _extent(mask: NDArray[np.bool_]) -> float:
    """Return the longer side of the largest part of a mask, as a share of the plane's side."""
    if not mask.any():
        return 0.0
    plane = mask
    while plane.ndim > 2:
        plane = plane[int(plane.reshape(len(plane), -1).sum(1).argmax())]
    _, _, boxes, _ = cv2.connectedComponentsWithStats(plane.astype(np.uint8), connectivity=8)
    if len(boxes) < 2:
        return 0.0
    box = boxes[1 + int(boxes[1:, cv2.CC_STAT_AREA].argmax())]
    sides = box[cv2.CC_STAT_HEIGHT] / plane.shape[0], box[cv2.CC_STAT_WIDTH] / plane.shape[1]
    return float(max(sides))


def _width(mask: NDArray[np.bool_]) -> float:
    """Return twice the area over the length of the outline in the last two axes; 0: empty."""
    area = int(mask.sum())
    if not area:
        return 0.0
    edges = np.count_nonzero(np.diff(mask.view(np.int8), axis=-1))
    edges += np.count_nonzero(np.diff(mask.view(np.int8), axis=-2))
    return 2 * area / max(edges * np.pi / 4, 1.0)  # pixels' edges are longer than outlines by 4/pi


def _steps(image: NDArray[Any], cut: int) -> tuple[float, ...]:
    """Return the mean difference of neighbours along each stored axis.

    Args:
        image: (channels, *S) with the axis ``cut`` moved to the front.
        cut: Where it was.
    """
    values = image[0]
    if values.size > _SAMPLED * 16 and values.ndim == 3:
        values = values[: max(2, _SAMPLED * 16 // prod(values.shape[1:]))]
    values = values.astype(np.float32)
    found = []
    for axis in range(values.ndim):
        if values.shape[axis] < 2:
            found.append(0.0)
            continue
        found.append(float(np.abs(np.diff(values, axis=axis)).mean()))
    finite = [0.0 if not np.isfinite(one) else one for one in found]
    finite.insert(cut, finite.pop(0))
    return tuple(finite)


def _classes(rows: Sequence[_CaseFacts], cases: Sequence[Case], task: Task) -> Classes:
    pixels = sum(row.pixels for row in rows)
    count = _outputs(task)
    known = [str(c.facts["classes"]) for c in cases if "classes" in c.facts]
    if len(known) == len(cases):  # the catalog has read every mask
        first = int(task.kind == "multiclass")
        shown = [{int(word) - first for word in one.split(",") if word} for one in known]
    else:
        shown = [{k for k, area in enumerate(row.areas) if area} for row in rows]
    totals = [sum(row.areas[k] for row in rows) for k in range(count)]
    return Classes(
        shares=tuple(_rounded(total / max(pixels, 1)) for total in totals),
        cases=tuple(sum(k in one for one in shown) for k in range(count)),
        extents=tuple(
            _median(row.extents[k] for row in rows if row.areas[k]) for k in range(count)
        ),
        left=tuple(
            _rounded(sum(row.left[k] for row in rows) / total) if total else 0.5
            for k, total in enumerate(totals)
        ),
        empty=sum(not one for one in shown),
        known=len(shown),
        width=_median(row.width for row in rows if row.width),
    )


def _median(values: Iterable[float]) -> float:
    found = list(values)
    return _rounded(float(np.median(found))) if found else 0.0


def _rounded(value: float) -> float:
    """Return four significant digits, which do not depend on the order of additions."""
    return float(f"{value:.4g}")
