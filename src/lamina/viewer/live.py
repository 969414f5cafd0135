"""A training as it goes on: curves, the worst cases of its last validation, load, time left."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lamina.errors import LaminaError
from lamina.files import LOCK, read_object
from lamina.files.lock import BEAT
from lamina.folders import DEADLINE, MEMBER, METRICS, VALIDATION, fold_folders
from lamina.machine.load import Load
from lamina.recipe.recipe import Recipe

_RECENT = 5  # epochs whose time tells that of the coming ones


class Training:
    """A run folder that training writes to, read on as it grows."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._load = Load()

    def state(self, recipe: Recipe) -> dict[str, Any]:
        """Return where the training stands, and how busy this machine is.

        Args:
            recipe: That of the run, for the epochs of its stages.
        """
        running = self.running
        folds = fold_folders(self.folder)
        finished = [fold.name for fold in folds if (fold / MEMBER).is_file()]
        now = next((fold for fold in folds if fold.name not in finished), None)
        standing = None
        if running and now is not None:
            rows, _ = rows_after(now / METRICS, 0)
            standing = {
                "fold": now.name,
                **standing_of(rows, recipe, _age(now / METRICS), _limit_left(now / DEADLINE)),
            }
        load = self._load.now()
        return {"running": running, "finished": finished, "now": standing, "load": load}

    @property
    def running(self) -> bool:
        """Whether a process works in the folder: it gives a sign of life every 30 seconds."""
        age = _age(self.folder / LOCK)
        return age is not None and age < 2.5 * BEAT

    def curves(self, since: Mapping[str, int]) -> dict[str, Any]:
        """Return whole rows of metrics.jsonl of each fold after a byte, and where they end."""
        found = {}
        for folder in fold_folders(self.folder):
            rows, end = rows_after(folder / METRICS, since.get(folder.name, 0))
            found[folder.name] = {"rows": rows, "end": end}
        return found

    def worst(self) -> dict[str, Any]:
        """Return the worst cases of the last validation of the fold that was validated last."""
        files = [folder / VALIDATION for folder in fold_folders(self.folder)]
        there = [path for path in files if path.is_file()]
        if not there:
            return {}
        newest = max(there, key=lambda path: path.stat().st_mtime_ns)
        try:
            return {"fold": newest.parent.name, **read_object(newest, "cases")}
        except LaminaError:  # it is being replaced, or damaged
            return {}


def standing_of(
    rows: Sequence[Mapping[str, Any]],
    recipe: Recipe,
    age: float | None,
    limit: float | None = None,
) -> dict[str, Any]:
    """Return stage, epoch and the seconds that a fold still has: by its last epochs, or its limit.

    Args:
        rows: Of its log, one for each epoch.
        recipe: Its stages, in order.
        age: Seconds since its last row; None: there is none.
        limit: Seconds until the time limit ends it; None: it has none.

    Returns:
        ``stage``, ``epoch``, ``epochs``; ``seconds_left``, the smaller of the two (None: not known
        yet), and ``left_by``: ``epochs`` or ``limit``; None: there is no limit.
    """
    done = {stage.name: 0 for stage in recipe.stages}
    for row in rows:
        if row.get("stage") in done:
            done[row["stage"]] = max(done[row["stage"]], int(row.get("epoch", 0)) + 1)
    names = [stage.name for stage in recipe.stages]
    begun = [name for name in names if done[name]]
    name = begun[-1] if begun else names[0]
    stage = recipe.stages[names.index(name)]
    if done[name] >= stage.epochs and names.index(name) + 1 < len(names):
        stage = recipe.stages[names.index(name) + 1]
    left = sum(
        later.epochs - (done[later.name] if later is stage else 0)
        for later in recipe.stages[names.index(stage.name) :]
    )
    last = [float(row["seconds"]) for row in rows[-_RECENT:] if _is_number(row.get("seconds"))]
    seconds = None if not last else max(left * sum(last) / len(last) - (age or 0.0), 0.0)
    left_by = None if limit is None else "epochs"
    if limit is not None and (seconds is None or limit < seconds):
        seconds, left_by = limit, "limit"
    return {
        "stage": stage.name,
        "epoch": done[stage.name],
        "epochs": stage.epochs,
        "seconds_left": seconds,
        "left_by": left_by,
    }


def rows_after(path: Path, start: int) -> tuple[list[dict[str, Any]], int]:
    """Return the rows of a log after a byte, without a last line that is not whole."""
    if not path.is_file():
        return [], 0
    with path.open("rb") as file:
        size = file.seek(0, 2)
        start = start if 0 <= start <= size else 0
        file.seek(start)
        data = file.read()
    whole = data[: data.rfind(b"\n") + 1]
    rows = []
    for line in whole.splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict):
            rows.append(row)
    return rows, start + len(whole)


def _age(path: Path) -> float | None:
    try:
        return max(time.time() - path.stat().st_mtime, 0.0)
    except OSError:
        return None


def _limit_left(path: Path) -> float | None:
    """Return the seconds until a deadline that training noted; None: it noted none."""
    try:
        return max(float(read_object(path, "at")["at"]) - time.time(), 0.0)
    except (LaminaError, TypeError, ValueError):
        return None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
