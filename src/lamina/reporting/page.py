"""One offline HTML page about a run: no network, no script, everything inside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

import lamina
from lamina import seeding
from lamina.data.case import Case
from lamina.data.tables.csv import read_table
from lamina.data.targets.ground_truth import truth
from lamina.files import write_text
from lamina.geometry.region import Region
from lamina.pictures.palette import colour
from lamina.progress import say
from lamina.public import StrPath, VerbResult, as_path
from lamina.refusals import verb
from lamina.reporting import pictures, plots
from lamina.reporting.depth_alignment import layers_of
from lamina.reporting.judged_cases import ScoredCase, ScoredCases, drawn, judge, worst
from lamina.reporting.missing_parts import missing_parts
from lamina.reporting.run_contents import Run
from lamina.reporting.trust import certainty_of, reliability_of
from lamina.volume import Crop, read_all

LARGEST = 10_000_000
"""Bytes; the page is smaller."""

_SHOWN = 12
_SIDES = (520, 400, 300, 200, 120, 64)  # longest side of a picture; the first that fits is taken


@dataclass(frozen=True)
class PageCase:
    """A case as the page shows it."""

    id: str
    fold: int
    value: float
    facts: str
    panels: Sequence[pictures.Panel]
    wide: bool


@dataclass(frozen=True)
class ReportResult(VerbResult):
    """What ``report`` wrote."""

    report: Path
    """The page."""
    bytes: int
    """Its size, below 10 MB."""


@verb
def report(
    run: StrPath,
    out: StrPath | None = None,
    *,
    data: StrPath | None = None,
    index: StrPath | None = None,
    verify_data: bool = False,
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
    lowest = worst(judgement, _SHOWN, higher_is_better=opened.recipe.metric.higher_is_better)
    random = drawn(judgement, _SHOWN, seeding.rng(opened.recipe.seed, "report"))
    facts = _facts(opened, judgement, cases)
    template = _template()
    for side in _SIDES:
        shown = {
            "worst": [_shown(opened, one, side) for one in lowest],
            "random": [_shown(opened, one, side) for one in random],
        }
        text = template.render(**facts, **shown)
        if len(text.encode()) < LARGEST:
            break
        say(f"pictures of {side} px make the page too large; drawing smaller ones")
    write_text(page, text)
    return ReportResult(page, page.stat().st_size)


def _template() -> Any:
    environment = Environment(
        loader=PackageLoader("lamina.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = _number
    return environment.get_template("page.html")


def _number(value: Any, digits: int = 4) -> str:
    if value is None:
        return "–"
    return f"{value:.{digits}f}" if isinstance(value, float) else str(value)


def _facts(run: Run, judgement: ScoredCases, cases: Mapping[str, Case]) -> dict[str, Any]:
    recipe = run.recipe
    names = recipe.task.names or ()
    first = int(recipe.task.exclusive)
    return {
        "recipe": recipe,
        "digest": recipe.digest(),
        "text": run.text,
        "version": lamina.__version__,
        "environment": run.environment,
        "time": _duration(run.seconds),
        "names": names,
        "colours": {name: colour(k) for k, name in enumerate(names[first:])},
        "error_colours": {
            "true positive": pictures.HIT,
            "false positive": pictures.FALSE,
            "false negative": pictures.MISSED,
        },
        "masks": recipe.task.kind != "restore",
        "decision": run.decision.summary,
        "summary": judgement.summary,
        "tune": run.tune,
        "choices": _choices(run),
        "reliability": reliability_of(run),
        "certainty": certainty_of(run, judgement),
        "thresholds": _thresholds(run),
        "triplets": _triplets(run),
        "folds": _folds(run, judgement),
        "data": _data(run),
        "missing": missing_parts(run, judgement, cases),
        "layers": layers_of(run.folder / "curves"),
        "validated": any("validation_loss" in row for rows in run.rows.values() for row in rows),
        "training": plots.training(run.rows) if any(run.rows.values()) else [],
    }


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _choices(run: Run) -> dict[str, Any] | None:
    """Return how decisions fare on new groups; None: not tuned, or by an earlier version."""
    found = (run.tune or {}).get("selection")
    if found is None:
        return None
    kept = next(one for one in found["candidates"] if one["name"] == found["chosen"])
    return {**found, "kept": kept}


def _thresholds(run: Run) -> list[dict[str, Any]]:
    """Return a row and a picture for each class that was searched."""
    classes = (run.tune or {}).get("classes", {})
    return [
        {
            "name": name,
            **one,
            "plot": plots.threshold(one["curve"], one["threshold"], one["empty"]),
        }
        for name, one in classes.items()
        if "curve" in one
    ]


def _triplets(run: Run) -> list[dict[str, Any]]:
    """Return both peaks and a picture for each class that was searched for triplets."""
    classes = (run.tune or {}).get("classes", {})
    found = []
    for name, one in classes.items():
        if "surface" not in one:
            continue
        chosen, other = one[one["choice"]], one["flat" if one["choice"] == "best" else "best"]
        plot = plots.surface(one["surface"], chosen, other)
        found.append({"name": name, **one, "chosen": chosen, "plot": plot})
    return found


def _folds(run: Run, judgement: ScoredCases) -> list[dict[str, Any]]:
    """Return the metric of each fold and class, by the decision of the bundle."""
    rows = []
    for fold in sorted({case.fold for case in judgement.cases}):
        tallies = [one.tally for one in judgement.cases if one.fold == fold]
        found = run.recipe.metric.score(tallies)
        rows.append(
            {
                "fold": fold,
                "cases": len(tallies),
                "value": found.value,
                "classes": found.classes,
            }
        )
    return rows


def _data(run: Run) -> dict[str, Any]:
    """Return what data.json says, counted."""
    cases = run.data.get("cases", [])
    folds = Counter(case["fold"] for case in cases)
    present: dict[int, Counter[int]] = {fold: Counter() for fold in folds}
    known = any(case.get("classes") is not None for case in cases)
    for case in cases:
        classes = str(case.get("classes") or "")
        present[case["fold"]].update(int(k) for k in classes.split(",") if k)
        present[case["fold"]][-1] += not classes
    return {
        "root": run.data.get("root"),
        "cases": len(cases),
        "groups": len({case.get("group") for case in cases}),
        "sizes": _sizes([tuple(case["shape"]) for case in cases]),
        "types": ", ".join(sorted({str(case.get("dtype")) for case in cases})),
        "folds": sorted(folds.items()),
        "present": present if known else None,
        "quality": _quality(run),
    }


def _quality(run: Run) -> str | None:
    """Return how many pairs were left out for low similarity, if that was measured (NOISE-3)."""
    path = run.folder / "quality.csv"
    if not path.is_file():
        return None
    rows = read_table(path).rows
    out = sum(row.cells[2] == "0" for row in rows)
    values = sorted(float(row.cells[1]) for row in rows)
    return (
        f"{out} of {len(rows)} left out; similarities from {values[0]:.3f} to {values[-1]:.3f}, "
        f"median {values[len(values) // 2]:.3f}"
    )


def _sizes(shapes: Sequence[tuple[int, ...]]) -> str:
    if not shapes:
        return "–"
    ordered = sorted(shapes, key=lambda shape: (int(np.prod(shape)), shape))
    if ordered[0] == ordered[-1]:
        return _times(ordered[0])
    middle = ordered[len(ordered) // 2]
    return f"{_times(ordered[0])} to {_times(ordered[-1])}, median {_times(middle)}"


def _times(shape: tuple[int, ...]) -> str:
    return " × ".join(str(n) for n in shape)


def _shown(run: Run, one: ScoredCase, side: int) -> PageCase:
    case, answer = one.case, one.answer()
    target, _ = truth(case, run.recipe.task)
    note = ""
    if len(case.image.shape) == 3:
        axis, index = case.image.axes[0], _telling_slice(answer, target)
        begin = case.image.box.start[0] if isinstance(case.image, Crop) else 0
        note = f", slice {axis} = {begin + index}"
        answer, target = answer[:, index], target[:, index]
        rows, columns = case.image.shape[1:]
        image = case.image.read(Region((index, 0, 0), (index + 1, rows, columns)))[:, 0]
    else:
        image = read_all(pictures.pictured(case.image))
    exclusive = run.recipe.task.exclusive
    if run.recipe.task.kind == "restore":
        panels = pictures.value_panels(image, target, answer, side=side)
    else:
        panels = pictures.mask_panels(image, target, answer, side=side, background=exclusive)
    names = (run.recipe.task.names or ())[int(exclusive) :]
    there = [n for n, mask in zip(names, target[int(exclusive) :], strict=False) if mask.any()]
    facts = f"{_times(case.image.shape)}{note}"
    if run.recipe.task.kind != "restore":
        facts += f" · {', '.join(there) or 'empty'} · {one.wrong:.0f} wrong pixels"
    wide = image.shape[-1] > 2 * image.shape[-2]
    return PageCase(case.id, one.fold, one.value, facts, panels, wide)


def _telling_slice(answer: Any, target: Any) -> int:
    """Return the slice of the first axis in which most is wrong."""
    wrong = [
        np.abs(a.astype(np.float32) - t.astype(np.float32)).sum()
        for a, t in zip(np.moveaxis(answer, 1, 0), np.moveaxis(target, 1, 0), strict=True)
    ]
    return int(np.argmax(wrong))
