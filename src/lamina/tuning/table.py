"""What ``tune`` found: as a value, whose JSON is ``tune.json``, and as a table for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from lamina.model.metrics import Score
from lamina.public import VerbResult
from lamina.recipe.recipe import Recipe
from lamina.result.decisions import AnyDecision, Threshold, Triplet
from lamina.result.search.result import ClassFound, Found
from lamina.result.search.triplet.landscape import GIVE
from lamina.result.search.triplet.result import TripletClass, TripletFound
from lamina.task import Aim

RULES = {
    "best": "chosen: the highest score",
    "flat": f"chosen: flat, of the triplets within {GIVE:g} of the best the one whose neighbours "
    "(thresholds within 0.05, half to double the area) score highest",
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
    decision: Threshold | Triplet,
    found: Found | TripletFound,
    told: Mapping[str, Score],
) -> TuneResult:
    """Return metric, decision, scores, and per class the numbers found.

    Args:
        recipe: Its metric and the names of its classes.
        decision: The one found.
        found: What the search tells; its scores are of what it aimed at.
        told: The metric of the decision and of others, by ``figures``.
    """
    more = _of_triplets(found) if isinstance(found, TripletFound) else _of_thresholds(found)
    names = recipe.task.names or ()
    numbers: Sequence[ClassFound | TripletClass] = found.classes
    classes = {
        names[k]: TunedClass(one, {name: score.classes[k] for name, score in told.items()})
        for k, one in enumerate(numbers)
        if not recipe.task.exclusive or k >= recipe.metric.first
    }
    scores = {
        "tuned": told["tuned"].value,
        "nested": told["nested"].value if "nested" in told else None,
        "at_half": told["at_half"].value,
        "baseline_empty": told["baseline_empty"].value,
        **more.pop("scores"),
    }
    return TuneResult(
        metric=recipe.metric.title,
        decision=decision,
        scores=scores,
        classes=classes,
        aim=found.aim,
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
        peaks = [one.best if rule == "best" else one.flat for one in found.classes]
        scores[rule] = float(np.mean([one.score for one in peaks]))
        crosses = [one.cross for one in peaks if one.cross is not None]
        if crosses:
            scores[f"{rule}_nested"] = float(np.mean(crosses))
    choice = found.classes[0].choice
    return {
        "scores": scores,
        "unit": found.unit,
        "tried": found.tried,
        "choice": RULES[choice],
    }


def table(found: TuneResult) -> str:
    """Return what ``tune`` found as a table for people."""
    result = found.to_dict()
    scores = result["scores"]
    lines = [
        f"{result['metric']}: {scores['tuned']:.4f} tuned, {scores['at_half']:.4f} at 0.5, "
        f"{scores['baseline_empty']:.4f} when nothing is predicted"
    ]
    if scores["nested"] is not None:
        lines.append(f"each fold judged by numbers found on the others: {scores['nested']:.4f}")
    if result["aim"]["instead"] is not None:
        aim = Aim.model_validate(result["aim"])
        lines.append(f"searched for {aim.label} in its place: {aim.instead}")
    more = _triplet_lines if result["decision"]["kind"] == "triplet" else _threshold_lines
    return "\n".join([*lines, *more(result)])


def _threshold_lines(result: dict[str, Any]) -> list[str]:
    scores = result["scores"]
    auc = scores["auc"]
    lines = [
        f"any class, all pixels pooled: Dice {scores['foreground_dice']:.4f} above "
        f"{scores['foreground_threshold']:.3f}"
        + (f" in {least} pixels at least" if (least := scores["foreground_area"]) else "")
        + ("" if auc is None else f"; image AUC {auc:.4f}")
    ]
    heads = ("threshold", "min area", "min part", "  score", "  empty", "   AUC")
    lines.append(" ".join([f"{'class':20}", *heads]))
    classes, decision = result["classes"], result["decision"]
    numbers = zip(
        *(
            _last(decision[name], len(classes))
            for name in ("threshold", "min_area", "min_component")
        ),
        strict=True,
    )
    for (name, one), (threshold, area, part) in zip(classes.items(), numbers, strict=True):
        auc = "-" if one["auc"] is None else f"{one['auc']:.3f}"
        lines.append(
            f"{name:20} {threshold:9.4f} {area:8d} {part:8d} {_number(one['metric']['tuned'])} "
            f"{_number(one['metric']['baseline_empty'])} {auc:>6}"
        )
    return lines


def _last(value: Any, count: int) -> list[Any]:
    """Return the numbers of the decision for the last ``count`` classes; one serves them all."""
    return value[-count:] if isinstance(value, list) else [value] * count


def _number(value: float | None) -> str:
    return f"{'-':>7}" if value is None else f"{value:7.4f}"


def _triplet_lines(result: dict[str, Any]) -> list[str]:
    lines = [
        f"best single threshold without an area: {result['scores']['threshold']:.4f}",
        f"tried, with areas by {result['unit']}: {result['tried']}",
        result["choice"],
    ]
    heads = ("rule", "    top", "    area", " bottom", "  score", " nested", " around", "  least")
    lines.append(" ".join([f"{'class':20}", *heads]))
    for name, one in result["classes"].items():
        for rule in ("best", "flat"):
            peak = one[rule]
            nested = "-" if peak["cross"] is None else f"{peak['cross']:.4f}"
            lines.append(
                f"{name:20} {rule} {peak['top']:7.4f} {peak['area']:8d} {peak['bottom']:7.4f} "
                f"{peak['score']:7.4f} {nested:>7} {peak['around']:7.4f} "
                f"{peak['around_least']:7.4f}{'  chosen' if rule == one['choice'] else ''}"
            )
    return lines
