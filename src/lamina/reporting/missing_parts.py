"""What a run folder lacks, in words for its page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from lamina.data.case import Case
from lamina.errors import DataError
from lamina.files import read_json
from lamina.folders import fold_folders
from lamina.recipe.recipe import Recipe
from lamina.reporting.judged_cases import ScoredCases
from lamina.reporting.run_contents import Run

_FILES = {
    "data.json": "the facts about the data are left out, and pictures need --data",
    "env.json": "device and versions are unknown",
    "recipe.resolved.yaml": "the text of the recipe is left out",
}


def missing_parts(run: Run, judgement: ScoredCases, cases: Mapping[str, Case]) -> list[str]:
    """Return a sentence for each part of the page that is missing or not whole, and why."""
    lines = [
        f"{name} is missing: {what}."
        for name, what in _FILES.items()
        if not (run.folder / name).is_file()
    ]
    if not run.holds_out:
        lines.append("Nothing was held out: every case trained the member; there are no scores.")
    elif not cases:
        root = run.data.get("root", "of the run")
        lines.append(
            f"The data folder {root} is missing: no pictures and no scores per case. Pass --data."
        )
    elif not judgement.cases:
        lines.append("No fold has finished: no out-of-fold predictions yet.")
    if run.tune is None and run.holds_out and run.recipe.task.kind != "restore":
        lines.append("Decision not tuned: it is the recipe's own. Run lamina tune.")
    lines += _chosen_on_what_is_scored(run)
    for fold in fold_folders(run.folder):
        lines += _about_log(fold, len(run.rows[fold.name]))
        lines += _about_time(fold, run.recipe)
    return lines


def _chosen_on_what_is_scored(run: Run) -> Iterator[str]:
    """Yield that epochs were chosen by the monitor on the cases that are scored (WORK-24)."""
    last = run.recipe.stages[-1]
    counts = [
        sum("monitor" in row for row in rows if row.get("stage") == last.name)
        for rows in run.rows.values()
    ]
    if last.member != "last" and max(counts, default=0) > 1:
        yield (
            f"The monitor chose among {max(counts)} validated epochs on the very cases that are "
            "scored here, so that the scores may be somewhat too high; "
            f"stages.{last.name}.member: last chooses none."
        )


def _about_time(fold: Path, recipe: Recipe) -> Iterator[str]:
    """Yield which stages of a finished fold the time limit ended (``train --max-minutes``)."""
    path = fold / "member.json"
    limited = read_json(path).get("limited", {}) if path.is_file() else {}
    of = {stage.name: f" of {stage.epochs}" for stage in recipe.stages}
    for stage, epochs in limited.items():
        yield (
            f"{fold.name}: the time limit ended stage {stage} after {epochs}{of.get(stage, '')} "
            "epochs."
        )


def _about_log(fold: Path, rows: int) -> Iterator[str]:
    """Yield what is wrong with the metrics of a fold, of which ``rows`` lines could be read."""
    log = fold / "metrics.jsonl"
    name = f"{fold.name}/{log.name}"
    wanted = _rows_of_state(fold / "state")
    if not log.is_file():
        if wanted:
            yield f"{name} is missing: its curves are left out."
        return
    lines = sum(bool(line.strip()) for line in log.read_bytes().splitlines())
    if lines > rows:
        yield f"{name}: {lines - rows} of {lines} lines are cut or damaged and are left out."
    if lines < wanted:
        yield f"{name}: ends after {lines} of {wanted} epochs; the rest of its curves is left out."


def _rows_of_state(saves: Path) -> int:
    """Return how many rows the newest save counts; 0 where there is none that can be read."""
    for save in sorted(saves.glob("[0-9]*"), reverse=True):
        try:
            rows = read_json(save / "position.json")["rows"]
        except (DataError, KeyError, TypeError):
            continue
        if isinstance(rows, int):
            return rows
    return 0
