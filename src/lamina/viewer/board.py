"""What the pages show of one folder: its cases, scores at any threshold, orders of lists."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.errors import LaminaError
from lamina.model.metrics import AnyMetric, CountMetric
from lamina.pictures.palette import FALSE, MISSED, RIGHT, colour
from lamina.recipe.recipe import Recipe
from lamina.reporting.cards.planes import down_of, spacing_of
from lamina.result.decisions import AnyDecision, Threshold
from lamina.task import Task
from lamina.viewer.cases.pixels import Pixels
from lamina.viewer.cases.viewed import (
    ViewedCase,
    cuts,
    deciding,
    viewed,
)
from lamina.viewer.sources.contents import Contents, FoundCase, Source

SORTS = ("worst", "uncertain", "alarms", "misses", "largest", "id")
"""Orders of cases."""

_MOST_PROBLEMS = 20


class Board:
    """A run or a folder of predictions, opened for looking; nothing in it is written.

    Cases have numbers, which stay while the board lives. ``refresh`` scores those that are new.
    """

    def __init__(self, source: Source, scratch: Path) -> None:
        """Read what a folder holds; no case is scored yet.

        Args:
            source: The folder.
            scratch: An empty folder for shrunk copies of large images.

        Raises:
            DataError: it is not such a folder, or a file in it is damaged.
        """
        self._source = source
        self._stamp = source.stamp()
        self._contents = source.read()
        self.pixels = Pixels(self.task, scratch)
        self._lock = threading.Lock()
        self._cases: list[ViewedCase | None] = []
        self._numbers: dict[tuple[int | None, str], int] = {}
        self._bad: dict[tuple[int | None, str], tuple[object, str]] = {}
        self._why = ""
        self.revision = 0
        """Grows whenever a case is new, gone or scored anew."""

    @property
    def folder(self) -> Path:
        """The run, or the folder of predictions."""
        return self._source.folder

    @property
    def is_run(self) -> bool:
        """Whether it is a run folder, which has curves."""
        return self._source.is_run

    @property
    def recipe(self) -> Recipe:
        """The recipe of the run."""
        return self._contents.recipe

    @property
    def decision(self) -> AnyDecision:
        """What masks follow as long as no other decision is tried."""
        return self._contents.decision

    @property
    def task(self) -> Task:
        """What the outputs mean."""
        return self._contents.recipe.task

    @property
    def metric(self) -> AnyMetric:
        """What scores."""
        return self.recipe.metric.suited(self.task)

    @property
    def slides(self) -> bool:
        """Whether thresholds can be tried: of masks whose classes may overlap."""
        return self.task.kind in ("binary", "multilabel")

    @property
    def cases(self) -> dict[int, ViewedCase]:
        """The cases that are scored so far, by number."""
        with self._lock:
            return {n: case for n, case in enumerate(self._cases) if case is not None}

    def refresh(self, stopped: Callable[[], bool] = lambda: False) -> bool:
        """Read the folder again if it has changed, and score what is new; return whether any was.

        What cannot be read is kept as a problem for the page, and tried again once it changes.

        Args:
            stopped: Asked before each case; true: leave the rest for another time.
        """
        try:
            stamp = self._source.stamp()
            if stamp != self._stamp:
                self._contents = self._source.read()
                self._stamp, self._why = stamp, ""
        except (LaminaError, OSError) as error:  # such as a file that is being replaced
            self._why = str(error)
            return False
        contents, before = self._contents, self.revision
        for found in contents.cases:
            if stopped():
                return True
            self._score(found, contents)
        self._drop({(found.fold, found.case.id) for found in contents.cases})
        return self.revision > before

    def _score(self, found: FoundCase, contents: Contents) -> None:
        key, stamp = (found.fold, found.case.id), found.stamp
        number = self._numbers.get(key)
        known = None if number is None else self._cases[number]
        if known is not None and known.found.stamp == stamp:
            return
        if self._bad.get(key, (None, ""))[0] == stamp:
            return
        try:
            case = viewed(found, contents)
        except (LaminaError, OSError, ValueError) as error:
            self._bad[key] = stamp, str(error)
            self.revision += 1
            return
        self.pixels.prepare(case)
        with self._lock:
            self._bad.pop(key, None)
            if number is None:
                self._numbers[key] = len(self._cases)
                self._cases.append(case)
            else:
                self._cases[number] = case
            self.revision += 1

    def _drop(self, there: set[tuple[int | None, str]]) -> None:
        with self._lock:
            for key, number in self._numbers.items():
                if key not in there and self._cases[number] is not None:
                    self._cases[number] = None
                    self.revision += 1
            self._bad = {key: why for key, why in self._bad.items() if key in there}

    @property
    def problems(self) -> list[str]:
        """Why cases are not shown, in words; the first twenty."""
        found = [self._why] if self._why else []
        found += [*self._contents.problems, *(why for _, why in self._bad.values())]
        return found[:_MOST_PROBLEMS]

    def state(self) -> dict[str, Any]:
        """Return what pages need to know first."""
        recipe, cases = self.recipe, self.cases
        names = list(recipe.task.names or ())
        first = int(recipe.task.exclusive)
        return {
            "name": recipe.name,
            "folder": self.folder.resolve().name,
            "run": self.is_run,
            "kind": recipe.task.kind,
            "names": names,
            "first": first,
            "colours": [colour(k) for k in range(len(names) - first)],
            "errors": {"false": FALSE, "missed": MISSED, "right": RIGHT},
            "metric": recipe.metric.title,
            "higher": recipe.metric.higher_is_better,
            "decision": self.decision.summary,
            "start": self.start,
            "slides": self.slides,
            "slides_score": self._histograms_tell_the_metric,
            "truth": any(case.tally is not None for case in cases.values()),
            "count": len(cases),
            "asked": self._contents.asked,
            "folds": sorted({c.found.fold for c in cases.values() if c.found.fold is not None}),
            "revision": self.revision,
            "problems": self.problems,
            **self._scores(cases),
        }

    def _scores(self, cases: dict[int, ViewedCase]) -> dict[str, float | None]:
        empty = [case.empty for case in cases.values() if case.empty is not None]
        return {
            "value": self.score(""),
            "baseline": float(self.metric.score(empty).value) if empty else None,
        }

    @property
    def start(self) -> list[dict[str, float]]:
        """Threshold and minimum area of each class with which sliders begin."""
        if not isinstance(self.decision, Threshold):
            return [{"threshold": 0.5, "area": 0} for _ in range(self.task.outputs)]
        numbers = cuts(self.decision, self.task.outputs)
        return [{"threshold": threshold, "area": area} for threshold, area in numbers]

    def listed(self, sort: str, k: int | None, fold: int | None) -> list[dict[str, Any]]:
        """Return cases in an order; only those that show class ``k``, or of a fold.

        A class is shown where it is true; without a truth, where it is predicted.
        """
        sign = 1 if self.metric.higher_is_better else -1
        keys: dict[str, Callable[[ViewedCase], Any]] = {
            "worst": lambda one: (
                np.inf if one.value is None else sign * one.value,
                -one.wrong,
                one.id,
            ),
            "uncertain": lambda one: (
                np.inf if one.expected is None else one.expected,
                -one.unsure,
                one.id,
            ),
            "alarms": lambda one: (-one.pixels[1] * (one.pixels[2] == 0), one.id),
            "misses": lambda one: (-one.pixels[2] * (one.pixels[0] == 0), one.id),
            "largest": lambda one: (-one.pixels[1], one.id),
            "id": lambda one: one.id,
        }
        numbered = sorted(self.cases.items(), key=lambda pair: keys[sort](pair[1]))
        return [
            row(number, one)
            for number, one in numbered
            if (fold is None or one.found.fold == fold) and (k is None or self._shows(one, k))
        ]

    def about(self, number: int) -> dict[str, Any]:
        """Return what the grid says of one case, and how planes of a volume lie."""
        case = self.cases[number]
        image = case.found.case.image
        lies = {}
        if len(image.shape) == 3:
            lies = {
                "spacing": list(spacing_of(image)),
                "down": down_of(image, self.recipe.frame),
            }
        return row(number, case) | lies

    def _shows(self, case: ViewedCase, k: int) -> bool:
        if not case.counts:
            return True
        if case.tally is not None:
            return case.counts[k].truth > 0
        threshold = self.start[k]["threshold"]
        return case.counts[k].above(threshold)[0] > 0

    def read_decision(self, text: str) -> AnyDecision:
        """Return the decision of a text such as ``0.5:0;0.3:100``; an empty one: the folder's.

        Args:
            text: Threshold and minimum area of each class.

        Raises:
            ValueError: it is no decision, or not one for these classes.
        """
        if not text:
            return self.decision
        if not self.slides:
            raise ValueError("classes exclude each other: no thresholds to try")
        parts = [part.split(":") for part in text.split(";")]
        if len(parts) != self.task.outputs or any(len(part) != 2 for part in parts):
            raise ValueError(f"{self.task.outputs} pairs of threshold and area are needed")
        return Threshold(
            threshold=tuple(float(t) for t, _ in parts), min_area=tuple(int(a) for _, a in parts)
        )

    def score(self, text: str) -> float | None:
        """Return the metric of all cases by a decision.

        None: no case has a truth, or it is not known without deciding. It comes from the histograms
        of probabilities and equals what ``lamina score`` says of masks by this decision.
        """
        judged = [case for case in self.cases.values() if case.tally is not None]
        if not judged:
            return None
        if text:
            decision = self.read_decision(text)
            if not self._histograms_tell_the_metric or not isinstance(decision, Threshold):
                return None
            tallies = [tally_of(case, decision) for case in judged]
        else:
            tallies = [case.tally for case in judged if case.tally is not None]
        return float(self.metric.score(tallies).value)

    def case_score(self, number: int, text: str) -> dict[str, Any]:
        """Return the metric of one case by a decision (None: not known), and pixels by class."""
        case = self.cases[number]
        decision = self.read_decision(text)
        pixels = None
        if case.counts and isinstance(decision, Threshold) and deciding(decision, case.counts):
            numbers = zip(case.counts, cuts(decision, len(case.counts)), strict=True)
            areas = [(of.above(threshold)[0], least) for of, (threshold, least) in numbers]
            pixels = [area if area >= least else 0 for area, least in areas]
        value = case.value
        if text and case.tally is not None and isinstance(decision, Threshold):
            known = self._histograms_tell_the_metric
            tally = tally_of(case, decision) if known else self._decided_tally(case, decision)
            value = float(self.metric.score([tally]).value)
        return {"value": value, "pixels": pixels}

    def _decided_tally(self, case: ViewedCase, decision: AnyDecision) -> NDArray[np.float64]:
        """Return the metric's tally of one case whose masks are decided anew."""
        contents = self._contents
        predictions = case.found.predictions.with_decision(decision)
        found = FoundCase(case.found.case, predictions, case.found.fold)
        again = viewed(found, Contents(contents.folder, contents.recipe, decision, (), 0))
        assert again.tally is not None
        return again.tally

    @property
    def _histograms_tell_the_metric(self) -> bool:
        metric = self.metric
        joint = getattr(metric, "over", "") in ("foreground", "image") and self.task.outputs > 1
        return self.slides and isinstance(metric, CountMetric) and not metric.soft and not joint


def row(number: int, case: ViewedCase) -> dict[str, Any]:
    """Return what lists say of a case."""
    image = case.found.case.image
    return {
        "number": number,
        "id": case.id,
        "version": case.found.digest[:12],
        "group": case.found.case.group,
        "fold": case.found.fold,
        "value": case.value,
        "expected": case.expected,
        "unsure": case.unsure,
        "predicted": case.pixels[1],
        "truth": case.found.case.target is not None,
        "shape": list(image.shape),
        "axes": image.axes,
    }


def tally_of(case: ViewedCase, decision: Threshold) -> NDArray[np.float64]:
    """Return right, predicted and true pixels of each class and, of a single one, of any."""
    rows = []
    for of, (threshold, least) in zip(case.counts, cuts(decision, len(case.counts)), strict=True):
        area, predicted, right = of.above(threshold)
        shown = least <= 0 or area >= least
        rows.append((right * shown, predicted * shown, of.truth))
    return np.array([*rows, rows[0]], np.float64)
