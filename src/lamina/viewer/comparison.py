"""Two folders side by side, case by case."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from lamina import seeding
from lamina.errors import RecipeError
from lamina.evaluation.interval import in_words, resampled
from lamina.viewer.board import Board
from lamina.viewer.cases.viewed import ViewedCase

ORDERS = ("gains", "losses", "changes", "id")
"""Orders of pairs."""


def check_alike(first: Board, second: Board) -> None:
    """Refuse folders whose scores or classes do not compare.

    Raises:
        RecipeError: metrics, classes or kinds of task differ.
    """
    for what, one, other in (
        ("metrics", first.metric, second.metric),
        ("classes", first.task.names, second.task.names),
        ("kinds of task", first.task.kind, second.task.kind),
    ):
        if one != other:
            raise RecipeError(
                f"{first.folder} and {second.folder} have different {what}; look at each by itself"
            )


def names_of(first: Path, second: Path) -> tuple[str, str]:
    """Return what two folders are called: the ends of their paths, as long as tells them apart.

    Example:
        >>> names_of(Path("/runs/a/pred"), Path("/runs/b/pred"))
        ('a/pred', 'b/pred')
    """
    one, other = first.resolve().parts, second.resolve().parts
    if one == other:
        return one[-1], other[-1]
    longest = max(len(one), len(other))
    count = next(n for n in range(1, longest + 1) if one[-n:] != other[-n:])
    return str(Path(*one[-count:])), str(Path(*other[-count:]))


def compared(first: Board, second: Board, order: str) -> dict[str, Any]:
    """Return the cases that both have, by id, with what the second gained, and a verdict.

    A gain is positive where the second folder is better; without a truth it is None, and pairs
    change by their predicted pixels.
    """
    mine = {case.id: (number, case) for number, case in first.cases.items()}
    pairs = [
        (*mine[case.id], number, case) for number, case in second.cases.items() if case.id in mine
    ]
    sign = 1 if first.metric.higher_is_better else -1
    rows = [_row(*pair, sign) for pair in pairs]
    keys: dict[str, Callable[[dict[str, Any]], Any]] = {
        "gains": lambda row: (-(row["gain"] or 0.0), row["id"]),
        "losses": lambda row: (row["gain"] or 0.0, row["id"]),
        "changes": lambda row: (-abs(row["gain"] or 0.0), -row["changed"], row["id"]),
        "id": lambda row: row["id"],
    }
    gains = [row["gain"] for row in rows if row["gain"] is not None]
    judged = [(one, other) for _, one, _, other in pairs if _both(one, other)]
    return {
        "pairs": sorted(rows, key=keys[order]),
        "better": sum(gain > 0 for gain in gains),
        "worse": sum(gain < 0 for gain in gains),
        "equal": sum(gain == 0 for gain in gains),
        "only": [len(first.cases) - len(pairs), len(second.cases) - len(pairs)],
        "verdict": _verdict(first, second, judged) if judged else None,
    }


def _row(at: int, one: ViewedCase, other_at: int, other: ViewedCase, sign: int) -> dict[str, Any]:
    gain = None
    if one.value is not None and other.value is not None:
        gain = sign * (other.value - one.value)
    return {
        "id": one.id,
        "versions": [one.found.digest[:12], other.found.digest[:12]],
        "group": one.found.case.group,
        "first": at,
        "second": other_at,
        "values": [one.value, other.value],
        "predicted": [one.pixels[1], other.pixels[1]],
        "changed": abs(other.pixels[1] - one.pixels[1]),
        "gain": gain,
        "shape": list(one.found.case.image.shape),
    }


def _both(one: ViewedCase, other: ViewedCase) -> bool:
    return one.tally is not None and other.tally is not None


def _verdict(
    first: Board, second: Board, judged: list[tuple[ViewedCase, ViewedCase]]
) -> dict[str, Any]:
    """Return both scores on the common cases and whether the second is better beyond chance."""
    metric = first.metric
    sides = zip(*judged, strict=True)
    tallies = [[case.tally for case in side if case.tally is not None] for side in sides]
    scores = [float(metric.score(of_side).value) for of_side in tallies]
    groups = [one.found.case.group for one, _ in judged]
    rng = seeding.rng(first.recipe.seed, "report intervals")
    found = resampled(metric, tallies[1], tallies[0], groups, rng)
    return {
        "word": found.verdict,
        "scores": scores,
        "cases": len(judged),
        "sentence": in_words(
            found,
            names_of(second.folder, first.folder),
            (scores[1], scores[0]),
            f"{len(judged)} cases",
        ),
    }
