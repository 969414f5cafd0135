"""A score as lines for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lamina.evaluation.score_result import ScoreResult

_COLUMNS = {
    "value": "value",
    "pooled_dice": "pooled Dice",
    "precision": "precision",
    "recall": "recall",
    "auc": "AUC",
    "images": "with it",
    "images_predicted": "predicted",
}


def table(score: ScoreResult) -> str:
    """Return what ``score`` found as plain text: the metric first, then a row for each class."""
    result = score.to_dict()
    lines = [f"{result['metric']}", _pair("value", result["value"])]
    if result.get("baseline_empty") is not None:
        lines.append(_pair("predicting nothing", result["baseline_empty"]))
    if result.get("baseline_input") is not None:
        lines.append(_pair("what it was restored from", result["baseline_input"]))
    if "foreground_dice" in result:
        lines += _masks(result)
    lines += ["", *_classes(result["classes"])]
    lines += ["", f"{result['cases']} cases{_known(result)}"]
    lines += _alone(result)
    return "\n".join(lines)


def _masks(result: dict[str, Any]) -> list[str]:
    best = result["foreground_dice_best"]
    at = f"at most {best['value']:.4f} with one threshold for all classes, {best['threshold']:.3f}"
    if least := result.get("foreground_area"):
        at = f"in {least} pixels at least; {at}"
    return [
        _pair("any class, pixels pooled (Dice)", result["foreground_dice"]) + f"   {at}",
        _pair("  the same, union of the masks", result["foreground_dice_of_masks"]),
        _pair("mean of pooled Dice per class", result["pooled_dice"]),
        _pair("any class in the image (AUC)", result["auc"])
        + f"   {result['cases_with_any']} of {result['cases']} cases have one",
    ]


def _pair(name: str, value: float | None) -> str:
    return f"  {name:34}{_number(value):>8}"


def _number(value: float | int | None) -> str:
    if value is None:
        return "-"
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def _classes(classes: Sequence[dict[str, Any]]) -> list[str]:
    names = [key for key in _COLUMNS if classes and key in classes[0]]
    rows = [["class", *(_COLUMNS[key] for key in names)]]
    rows += [[one["name"], *(_number(one[key]) for key in names)] for one in classes]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  "
        + row[0].ljust(widths[0])
        + "".join("  " + cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))
        for row in rows
    ]


def _known(result: dict[str, Any]) -> str:
    known = result.get("known", {})
    words = {
        "new": "new to every member",
        "held_out": "answered by members that never saw them",
        "pseudo": "seen in training with labels that members had made",
        "partly_seen": "from files that members saw parts of",
        "seen": "SEEN IN TRAINING: these scores flatter",
    }
    told = [f"{number} {words[word]}" for word, number in known.items()]
    return ": " + ", ".join(told) if told else ""


def _alone(result: dict[str, Any]) -> list[str]:
    lines = []
    for key, what in (("truth_only", "not predicted"), ("prediction_only", "without truth")):
        alone = result.get(key, {"count": 0})
        if alone["count"]:
            more = ", ..." if alone["count"] > len(alone["first"]) else ""
            lines.append(f"{alone['count']} {what}: {', '.join(alone['first'])}{more}")
    return lines
