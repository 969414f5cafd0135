"""Findings for people: a table as wide as the terminal."""

from __future__ import annotations

import io
from collections.abc import Mapping

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lamina.doctor.finding import Level
from lamina.doctor.run import ExamineResult, ReportedFinding

_STYLES: Mapping[Level, str] = {
    "fine": "green",
    "note": "cyan",
    "warning": "yellow",
    "error": "red",
}


def table(report: ExamineResult, *, width: int, colour: bool) -> str:
    """Return the findings as text, the worst of each area last seen in its own colour.

    Args:
        report: What ``examine`` found.
        width: Columns of the terminal.
        colour: Whether the terminal shows colours.
    """
    grid = Table(show_edge=False, pad_edge=False, box=None, header_style="bold")
    for title in ("", "check", "where", "finding and remedy"):
        grid.add_column(title, overflow="fold", ratio=None if title in ("", "check") else 1)
    area = ""
    for one in report.said:
        if one.area != area:
            area = one.area
            grid.add_row(Text(area, style="bold"))
        grid.add_row(*_row(one))
    stream = io.StringIO()
    console = Console(file=stream, width=max(width, 60), force_terminal=colour, highlight=False)
    console.print(grid)
    console.print(Text(summary(report)))
    return stream.getvalue().rstrip()


def summary(report: ExamineResult) -> str:
    """Return the one line below the table.

    Example:
        >>> summary(ExamineResult((), 0.0))
        'no errors, no warnings'
    """
    counts = []
    for level in ("error", "warning"):
        count = sum(1 for one in report.said if one.finding.level == level and not one.fixed)
        counts.append(f"{count or 'no'} {level}{'' if count == 1 else 's'}")
    fixed = sum(1 for one in report.said if one.fixed)
    return ", ".join(counts) + (f", {fixed} fixed" if fixed else "")


def _row(one: ReportedFinding) -> tuple[Text, Text, Text, Text]:
    found = one.finding
    level = "fixed" if one.fixed else found.level
    what = Text(found.what)
    if found.remedy and not one.fixed:
        what.append(f"\n> {found.remedy}", style="italic")
    style = "green" if one.fixed else _STYLES[found.level]
    return Text(level, style=style), Text(one.check), Text(found.where), what
