"""The cases that a validation scores worst, with a small picture of each."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lamina.data.case import Case
from lamina.data.network_input.frame import Frame
from lamina.data.targets.ground_truth import truth
from lamina.geometry.region import Region
from lamina.model.metrics import AnyMetric
from lamina.pictures.overlay import overlay
from lamina.pictures.pixels import Pixels, shrunk, shrunk_mask, stretched, visible
from lamina.reporting.cards.planes import down_of
from lamina.task import Task

KEPT = 6
"""Cases that are kept."""

_SIDE = 240  # pixels of a picture at most
_QUALITY = 80  # of JPEG


@dataclass(frozen=True)
class WorstCase:
    """A case with its score and its picture."""

    id: str
    group: str
    value: float
    """The monitored metric of this case alone, by the first decision that judges."""
    picture: str
    """JPEG in base64: truth filled, prediction outlined; of a volume the slice with most errors."""


class WorstCases:
    """Keeps the worst of all cases that are offered; pictures are drawn of those only."""

    def __init__(self, metric: AnyMetric, task: Task, frame: Frame | None = None) -> None:
        """Begin with none.

        Args:
            metric: What scores.
            task: What the outputs mean.
            frame: Tells which axis of a volume points downwards; None: slices stay as they are
                stored.
        """
        self._metric, self._task, self._frame = metric, task, frame
        self.found: tuple[WorstCase, ...] = ()

    def offer(self, case: Case, answer: NDArray[Any], tally: NDArray[np.float64]) -> None:
        """Keep a case if it is among the worst so far.

        Args:
            case: With its target.
            answer: (K, *S) probabilities, or values for restore.
            tally: The metric's, of this answer.
        """
        value = self._metric.score([tally]).value
        if len(self.found) == KEPT and self._order(value) >= self._order(self.found[-1].value):
            return
        drawn = _drawn(case, answer, self._task)
        if answer.ndim == 4 and self._frame is not None and down_of(case.image, self._frame) == 2:
            drawn = np.ascontiguousarray(drawn.swapaxes(0, 1))
        picture = base64.b64encode(_jpeg(drawn)).decode()
        self.take((*self.found, WorstCase(case.id, case.group, value, picture)))

    def take(self, cases: Iterable[WorstCase]) -> None:
        """Keep the worst of these, in place of those kept so far."""
        ordered = sorted(cases, key=lambda one: (self._order(one.value), one.id))
        self.found = tuple(ordered[:KEPT])

    def _order(self, value: float) -> float:
        return value if self._metric.higher_is_better else -value


def plain_masks(prob: NDArray[np.float32], task: Task) -> NDArray[Any]:
    """Return (K, *S) masks at 0.5, the most probable class, or the values of restore."""
    if task.kind == "restore":
        return prob
    if task.exclusive:
        best = prob.argmax(0)
        return np.asarray(best == np.arange(len(prob)).reshape(-1, *([1] * best.ndim)))
    return prob > 0.5


def _drawn(case: Case, answer: NDArray[Any], task: Task) -> Pixels:
    """Return the overlay of a case, or its restored values."""
    if answer.ndim == 4:
        case, answer = _slice_with_most_errors(case, answer, task)
    if task.kind == "restore":
        low, high = np.percentile(truth(case, task)[0], (0.5, 99.5))
        values = answer if len(answer) == 3 else answer[len(answer) // 2][None]
        return shrunk(stretched(values, float(low), float(high)), _SIDE)
    picture = shrunk(visible(case.image.read(Region.whole(case.image.shape))), _SIDE)
    first, size = int(task.exclusive), picture.shape[:2]
    target, masks = truth(case, task)[0][first:], plain_masks(answer, task)[first:]
    return overlay(
        picture,
        [shrunk_mask(mask, size) for mask in masks],
        [shrunk_mask(np.asarray(mask), size) for mask in target],
    )


def _slice_with_most_errors(
    case: Case, answer: NDArray[Any], task: Task
) -> tuple[Case, NDArray[Any]]:
    wrong = plain_masks(answer, task).astype(np.float32) - truth(case, task)[0]
    at = int(np.abs(wrong).sum(axis=(0, 2, 3)).argmax())
    return case.plane(case.image.axes[0], at), answer[:, at]


def _jpeg(pixels: Pixels) -> bytes:
    options = [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
    return cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), options)[1].tobytes()
