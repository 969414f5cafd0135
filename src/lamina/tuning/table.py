"""What ``tune`` found: as a value, whose JSON is ``tune.json``, and as a table for people."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from lamina.evaluation.columns import aligned
from lamina.evaluation.verdict import Verdict
from lamina.public import VerbResult
from lamina.recipe.recipe import Recipe
from lamina.result.calibration import Calibration
from lamina.result.decisions import AnyDecision, Expected, Triplet
from lamina.result.reliability import Reliability
from lamina.result.search.result import ClassFound, Found
from lamina.result.search.triplet.landscape import GIVE
from lamina.result.search.triplet.result import TripletClass, TripletFound
from lamina.task import Aim
from lamina.tuning.figures import Figures
from lamina.tuning.selection import DecisionSelection

RULES = {
    "best": "chosen: the highest score",
    "flat": f"chosen: flat, among triplets within {GIVE:g} of the best score the one whose "
    "neighbours (thresholds within 0.05, half to double the area) score highest on average",
}
"""How a triplet is chosen, in words."""


@dataclass(frozen=True)
class TunedClass(VerbResult):
    """What was found for one class."""

    numbers: ClassFound | TripletClass
    """The best numbers of the class by itself, and the scores of the search by its own aim."""
    metric: Mapping[str, float | None]
    """The recipe's metric, by the words of ``TuneResult.scores``."""

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers as JSON values, with ``metric`` among them."""
        return {**self.numbers.model_dump(mode="json"), "metric": dict(self.metric)}


@dataclass(frozen=True)
class ClassReliability(VerbResult):
    """How far the probabilities of one class can be taken at their word."""

    before: Reliability
    """As the members answer."""
    after: Reliability
    """Calibrated, on groups that had no part in the calibration."""


@dataclass(frozen=True)
class TuneResult(VerbResult):
    """What ``tune`` found; ``tune.json`` holds the same."""

    metric: str
    """Title of the recipe's metric."""
    decision: AnyDecision
    """The decision found, which the bundle has now."""
    scores: Mapping[str, float | None]
    """The metric out of fold: ``tuned``, ``nested`` (each fold decided by the numbers found on the
    others; None: one fold), ``at_half`` (a threshold of 0.5), ``baseline_empty`` (nothing is
    predicted), and others by the kind of decision."""
    classes: Mapping[str, TunedClass]
    """What was found for each class that the metric counts, by its name."""
    aim: Aim
    """What was searched for."""
    selection: DecisionSelection
    """What each decision is expected to score on new groups, and which one is kept."""
    calibration: tuple[Calibration, ...] = ()
    """The curve of each class that members' probabilities go through; none: not calibrated."""
    reliability: Mapping[str, ClassReliability] = field(default_factory=dict)
    """Reliability diagrams of the classes that the metric counts, by name."""
    verdict: Verdict | None = None
    """Whether the cross-validated score beats the all-empty baseline; of one fold: the tuned."""
    foreground: ClassFound | None = None
    """The numbers that tell any class from none; None for triplets."""
    unit: Literal["image", "component"] | None = None
    """What the area of a triplet is asked of; None for thresholds."""
    tried: str | None = None
    """Which triplets were tried, in words; None for thresholds."""
    choice: str | None = None
    """How the triplet was chosen, in words; None for thresholds."""

    def _not_applicable(self) -> set[str]:
        optional = ("foreground", "unit", "tried", "choice")
        return {name for name in optional if getattr(self, name) is None}


def result_of(
    recipe: Recipe,
    decision: AnyDecision,
    found: Found | TripletFound,
    told: Figures,
    selection: DecisionSelection,
    curves: tuple[Calibration, ...] = (),
    reliable: Mapping[str, ClassReliability] | None = None,
) -> TuneResult:
    """Return metric, decision, scores, and per class the numbers found.

    Args:
        recipe: Its metric and the names of its classes.
        decision: The one found.
        found: What the search tells; its scores are of what it aimed at.
        told: The metric of the decision and of others, by ``figures``.
        selection: How the decision was chosen.
        curves: The calibration of the members, class by class.
        reliable: Reliability diagrams by class.
    """
    more = _of_triplets(found) if isinstance(found, TripletFound) else _of_thresholds(found)
    names = recipe.task.names or ()
    numbers: Sequence[ClassFound | TripletClass] = found.classes
    classes = {
        names[k]: TunedClass(one, {name: score.classes[k] for name, score in told.scores.items()})
        for k, one in enumerate(numbers)
        if not recipe.task.exclusive or k >= recipe.metric.first
    }
    values = {name: score.value for name, score in told.scores.items()}
    scores = {
        "tuned": values["tuned"],
        "nested": values.get("nested"),
        "at_half": values["at_half"],
        "baseline_empty": values["baseline_empty"],
        **more.pop("scores"),
    }
    return TuneResult(
        metric=recipe.metric.title,
        decision=decision,
        scores=scores,
        classes=classes,
        aim=found.aim,
        selection=selection,
        calibration=curves,
        reliability=reliable or {},
        verdict=told.verdict,
        **more,
    )


def _of_thresholds(found: Found) -> dict[str, Any]:
    return {
        "scores": {
            **_any_class(found),
            "auc": found.foreground.auc,
        },
        "foreground": found.foreground,
    }


