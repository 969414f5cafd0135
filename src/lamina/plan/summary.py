"""What a plan says to people: the header of the recipe and the table at the end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lamina.doctor.finding import counted
from lamina.plan.fingerprint.facts import Facts, Machine
from lamina.plan.rules import Wanted

if TYPE_CHECKING:
    from lamina.plan.run import PlanResult

_LONG = 60  # letters of a value in the table


def header(facts: Facts, machine: Machine, wanted: Wanted) -> list[str]:
    """Return the lines that go before a planned recipe."""
    kind = "volume" if facts.deep else "image"
    size = " x ".join(map(str, facts.shape))
    read = "all pixels" if facts.read_share >= 1 else f"{facts.read_share:.1%} of the pixels"
    lines = [
        f"Planned by `lamina plan` for {wanted.minutes:g} minutes on {machine.device}.",
        f"{counted(facts.cases, kind)} in {counted(facts.groups, 'group')}, median {size} "
        f"({facts.axes}) {facts.dtype}; {read} of {facts.read_cases} were measured.",
        f"Layout {facts.layout}: {facts.evidence}.",
    ]
    return [*lines, *(f"Note: {note}" for note in facts.notes[:8])]


def baseline_of(facts: Facts, values: Mapping[str, Any]) -> float | None:
    """Return the score of empty masks under the metric, as far as the fingerprint says it.

    Args:
        facts: Of the data.
        values: The recipe's.

    Returns:
        The score; None: restored values, or a metric without a rule for empty masks.
    """
    metric, classes = values["metric"], facts.classes
    if classes is None or metric["kind"] not in ("dice", "iou", "f_beta"):
        return None
    if metric.get("over") in ("pooled", "foreground") or metric.get("empty", "one") != "one":
        return 0.0
    if metric.get("over") == "image":
        return round(classes.empty / classes.known, 4)
    absent = sum(classes.known - count for count in classes.cases)
    return round(absent / (classes.known * len(classes.cases)), 4)


def table(found: PlanResult) -> str:
    """Return the table that ``lamina plan`` prints."""
    rows = [("option", "value", "measured", "alternative")]
    rows += [
        (one.key.removesuffix("[]"), _short(one.value), one.why, one.rejected)
        for one in found.settings
        if one.rejected
    ]
    widths = [max(len(row[k]) for row in rows) for k in range(4)]
    schedule, probed = found.fit.schedule, found.fit.probed
    which = "all folds" if schedule.folds == found.fit.folds else "fold 0"
    lines = [
        *("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows),
        "",
        f"expected time    {schedule.seconds / 60:.1f} min for {which}: {schedule.steps} steps "
        f"of {probed.step:.2f} s",
        f"expected memory  {probed.memory / 1e9:.2f} of {found.machine.memory / 1e9:.1f} GB",
        f"disk             {found.facts.bytes / 1e6:.0f} MB of data",
    ]
    if found.doing_nothing is not None:
        lines.append(f"doing nothing    scores {found.doing_nothing:.3f}: the score to beat")
    lines += [f"note             {note}" for note in found.facts.notes[:8]]
    if found.recipe is not None:
        lines.append(f"written          {found.recipe}, {found.recipe.stem}.facts.json")
    return "\n".join([*lines, "", found.command])


def _short(value: Any) -> str:
    if isinstance(value, Mapping):
        text = ", ".join(f"{key}: {_short(one)}" for key, one in value.items())
    elif isinstance(value, list):
        text = f"[{', '.join(map(_short, value))}]"
    else:
        text = str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= _LONG else f"{text[: _LONG - 3]}..."
