"""One offline HTML page about a run: no network, no script, everything inside."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from lamina import seeding
from lamina.files import write_text
from lamina.progress import say
from lamina.public import StrPath, VerbResult, as_path
from lamina.refusals import verb
from lamina.reporting.cards.card import card
from lamina.reporting.cards.chosen import drawn, false_alarms, misses, worst
from lamina.reporting.figures.plot import Plot
from lamina.reporting.judged_cases import judge
from lamina.reporting.run_contents import Run
from lamina.reporting.sections import plots_of, sections

LARGEST = 10_000_000
"""Bytes; the page is smaller."""

FIGURES = "figures"
"""Folder beside the page, in which figures lie as files."""

_SHOWN = 8
_SIDES = (640, 520, 400, 300, 200, 120, 64)  # longest side of a picture; the first that fits
_PREFERRED = 4_000_000  # bytes; pictures of half the first size are taken above


@dataclass(frozen=True)
class ReportResult(VerbResult):
    """What ``report`` wrote."""

    report: Path
    """The page."""
    bytes: int
    """Its size, below 10 MB."""
    figures: int = 0
    """Figures written as SVG and CSV."""


@verb
def report(
    run: StrPath,
    out: StrPath | None = None,
    *,
    data: StrPath | None = None,
    index: StrPath | None = None,
    verify_data: bool = False,
    figures: bool = False,
) -> ReportResult:
    """Write the page of a run.

    A run without out-of-fold predictions, without a tuned decision, or whose data folder is
    gone has a page with what there is; the page says what is missing.

    Args:
        run: A run folder of ``lamina train``.
        out: The page; None: ``report.html`` in the run folder.
        data: Where the training data lie now; None: where they lay in training.
        index: File of what is known of the files of the data; None: ``index.jsonl`` in ``run``.
        verify_data: Read all files of the data again, whatever their size and time say.
        figures: Also write each figure as SVG and its numbers as CSV into the folder ``figures``
            beside the page, which links them.

    Returns:
        The page and its size.

    Raises:
        DataError: it is no run folder, or its data are damaged.
        BundleError: its bundle is damaged.

    Example:
        >>> result = report("run")
        >>> result.report.name, result.bytes < 10_000_000
        ('report.html', True)
    """
    run = as_path(run, "run")
    opened = Run.open(run)
    cases = opened.cases(
        None if data is None else as_path(data, "data"),
        None if index is None else as_path(index, "index"),
        verify=verify_data,
    )
    judgement = judge(opened, cases)
    page = run / "report.html" if out is None else as_path(out, "out")
    facts = sections(opened, judgement, cases)
    plots = plots_of(facts)
    if figures:
        _write_figures(page.parent / FIGURES, plots)
    higher = opened.recipe.metric.higher_is_better
    chosen = {
        "worst": worst(judgement, _SHOWN, higher_is_better=higher),
        "alarms": false_alarms(judgement, _SHOWN),
        "misses": misses(judgement, _SHOWN),
        "random": drawn(judgement, _SHOWN, seeding.rng(opened.recipe.seed, "report")),
    }
    if {one.judged.case.id for one in chosen["random"]} <= {
        one.judged.case.id for one in chosen["worst"]
    }:
        chosen["random"] = []  # all of them are seen above
    linked = FIGURES if figures else None
    text = ""
    for side in _SIDES:
        shown = {name: [card(opened, one, side) for one in some] for name, some in chosen.items()}
        text = template("page.html").render(**facts, **shown, figures=linked, file_name=file_name)
        size = len(text.encode())
        if size < (LARGEST if side < _SIDES[1] else min(LARGEST, _PREFERRED)):
            break
        if size >= LARGEST:
            say(f"pictures of {side} px make the page too large; drawing smaller ones")
    write_text(page, text)
    return ReportResult(page, page.stat().st_size, len(plots) if figures else 0)


def template(name: str) -> Any:
    """Return a template of this room, with values escaped."""
    environment = Environment(
        loader=PackageLoader("lamina.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = _number
    return environment.get_template(name)


def file_name(plot: Plot) -> str:
    """Return the name of the files of a figure, without suffix: letters, digits and dashes."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", plot.name).strip("-")


def _write_figures(folder: Path, plots: Sequence[Plot]) -> None:
    for plot in plots:
        write_text(folder / f"{file_name(plot)}.svg", plot.svg)
        write_text(folder / f"{file_name(plot)}.csv", plot.csv)


def _number(value: Any, digits: int = 4) -> str:
    if value is None:
        return "–"
    return f"{value:.{digits}f}" if isinstance(value, float) else str(value)