def _any_class(found: Found) -> dict[str, Any]:
    """Return the numbers that tell any class from none, and how folds fare by others' numbers."""
    one, gate = found.foreground, found.gate
    if gate is not None and gate.score > one.score:
        numbers = (gate.score, gate.threshold, gate.min_area, gate.cross)
    else:
        numbers = (one.score, one.threshold, 0, one.cross)
    names = ("dice", "threshold", "area", "nested")
    return {f"foreground_{name}": value for name, value in zip(names, numbers, strict=True)}


def _of_triplets(found: TripletFound) -> dict[str, Any]:
    scores = {"threshold": float(np.mean([one.threshold_score for one in found.classes]))}
    for rule in ("best", "flat"):
        peaks = [class_.best if rule == "best" else class_.flat for class_ in found.classes]
        scores[rule] = float(np.mean([one.score for one in peaks]))
        crosses = [peak.cross for peak in peaks if peak.cross is not None]
        if crosses:
            scores[f"{rule}_nested"] = float(np.mean(crosses))
    choice = found.classes[0].choice
    return {
        "scores": scores,
        "unit": found.unit,
        "tried": found.tried,
        "choice": RULES[choice],
    }


def table(result: TuneResult) -> str:
    """Return what ``tune`` found as a table for people."""
    scores = result.scores
    lines = [
        result.metric,
        _pair("decision kept, on the same cases", scores["tuned"]),
        _pair("threshold 0.5", scores["at_half"]),
        _pair("baseline: all-empty prediction", scores["baseline_empty"]),
    ]
    if result.aim.instead is not None:
        lines.append(f"  optimised: {result.aim.label}, since {result.aim.instead}")
    more = _triplet_lines if isinstance(result.decision, Triplet) else _threshold_lines
    return "\n".join([*lines, "", *result.selection.lines(), "", *more(result)])


def _threshold_lines(result: TuneResult) -> list[str]:
    scores, auc = result.scores, result.scores["auc"]
    area = scores["foreground_area"]
    fitted = isinstance(result.decision, Expected)
    heads, numbers = (_fitted if fitted else _numbers)(result)
    rows = [["class", *heads, "score", "all-empty", "image AUC"]]
    for (name, found), cells in zip(result.classes.items(), numbers, strict=True):
        values = (found.metric["tuned"], found.metric["baseline_empty"], found.to_dict()["auc"])
        rows.append([name, *cells, *map(_number, values)])
    return [
        _pair("foreground Dice (all classes merged)", scores["foreground_dice"])
        + f"   threshold {scores['foreground_threshold']:.3f}"
        + (f"; images under {area:.0f} px set empty" if area else ""),
        *([] if auc is None else [_pair("image-level AUC (any class)", auc)]),
        "",
        *(f"  {line}" for line in aligned(rows)),
    ]


def _numbers(result: TuneResult) -> tuple[list[str], list[list[str]]]:
    """Return heads and cells of a decision by thresholds."""
    decision, count = result.decision.model_dump(mode="json"), len(result.classes)
    if "threshold" not in decision:
        return [], [[]] * count
    columns = [_last(decision[key], count) for key in ("threshold", "min_area", "min_component")]
    rows = zip(*columns, strict=True)
    cells = [[f"{threshold:.4f}", *map(str, areas)] for threshold, *areas in rows]
    return ["threshold", "min area", "min component"], cells


def _fitted(result: TuneResult) -> tuple[list[str], list[list[str]]]:
    """Return heads and cells of a decision by expected score."""
    decision = result.decision
    assert isinstance(decision, Expected)
    rows = []
    for class_ in decision.classes[-len(result.classes) :]:
        if class_.fallback is not None:
            rows.append([f"threshold {class_.fallback:g}", "-", "-"])
            continue
        curve, presence = class_.calibration, class_.presence
        calibrated = "isotonic" if curve.knots else f"{curve.slope:.2f} x {curve.shift:+.2f}"
        level = "-" if presence is None else f"{presence.level:.2f}"
        base = "always" if presence is None else f"{1 / (1 + math.exp(-presence.base)):.2f}"
        rows.append([calibrated, base, level])
    return ["logit calibration", "image has class", "score / expected"], rows


def _triplet_lines(result: TuneResult) -> list[str]:
    heads = ["class", "rule", "top threshold", "min area", "bottom threshold", "score"]
    rows = [[*heads, "cross-validated", "neighbours mean", "neighbours min", ""]]
    for name, found in result.classes.items():
        one = found.to_dict()
        for rule in ("best", "flat"):
            peak = one[rule]
            numbers = [f"{peak['top']:.4f}", str(peak["area"]), f"{peak['bottom']:.4f}"]
            values = (peak["score"], peak["cross"], peak["around"], peak["around_least"])
            chosen = "chosen" if rule == one["choice"] else ""
            rows.append([name, rule, *numbers, *map(_number, values), chosen])
    return [
        _pair("best single threshold, no min area", result.scores["threshold"]),
        f"  tried: {result.tried}; areas counted per {result.unit}",
        f"  {result.choice}",
        "",
        *(f"  {line}".rstrip() for line in aligned(rows)),
    ]


def _pair(name: str, value: float | None) -> str:
    return f"  {name:38}{_number(value):>8}"


def _last(value: Any, count: int) -> list[Any]:
    """Return the numbers of the decision for the last ``count`` classes; one serves them all."""
    return value[-count:] if isinstance(value, list) else [value] * count


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
