"""Two runs on the cases that both held out: which is better, where, and what differs."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path

import lamina
from lamina import seeding
from lamina.errors import DataError, RecipeError
from lamina.evaluation.interval import in_words, resampled
from lamina.files import write_text
from lamina.public import StrPath, VerbResult, as_path
from lamina.refusals import verb
from lamina.reporting.cards.card import Card, card
from lamina.reporting.cards.chosen import Chosen
from lamina.reporting.figures.scores import paired
from lamina.reporting.judged_cases import ScoredCase, judge
from lamina.reporting.page import template
from lamina.reporting.run_contents import Run

_SHOWN = 4  # cases of each side
_SIDE = 520


@dataclass(frozen=True)
class CompareResult(VerbResult):
    """What ``compare`` wrote."""

    report: Path
    """The page."""
    cases: int
    """Cases that both runs held out."""
    first: float
    """Score of the first run on them."""
    second: float
    """Score of the second run on them."""
    verdict: str
    """Of the second run against the first: better, not better, worse or cannot tell."""


@dataclass(frozen=True)
class Pair:
    """A case as both runs predicted it."""

    first: ScoredCase
    second: ScoredCase

    def gain(self, *, higher_is_better: bool) -> float:
        """Return by how much the second run is better."""
        change = self.second.value - self.first.value
        return change if higher_is_better else -change


@verb
def compare(
    first: StrPath, second: StrPath, out: StrPath, *, data: StrPath | None = None
) -> CompareResult:
    """Write a page that compares two runs, each by the decision of its bundle.

    Only cases that both held out count, paired by id.

    Args:
        first: A run folder of ``lamina train``.
        second: Another one, with the same metric.
        out: The page.
        data: Where the training data of both lie now; None: where they lay in training.

    Raises:
        DataError: no case was held out by both, or a folder is damaged.
        RecipeError: the metrics or the classes differ.
        BundleError: a bundle is damaged.
    """
    runs = [Run.open(as_path(first, "first")), Run.open(as_path(second, "second"))]
    _check_alike(*runs)
    root = None if data is None else as_path(data, "data")
    judged = [judge(run, run.cases(root)) for run in runs]
    known = {one.case.id: one for one in judged[0].cases}
    pairs = [Pair(known[one.case.id], one) for one in judged[1].cases if one.case.id in known]
    if not pairs:
        raise DataError(
            f"{runs[0].folder} and {runs[1].folder} have held out no case in common, by id; "
            "compare runs of the same data"
        )
    metric = runs[0].recipe.metric
    one, other = ([getattr(pair, side).tally for pair in pairs] for side in ("first", "second"))
    rng = seeding.rng(runs[0].recipe.seed, "report intervals")
    found = resampled(metric, other, one, [pair.first.case.group for pair in pairs], rng)
    scores = metric.score(one), metric.score(other)
    page = as_path(out, "out")
    text = template("compare.html").render(
        runs=runs,
        pairs=len(pairs),
        metric=metric.title,
        word=found.verdict,
        sentence=in_words(
            found,
            (runs[1].folder.name, runs[0].folder.name),
            (scores[1].value, scores[0].value),
            f"{len(pairs)} cases that both held out",
        ),
        scores=scores,
        names=runs[0].recipe.task.names or (),
        plot=paired(
            [pair.first.case.id for pair in pairs],
            [pair.first.value for pair in pairs],
            [pair.second.value for pair in pairs],
            (runs[0].folder.name, runs[1].folder.name),
        ),
        sides=_sides(runs, pairs),
        differences=_differences(*runs),
        version=lamina.__version__,
    )
    write_text(page, text)
    return CompareResult(page, len(pairs), scores[0].value, scores[1].value, found.verdict)


def _check_alike(first: Run, second: Run) -> None:
    for what, one, other in (
        ("metrics", first.recipe.metric, second.recipe.metric),
        ("classes", first.recipe.task.names, second.recipe.task.names),
    ):
        if one != other:
            raise RecipeError(
                f"{first.folder} and {second.folder} have different {what}; their scores do not "
                "compare"
            )


def _sides(runs: list[Run], pairs: list[Pair]) -> list[tuple[str, list[tuple[Card, Card]]]]:
    """Return the cases that gain and lose most, each with the cards of both runs."""
    higher = runs[0].recipe.metric.higher_is_better
    ordered = sorted(
        pairs, key=lambda pair: (-pair.gain(higher_is_better=higher), pair.first.case.id)
    )
    gains = [pair for pair in ordered[:_SHOWN] if pair.gain(higher_is_better=higher) > 0]
    losses = [pair for pair in ordered[::-1][:_SHOWN] if pair.gain(higher_is_better=higher) < 0]
    return [
        (title, [(_card(runs[0], one.first), _card(runs[1], one.second)) for one in chosen])
        for title, chosen in (("Largest gains", gains), ("Largest losses", losses))
    ]


def _card(run: Run, judged: ScoredCase) -> Card:
    return card(run, Chosen(judged), _SIDE)


def _differences(first: Run, second: Run) -> list[tuple[str, str]]:
    """Return lines that only one recipe has, marked by - and +, with the lines around them."""
    found = difflib.unified_diff(
        first.text.splitlines(), second.text.splitlines(), lineterm="", n=2
    )
    return [
        (line[:1], "…" if line.startswith("@@") else line[1:])
        for line in found
        if not line.startswith(("---", "+++"))
    ]
