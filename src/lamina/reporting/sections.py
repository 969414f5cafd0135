"""What the sections of a report show, as plain values for its template."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

import lamina
from lamina.data.case import Case
from lamina.data.tables.csv import read_table
from lamina.pictures.palette import FALSE, MISSED, colour
from lamina.reporting.depth_alignment import layers_of
from lamina.reporting.figures import decisions, scores, training, trust
from lamina.reporting.figures.plot import Plot
from lamina.reporting.judged_cases import ScoredCases
from lamina.reporting.missing_parts import missing_parts
from lamina.reporting.run_contents import Run
from lamina.reporting.verdict import RunVerdict, verdict_of
from lamina.result.reliability import risk_and_coverage

_LEAST_CERTAIN = 10  # cases shown


def sections(run: Run, judgement: ScoredCases, cases: Mapping[str, Case]) -> dict[str, Any]:
    """Return everything that the page shows but its cases."""
    recipe = run.recipe
    names = recipe.task.names or ()
    first = int(recipe.task.exclusive)
    verdict = verdict_of(run, judgement)
    folds = _folds(run, judgement)
    return {
        "recipe": recipe,
        "digest": recipe.digest(),
        "text": run.text,
        "version": lamina.__version__,
        "environment": run.environment,
        "time": _duration(run.seconds),
        "names": names,
        "colours": {name: colour(k) for k, name in enumerate(names[first:])},
        "errors": {"false": FALSE, "missed": MISSED},
        "masks": recipe.task.kind != "restore",
        "unit": "voxel"
        if any(len(one.case.image.shape) == 3 for one in judgement.cases)
        else "pixel",
        "decision": run.decision.summary,
        "verdict": verdict,
        "summary": judgement.summary,
        "score_plots": _score_plots(run, judgement, verdict),
        "tune": run.tune,
        "choices": _choices(run),
        "curves": _precision_recall(run, judgement),
        "reliability": _reliability(run),
        "certainty": _certainty(run, judgement),
        "thresholds": _thresholds(run),
        "triplets": _triplets(run),
        "folds": folds,
        "trained": f"{len(run.rows)} fold{'s' if len(run.rows) != 1 else ''} trained",
        "data": _data(run),
        "missing": missing_parts(run, judgement, cases),
        "layers": layers_of(run.folder / "curves"),
        "training": training.training(run.rows, recipe.monitor.title),
        "single_values": training.single_values(run.rows, recipe.monitor.title),
        "commands": _commands(run),
    }


def plots_of(found: Mapping[str, Any]) -> list[Plot]:
    """Return every figure of the sections, in the order of the page."""
    listed: list[Plot] = [*found["score_plots"], *found["curves"]]
    for section in ("reliability", "thresholds", "triplets"):
        listed += [one["plot"] for one in found[section]]
    if found["certainty"]:
        listed.append(found["certainty"]["plot"])
    listed += found["training"]
    if found["layers"]:
        layers = found["layers"]
        listed += [layers.before, layers.after]
        listed += [plot for fragment in layers.fragments for plot in fragment.plots]
    return listed


def _score_plots(run: Run, judgement: ScoredCases, verdict: RunVerdict | None) -> list[Plot]:
    """Return figures of scores by class and by group, and of classes taken for each other."""
    summary = judgement.summary
    if summary is None or verdict is None:
        return []
    plots = []
    names = list(run.recipe.task.names or ())
    first = int(run.recipe.task.exclusive)
    shown = names[first:]
    values = {one.name: one.value for one in summary["classes"]}
    intervals = dict(zip(names, verdict.resampled.classes, strict=False))
    base = _baseline(run, judgement)
    if any(values.get(name) is not None for name in shown):
        plots.append(
            scores.by_class(
                shown,
                [values.get(name) for name in shown],
                [intervals.get(name) for name in shown],
                [base.get(name) for name in shown],
                title="score by output" if run.recipe.task.kind == "restore" else "score by class",
                told=_lines_and_ticks(run, verdict),
            )
        )
    if summary["by_group"]:
        groups = [one.group for one in summary["by_group"]]
        scored = [one.value for one in summary["by_group"]]
        plots.append(scores.by_group(groups, scored, summary["value"]))
    pixels = judgement.pixels
    if pixels is not None and pixels.confusion is not None:
        plots.append(scores.confusion(names, pixels.confusion))
    return plots


def _lines_and_ticks(run: Run, verdict: RunVerdict) -> str:
    """Return what lines and ticks of the scores by class are."""
    groups, restores = verdict.resampled.groups, run.recipe.task.kind == "restore"
    lines = f"lines: 95 % intervals over {groups} groups"
    if not verdict.resampled.draws:
        lines = f"no intervals: {groups} group{'s' if groups != 1 else ''} are too few"
        lines = lines.replace("group are", "group is")
    return f"{lines}; upright ticks: {'the input as it is' if restores else 'nothing predicted'}"


def _baseline(run: Run, judgement: ScoredCases) -> dict[str, float | None]:
    if not judgement.baseline:
        return {}
    found = run.recipe.metric.score(judgement.baseline).classes
    return dict(zip(run.recipe.task.names or (), found, strict=False))


def _precision_recall(run: Run, judgement: ScoredCases) -> list[Plot]:
    pixels, summary = judgement.pixels, judgement.summary
    if pixels is None or summary is None:
        return []
    plots = []
    names = run.recipe.task.names or ()
    for one in summary["classes"]:
        k = names.index(one.name)
        known = one.recall is not None and one.precision is not None
        chosen = (one.recall, one.precision) if known else None
        plot = decisions.precision_recall(
            one.name, pixels.predicted[k], pixels.hits[k], float(pixels.truth[k]), chosen
        )
        if plot is not None:
            plots.append(plot)
    return plots


def _commands(run: Run) -> list[str]:
    """Return what makes the run again, from the recipe that is in its folder."""
    root = run.data.get("root", "DATA")
    lines = [f"lamina train {run.folder / 'recipe.resolved.yaml'} --data {root} --out NEW"]
    if run.tune is not None:
        lines.append("lamina tune NEW")
    return [*lines, "lamina report NEW"]


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
            "plot": decisions.threshold(name, one["curve"], one["threshold"], one["empty"]),
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
        plot = decisions.surface(name, one["surface"], chosen, other)
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


def _reliability(run: Run) -> list[dict[str, Any]]:
    """Return errors and a diagram for each class; none: not tuned, or by an earlier version."""
    return [
        {
            "name": name,
            "before": one["before"]["error"],
            "after": one["after"]["error"],
            "plot": trust.reliability(name, one["before"], one["after"]),
        }
        for name, one in (run.tune or {}).get("reliability", {}).items()
    ]


def _certainty(run: Run, judgement: ScoredCases) -> dict[str, Any] | None:
    """Return the risk-coverage curve and the least certain cases; None: not known."""
    known = [(case, case.expected) for case in judgement.cases if case.expected is not None]
    if len(known) < 2 or not run.recipe.metric.higher_is_better:
        return None
    confidence = np.asarray([expected for _, expected in known])
    score = np.asarray([one.value for one, _ in known])
    coverage, missed, area = risk_and_coverage(confidence, score)
    least = sorted(known, key=lambda pair: (pair[1], pair[0].case.id))[:_LEAST_CERTAIN]
    return {
        "plot": trust.risk(coverage, missed),
        "area": area,
        "risk": float(missed[-1]),
        "rows": [
            {"id": one.case.id, "expected": expected, "value": one.value, "fold": one.fold}
            for one, expected in least
        ],
    }
