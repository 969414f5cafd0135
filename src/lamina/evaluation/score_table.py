"""A score as lines for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from lamina.evaluation.breakdown import GroupScore, SizeScore
from lamina.evaluation.columns import aligned
from lamina.evaluation.score_result import ClassScore, ScoreResult, UnmatchedCases

_COLUMNS = {
    "value": "score",
    "pooled_dice": "pooled Dice",
    "precision": "precision",
    "recall": "recall",
    "auc": "image AUC",
    "images": "images with class",
    "images_predicted": "predicted positive",
}

_MOST_GROUPS = 20

_BEATEN = "; the decision above also has minimum areas, or a threshold per class"

KNOWN = {
    "new": "not seen in training",
    "held_out": "predicted out of fold",
    "pseudo": "seen in training with pseudo-labels: scores are optimistic",
    "partly_seen": "partly seen in training: scores are optimistic",
    "seen": "seen in training: scores are optimistic",
}
"""What the members know of a case, in words."""


def table(result: ScoreResult) -> str:
    """Return what ``score`` found as plain text: the metric first, then a row for each class."""
    lines = [result.metric, _pair("score", result.value)]
    if result.baseline_empty is not None:
        lines.append(_pair("baseline: all-empty prediction", result.baseline_empty))
    if result.baseline_input is not None:
        lines.append(_pair("baseline: the input as it is", result.baseline_input))
    if result.verdict is not None:
        lines.append(f"  {result.verdict}")
    if result.of_masks:
        lines += ["", *_masks(result)]
    lines += ["", *_classes(result.classes)]
    if result.by_size is not None:
        lines += ["", *_sizes(result.by_size)]
    if result.by_group is not None:
        lines += ["", *_groups(result.by_group, masks=result.of_masks)]
    lines += ["", f"{result.cases} cases{_known(result)}"]
    if result.of_masks:
        lines.append(f"decision: {result.decision.summary}")
    if result.changes:
        lines.append(f"predicted with changes: {', '.join(result.changes)}")
    lines += [f"training had not finished: {line}" for line in result.unfinished]
    if result.failed:
        lines.append(f"{len(result.failed)} of these in both could not be scored and are left out")
    lines += _alone("without a prediction", result.truth_only)
    lines += _alone("without ground truth", result.prediction_only)
    return "\n".join(lines)


def _masks(result: ScoreResult) -> list[str]:
    lines = [
        _pair("foreground Dice (all classes merged)", result.foreground_dice)
        + (f"   images under {area} px set empty" if (area := result.foreground_area) else "")
    ]
    if result.foreground_threshold is not None:
        lines.append(_pair("foreground Dice of the final masks", result.foreground_dice_of_masks))
    if (best := result.foreground_dice_best) is not None:
        scores = (result.foreground_dice, result.foreground_dice_of_masks)
        beaten = any(score is not None and score > best.value for score in scores)
        note = f"   at {best.threshold:.3f}" + (_BEATEN if beaten else "")
        lines.append(_pair("best single global threshold", best.value) + note)
    return [
        *lines,
        _pair("mean of pooled Dice per class", result.pooled_dice),
        _pair("image-level AUC (any class)", result.auc)
        + f"   {result.cases_with_any} of {result.cases} cases have a class",
    ]


def _pair(name: str, value: float | None) -> str:
    return f"  {name:38}{_number(value):>8}"


def _number(value: float | int | None) -> str:
    if value is None:
        return "-"
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def _classes(classes: Sequence[ClassScore]) -> list[str]:
    names = [key for key in _COLUMNS if classes and key in classes[0].to_dict()]
    rows = [["class", *(_COLUMNS[key] for key in names)]]
    rows += [[row.name, *(_number(getattr(row, key)) for key in names)] for row in classes]
    return [f"  {line}" for line in aligned(rows)]


def _sizes(rows: Sequence[SizeScore]) -> list[str]:
    head = ["objects by size", "pixels", "true", "found", "recall", "predicted", "right"]
    cells = [
        [
            row.name,
            f"{row.least} to {row.most}",
            *(_number(number) for number in (row.objects, row.found, row.recall)),
            *(_number(number) for number in (row.predicted, row.right)),
        ]
        for row in rows
    ]
    if not cells:
        return ["  no objects, true or predicted"]
    return [f"  {line}" for line in aligned([head, *cells])] + [
        "  found: of true objects any pixel is predicted; right: of predicted ones any is true"
    ]


def _groups(rows: Sequence[GroupScore], *, masks: bool) -> list[str]:
    head = ["group, worst first", "cases", "score", "all-empty" if masks else "input"]
    cells = [
        [row.group, str(row.cases), _number(row.value), _number(row.baseline)]
        for row in rows[:_MOST_GROUPS]
    ]
    lines = [f"  {line}" for line in aligned([head, *cells])]
    if len(rows) > _MOST_GROUPS:
        lines.append(f"  ... and {len(rows) - _MOST_GROUPS} more groups; --json has all of them")
    if all(row.cases == 1 for row in rows):
        lines.append("  every case is a group of its own")
    return lines


def _known(result: ScoreResult) -> str:
    counts = [f"{number} {KNOWN[word]}" for word, number in result.known.items()]
    return ": " + ", ".join(counts) if counts else ""


def _alone(what: str, cases: UnmatchedCases) -> list[str]:
    if not cases.count:
        return []
    more = ", ..." if cases.count > len(cases.first) else ""
    noun = "case" if cases.count == 1 else "cases"
    return [f"{cases.count} {noun} {what}: {', '.join(cases.first)}{more}"]
