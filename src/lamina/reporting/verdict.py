"""What a report says first: whether the score beats its baseline, and how surely."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lamina import seeding
from lamina.evaluation.interval import FEWEST, Resampled, resampled
from lamina.reporting.judged_cases import ScoredCases
from lamina.reporting.run_contents import Run

_WORDS = {
    "better": "Better than",
    "worse": "Worse than",
    "not better": "Not better than",
}


@dataclass(frozen=True)
class RunVerdict:
    """One sentence, its colour as a word, and what must be known beside it."""

    word: str
    """better, not better, worse or cannot tell."""
    sentence: str
    notes: tuple[str, ...]
    resampled: Resampled
    """Intervals over groups."""


def verdict_of(run: Run, judgement: ScoredCases) -> RunVerdict | None:
    """Return the verdict of a run; None: no held-out case was scored.

    The score is of the decision of the bundle. Where that was tuned on the same cases, the score
    that cross-fitting expects on new groups takes its place, and the interval moves by as much.
    """
    summary, metric = judgement.summary, run.recipe.metric
    if summary is None:
        return None
    groups = [one.case.group for one in judgement.cases]
    tallies = [one.tally for one in judgement.cases]
    rng = seeding.rng(run.recipe.seed, "report intervals")
    found = resampled(metric, tallies, judgement.baseline, groups, rng)
    shift, notes = _optimism(run, float(summary["value"]))
    found = _moved(found, shift, 1 if metric.higher_is_better else -1)
    notes = (*_folds(run, judgement), *notes)
    value = float(summary["value"]) + shift
    score = f"{value:.2f}{' (cross-validated)' if shift else ''}"
    baseline = summary.get("baseline_empty")
    against = "the all-empty baseline"
    if baseline is None:
        baseline, against = summary.get("baseline_input"), "the input as it is"
    return RunVerdict(found.verdict, _sentence(found, score, baseline, against), notes, found)


def _sentence(found: Resampled, score: str, baseline: float | None, against: str) -> str:
    known = "" if baseline is None else f"; {against}: {baseline:.2f}"
    if found.score is None:
        held = f"{found.groups} group{'s' if found.groups != 1 else ''} held out"
        return f"Cannot tell: {held}, an interval needs {FEWEST}. Score {score}{known}."
    if found.gain is None or baseline is None:
        low, high = found.score
        return (
            f"Score {score}; 95 % interval {low:.2f} to {high:.2f} over {found.groups} groups. "
            "There is no baseline to compare it with."
        )
    low, high = found.gain
    return (
        f"{_WORDS[found.verdict]} {against}: {score} against {baseline:.2f}; 95 % interval of the "
        f"difference {_fine(low)} to {_fine(high)} over {found.groups} groups."
    )


def _fine(value: float) -> str:
    """Return a number with two digits, with three where two would hide its sign."""
    if abs(value) >= 0.005:
        return f"{value:.2f}"
    return f"{value:.3f}" if abs(value) >= 0.0005 else "0.00"


def _optimism(run: Run, value: float) -> tuple[float, tuple[str, ...]]:
    """Return what the score falls by on new groups, and what is said of it."""
    selection: Any = (run.tune or {}).get("selection")
    if selection is None:
        if run.tune is None:
            return 0.0, ()
        return 0.0, ("The decision was found on the cases that are scored here.",)
    kept = next(one for one in selection["candidates"] if one["name"] == selection["chosen"])
    if abs(kept["apparent"] - value) > 1e-3:
        return 0.0, ("The decision was found on the cases that are scored here.",)
    expected = float(kept["expected"])
    if abs(expected - value) < 5e-5:  # nothing was fitted, such as for the default
        return 0.0, ()
    note = (
        f"Cross-validated: the decision fitted on some groups and judged on others. On the cases "
        f"on which it was found the score is {value:.4f}."
    )
    return expected - value, (note,)


def _moved(found: Resampled, shift: float, sign: int) -> Resampled:
    if not shift:
        return found
    score = None if found.score is None else _plus(found.score, shift)
    gain = None if found.gain is None else _plus(found.gain, sign * shift)
    return Resampled(found.groups, found.draws, score, gain, found.classes)


def _plus(interval: tuple[float, float], shift: float) -> tuple[float, float]:
    return interval[0] + shift, interval[1] + shift


def _folds(run: Run, judgement: ScoredCases) -> tuple[str, ...]:
    """Return how many folds were trained, if not all."""
    known = {case["fold"] for case in run.data.get("cases", []) if case["fold"] >= 0}
    trained = {one.fold for one in judgement.cases}
    if len(trained) >= len(known):
        return ()
    return (f"{len(trained)} of {len(known)} folds trained.",)
