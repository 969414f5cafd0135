"""Which decision is chosen, and what each is expected to score on new groups."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lamina.evaluation.columns import aligned
from lamina.public import VerbResult
from lamina.result.selection.candidates.counted import Counted
from lamina.result.selection.candidates.plain import NOTHING, Plain
from lamina.result.selection.cross_fit import Judged, Selection, select
from lamina.result.selection.ratio import standard_error
from lamina.tuning.candidates import Candidates

DEFAULT = "default"


@dataclass(frozen=True)
class CandidateScore(VerbResult):
    """How one decision fares."""

    name: str
    """Its kind, or ``threshold 0.5`` and ``nothing predicted`` for comparison."""
    apparent: float
    """Score on the cases that it was fitted on."""
    expected: float
    """Score expected on new groups: cross-fitted, everything refitted without them."""
    half: float | None
    """Half the 90 % interval of ``expected``; None: too few groups for one."""
    gain: float | None
    """``expected`` minus that of the choice so far; None: nothing came before."""
    needed: float | None
    """The gain that was needed to be chosen; None: nothing came before, or one group."""


@dataclass(frozen=True)
class DecisionSelection(VerbResult):
    """The choice between decisions, by what they are expected to score on new groups."""

    scored: str
    """What is scored, such as ``Dice``."""
    groups: int
    """Groups among the cases."""
    chosen: str
    """Name of the decision that is kept."""
    forced: bool
    """Whether ``--decision`` named it."""
    coverage: str
    """What the intervals cover, as measured in simulations."""
    candidates: tuple[CandidateScore, ...]
    """The decisions, the safest first."""
    baselines: tuple[CandidateScore, ...]
    """A threshold of 0.5 and the all-empty prediction."""
    sentence: str
    """What the comparison comes to."""
    notes: tuple[str, ...]
    """Classes that cannot be tuned, or whose maps say nothing."""

    def lines(self) -> list[str]:
        """Return a table and what it comes to, for people."""
        rows = [["decision", f"{self.scored}, same cases", "on new groups", "gain", "gain needed"]]
        for one in (*self.candidates, *self.baselines):
            chosen = " (kept)" if one.name == self.chosen else ""
            half = "" if one.half is None else f" ± {one.half:.4f}"
            rows.append(
                [
                    one.name + chosen,
                    f"{one.apparent:.4f}",
                    f"{one.expected:.4f}{half}",
                    _number(one.gain),
                    _number(one.needed),
                ]
            )
        return [
            *(f"  {line}".rstrip() for line in aligned(rows)),
            f"  {self.sentence}",
            f"  interval over {self.groups} groups: {self.coverage}",
            *(f"  note: {note}" for note in self.notes),
        ]


def choose(
    candidates: Candidates, final: Candidates, forced: str | None, notes: tuple[str, ...]
) -> tuple[int, DecisionSelection]:
    """Judge all candidates; return the number of the one to keep, and how all fare.

    Args:
        candidates: What is chosen among; each fit calibrates anew.
        final: The same on probabilities that are calibrated as they will be predicted.
        forced: Name of the one to keep whatever it scores; None: the choice by evidence.
        notes: Sentences for people.
    """
    found = select(candidates.listed, candidates.groups)
    chosen = found.chosen if forced is None else candidates.find(forced)
    safe = _safe(final)
    return chosen, DecisionSelection(
        scored=candidates.aim.label,
        groups=found.groups,
        chosen=found.candidates[chosen].name,
        forced=forced is not None,
        coverage=found.coverage,
        candidates=tuple(_row(found, candidate) for candidate in found.candidates),
        baselines=tuple(_baseline(found, final, one) for one in (final.half, final.nothing)),
        sentence=_sentence(found, chosen, safe, forced=forced is not None),
        notes=notes,
    )


def _safe(candidates: Candidates) -> str:
    if isinstance(candidates.listed[0], Counted):
        return "the most probable class of each pixel"
    fitted = candidates.listed[0].fit(np.arange(candidates.groups.size))
    return "predicting nothing" if fitted[0] == NOTHING else "a threshold of 0.5"


def _row(found: Selection, one: Judged) -> CandidateScore:
    needed = one.needed if found.groups > 1 else None
    return CandidateScore(
        one.name, one.apparent, one.expected, found.half(one.error), one.gain, needed
    )


def _baseline(found: Selection, candidates: Candidates, plain: Plain) -> CandidateScore:
    everything = np.arange(candidates.groups.size)
    parts = plain.judge(plain.fit(everything), everything)
    half = found.half(standard_error(parts.influence(candidates.groups)))
    return CandidateScore(plain.name, parts.score(), parts.score(), half, None, None)


def _sentence(found: Selection, chosen: int, safe: str, *, forced: bool) -> str:
    first, rest = found.candidates[0], found.candidates[1:]
    if found.groups < 2:
        kept = (
            f"{found.candidates[chosen].name} is kept as asked" if forced else "the default is kept"
        )
        return f"all cases are of one group: what new groups score is not known; {kept} ({safe})"
    default = f"{safe} ({first.expected:.3f})"
    if forced and chosen:
        return _cost(found, found.candidates[chosen], default)
    if chosen == 0:
        if not rest or forced:
            return f"{_told(found, first)}: {safe}, as asked"
        best = max(rest, key=lambda one: one.expected)
        return f"{_told(found, best)}; not better than {default}: the default is kept"
    best = found.candidates[chosen]
    needed = "" if best.needed is None else f", where {best.needed:.3f} was needed"
    return (
        f"{_told(found, best)}; better than {default} by {best.over_first:.3f}: "
        f"'{best.name}' is chosen (gain {best.gain:.3f}{needed})"
    )


def _cost(found: Selection, one: Judged, default: str) -> str:
    half = "" if found.half(1.0) is None else f" ± {one.over_first_half:.3f}"
    word = "costs" if one.over_first < 0 else "gains"
    return (
        f"{_told(found, one)}; {one.name}, as asked, {word} {abs(one.over_first):.3f}{half} on "
        f"groups left out against the default, {default}"
    )


def _told(found: Selection, one: Judged) -> str:
    half = found.half(one.error)
    spread = "" if half is None else f" ± {half:.3f}"
    return f"{one.expected:.3f}{spread} expected on new groups by '{one.name}'"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:+.4f}"
