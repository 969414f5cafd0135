"""What the pages show of a run: its held-out cases, scores at any threshold, curves of training."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.data.case import Case
from lamina.data.targets.ground_truth import truth
from lamina.folders import fold_folders
from lamina.model.metrics import CountMetric
from lamina.pictures.palette import FALSE, MISSED, RIGHT, colour
from lamina.reporting.judged_cases import ScoredCase, ScoredCases, judge
from lamina.reporting.run_contents import Run
from lamina.result.decisions import Threshold
from lamina.result.search.histogram import Counts, code_of

SORTS = ("worst", "uncertain", "alarms", "misses", "id")
"""Orders of cases."""

_HELD = 400 * 2**20  # bytes of decoded cases that are kept


@dataclass(frozen=True)
class Opened:
    """A case as arrays."""

    prob: NDArray[Any]
    """(K, *S) probabilities, or values of restore."""
    target: NDArray[Any]
    """(K, *S) truth."""
    valid: NDArray[np.bool_] | None


class Board:
    """A run, opened for looking; nothing in it is written."""

    def __init__(self, run: Run, cases: Mapping[str, Case]) -> None:
        """Judge the held-out cases of a run and keep their histograms."""
        self.run = run
        self.task = run.recipe.task
        kept: list[list[Counts]] = []
        self.judgement: ScoredCases = judge(run, cases, counted=kept.append)
        self._histograms = kept if self._histograms_tell_the_metric else None
        self._lock = threading.Lock()
        self._opened: OrderedDict[int, Opened] = OrderedDict()
        self._masks: OrderedDict[tuple[int, str], NDArray[np.bool_]] = OrderedDict()

    @property
    def cases(self) -> Sequence[ScoredCase]:
        """The held-out cases; addresses name them by their place here."""
        return self.judgement.cases

    @property
    def slides(self) -> bool:
        """Whether thresholds can be tried: of masks whose classes may overlap."""
        return self.task.kind in ("binary", "multilabel")

    def state(self) -> dict[str, Any]:
        """Return what pages need to know first."""
        recipe, summary = self.run.recipe, self.judgement.summary
        names = list(recipe.task.names or ())
        first = int(recipe.task.exclusive)
        return {
            "name": recipe.name,
            "kind": recipe.task.kind,
            "names": names,
            "first": first,
            "colours": [colour(k) for k in range(len(names) - first)],
            "errors": {"false": FALSE, "missed": MISSED, "right": RIGHT},
            "metric": recipe.metric.title,
            "higher": recipe.metric.higher_is_better,
            "decision": self.run.decision.summary,
            "start": self.start,
            "slides": self.slides,
            "scored": self._histograms is not None,
            "value": None if summary is None else summary["value"],
            "baseline": None if summary is None else summary.get("baseline_empty"),
            "count": len(self.cases),
            "folds": sorted({one.fold for one in self.cases}),
        }

    @property
    def start(self) -> list[dict[str, float]]:
        """Threshold and minimum area of each class with which sliders begin."""
        classes, decision = self.task.outputs, self.run.decision
        if not isinstance(decision, Threshold):
            return [{"threshold": 0.5, "area": 0} for _ in range(classes)]
        pairs = zip(
            _each(decision.threshold, classes), _each(decision.min_area, classes), strict=True
        )
        return [{"threshold": float(t), "area": int(a)} for t, a in pairs]

    def listed(self, sort: str, k: int | None, fold: int | None) -> list[dict[str, Any]]:
        """Return cases in an order; only those that show class ``k``, or of a fold."""
        sign = 1 if self.run.recipe.metric.higher_is_better else -1
        keys: dict[str, Callable[[ScoredCase], Any]] = {
            "worst": lambda one: (sign * one.value, -one.wrong, one.case.id),
            "uncertain": lambda one: (
                np.inf if one.expected is None else one.expected,
                one.case.id,
            ),
            "alarms": lambda one: (-one.pixels[1] * (one.pixels[2] == 0), one.case.id),
            "misses": lambda one: (-one.pixels[2] * (one.pixels[0] == 0), one.case.id),
            "id": lambda one: one.case.id,
        }
        numbered = sorted(enumerate(self.cases), key=lambda pair: keys[sort](pair[1]))
        return [
            self._row(number, one)
            for number, one in numbered
            if (fold is None or one.fold == fold) and (k is None or self._shows(number, k))
        ]

    def about(self, number: int) -> dict[str, Any]:
        """Return what the grid says of one case."""
        return self._row(number, self.cases[number])

    def _shows(self, number: int, k: int) -> bool:
        if self._histograms is None:
            return bool(self.opened(number).target[k].any())
        return self._histograms[number][k].truth > 0

    def _row(self, number: int, one: ScoredCase) -> dict[str, Any]:
        return {
            "number": number,
            "id": one.case.id,
            "group": one.case.group,
            "fold": one.fold,
            "value": one.value,
            "expected": one.expected,
            "wrong": one.wrong,
            "shape": list(one.case.image.shape),
            "axes": one.case.image.axes,
        }

    def opened(self, number: int) -> Opened:
        """Return a case as arrays; the last few are kept."""
        with self._lock:
            if number in self._opened:
                self._opened.move_to_end(number)
                return self._opened[number]
        one = self.cases[number]
        target, valid = truth(one.case, self.task)
        found = Opened(one.predictions.prob(one.case.id), target, valid)
        with self._lock:
            self._opened[number] = found
            while len(self._opened) > 1 and sum(map(_bytes, self._opened.values())) > _HELD:
                self._opened.popitem(last=False)
        return found

    def decided(self, number: int, text: str) -> NDArray[np.bool_]:
        """Return the masks (K, *S) of a case by a decision such as ``0.5:0;0.3:100``, or its own.

        Args:
            number: Place of the case.
            text: Threshold and minimum area of each class; empty: the decision of the run.

        Raises:
            ValueError: it is no decision, or not one for these classes.
        """
        key = (number, text)
        with self._lock:
            if key in self._masks:
                return self._masks[key]
        decision = self.decision(text)
        masks = np.asarray(decision(self.opened(number).prob))
        with self._lock:
            self._masks[key] = masks
            while len(self._masks) > 1 and sum(m.nbytes for m in self._masks.values()) > _HELD:
                self._masks.popitem(last=False)
        return masks

    def decision(self, text: str) -> Any:
        """Return a decision as ``decided`` reads it."""
        if not text:
            return self.run.decision
        if not self.slides:
            raise ValueError("classes exclude each other: no thresholds to try")
        parts = [part.split(":") for part in text.split(";")]
        if len(parts) != self.task.outputs or any(len(part) != 2 for part in parts):
            raise ValueError(f"{self.task.outputs} pairs of threshold and area are needed")
        return Threshold(
            threshold=tuple(float(t) for t, _ in parts), min_area=tuple(int(a) for _, a in parts)
        )

    def score(self, text: str) -> float | None:
        """Return the metric of all held-out cases by a decision; None: not known without deciding.

        It comes from the histograms of probabilities and equals what ``lamina score`` says of
        masks by this threshold and minimum area.
        """
        if not text:
            summary = self.judgement.summary
            return None if summary is None else float(summary["value"])
        decision = self.decision(text)
        if self._histograms is None:
            return None
        tallies = [_tally(of_case, decision) for of_case in self._histograms]
        return float(self.run.recipe.metric.score(tallies).value)

    def case_score(self, number: int, text: str) -> float:
        """Return the metric of one case by a decision."""
        if not text:
            return self.cases[number].value
        opened, masks = self.opened(number), self.decided(number, text)
        metric = self.run.recipe.metric
        soft = opened.prob if metric.soft else masks
        return float(metric.score([metric.tally(soft, opened.target, opened.valid)]).value)

    @property
    def _histograms_tell_the_metric(self) -> bool:
        metric = self.run.recipe.metric
        joint = getattr(metric, "over", "") == "foreground" and self.task.outputs > 1
        return self.slides and isinstance(metric, CountMetric) and not metric.soft and not joint

    def curves(self, since: Mapping[str, int]) -> dict[str, Any]:
        """Return whole rows of metrics.jsonl of each fold after a byte, and where they end."""
        found = {}
        for folder in fold_folders(self.run.folder):
            rows, end = _rows_after(folder / "metrics.jsonl", since.get(folder.name, 0))
            found[folder.name] = {"rows": rows, "end": end}
        return found


def _rows_after(path: Path, start: int) -> tuple[list[dict[str, Any]], int]:
    """Return the rows of a log after a byte, without a last line that is not whole."""
    if not path.is_file():
        return [], 0
    with path.open("rb") as file:
        size = file.seek(0, 2)
        start = start if 0 <= start <= size else 0
        file.seek(start)
        data = file.read()
    whole = data[: data.rfind(b"\n") + 1]
    rows = []
    for line in whole.splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict):
            rows.append(row)
    return rows, start + len(whole)


def _tally(of_case: Sequence[Counts], decision: Threshold) -> NDArray[np.float64]:
    """Return right, predicted and true pixels of each class and, of a single one, of any."""
    classes = len(of_case)
    pairs = zip(
        of_case,
        _each(decision.threshold, classes),
        _each(decision.min_area, classes),
        strict=True,
    )
    rows = []
    for found, threshold, least in pairs:
        above = found.codes > code_of(float(threshold))
        shown = int(found.area[above].sum()) >= int(least)
        right, predicted = (
            float(column[above].sum()) * shown for column in (found.positives, found.predicted)
        )
        rows.append((right, predicted, float(found.truth)))
    return np.array([*rows, rows[0]], np.float64)


def _each(value: Any, classes: int) -> Sequence[Any]:
    return value if isinstance(value, tuple) else (value,) * classes


def _bytes(opened: Opened) -> int:
    return opened.prob.nbytes + opened.target.nbytes
