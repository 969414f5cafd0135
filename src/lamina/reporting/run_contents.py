"""What a run folder holds, read once; a run that is not finished has less of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lamina.bundle import Bundle
from lamina.data.case import Case
from lamina.data.index.index import DataIndex
from lamina.errors import DataError
from lamina.files import read_json, read_lines, read_object
from lamina.folders import DATA_INDEX, METRICS, check_run, fold_folders, is_data
from lamina.recipe.recipe import Recipe
from lamina.refusals import reading
from lamina.result.calibration import Calibration
from lamina.result.decisions import AnyDecision, Expected

_BUNDLE = "bundle"


@dataclass(frozen=True)
class Run:
    """A run folder, opened."""

    folder: Path
    recipe: Recipe
    """As resolved, with the names of the outputs."""
    decision: AnyDecision
    """As tuned; before that, the recipe's."""
    calibration: tuple[Calibration, ...]
    """What out-of-fold probabilities go through, as tuned; none: nothing."""
    outlook: Expected | None
    """What tells the score expected of a case, as tuned; None: not tuned."""
    text: str
    """The resolved recipe as YAML."""
    environment: Mapping[str, Any]
    data: Mapping[str, Any]
    tune: Mapping[str, Any] | None
    rows: Mapping[str, list[dict[str, Any]]]
    """Rows of metrics.jsonl of each fold."""

    @classmethod
    def open(cls, folder: Path) -> Run:
        """Read everything but predictions and pixels.

        Raises:
            DataError: it is no run folder, or a file in it is damaged.
            BundleError: its bundle is damaged.
        """
        check_run(folder)
        with reading(folder / "recipe.json", what="not readable by this version of lamina"):
            recipe = Recipe.model_validate(read_json(folder / "recipe.json"))
        decision, curves, outlook = recipe.decide, tuple[Calibration, ...](), None
        if (folder / _BUNDLE).is_dir():
            bundle = Bundle.load(folder / _BUNDLE, verify=False)
            decision, curves, outlook = bundle.decision, bundle.calibration, bundle.index.outlook
        resolved = folder / "recipe.resolved.yaml"
        return cls(
            folder=folder,
            recipe=recipe,
            decision=decision,
            calibration=curves,
            outlook=outlook,
            text=_text(resolved),
            environment=_maybe(folder / "env.json") or {},
            data=_data(folder / "data.json"),
            tune=_maybe(folder / "tune.json"),
            rows={path.name: _rows(path / METRICS) for path in fold_folders(folder)},
        )

    def cases(
        self, root: Path | None = None, index: Path | None = None, *, verify: bool = False
    ) -> dict[str, Case]:
        """Open the data of the run and return its cases by id; none where the folder is gone.

        Args:
            root: Where they lie now; None: where they lay in training.
            index: File of what is known of their files; None: that of the run.
            verify: Read all files again.

        Raises:
            DataError: the folder is there, and its data are not usable.
        """
        if root is None:
            if not self.data.get("root"):
                return {}
            root = Path(str(self.data["root"]))
        if not is_data(root):
            return {}
        with DataIndex(index or self.folder / DATA_INDEX, verify=verify).used():
            listing = self.recipe.data.open(root, self.recipe.task)
        cases, _ = self.recipe.split.assign(listing.cases, root)
        return {case.id: case for case in self.recipe.asked(cases)}

    @property
    def holds_out(self) -> bool:
        """Whether any case was held out."""
        cases = self.data.get("cases", [])
        return not cases or any(case["fold"] >= 0 for case in cases)

    @property
    def seconds(self) -> float:
        """Time spent in epochs of all folds, in seconds."""
        return sum(float(row.get("seconds", 0.0)) for rows in self.rows.values() for row in rows)


def _text(path: Path) -> str:
    if not path.is_file():
        return ""
    with reading(path):
        return path.read_text(encoding="utf-8")


def _data(path: Path) -> dict[str, Any]:
    """Return what data.json says; nothing where there is none.

    Raises:
        DataError: its cases are not what ``lamina train`` writes.
    """
    data = _maybe(path) or {}
    cases = data.get("cases", [])
    sound = isinstance(cases, list) and all(
        isinstance(case, dict)
        and isinstance(case.get("fold"), int)
        and isinstance(case.get("shape"), list)
        and all(isinstance(side, int) for side in case["shape"])
        for case in cases
    )
    if not sound:
        raise DataError(f"{path}: its cases are damaged; run the same `lamina train` again")
    return dict(data)


def _rows(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a log; those whose time is no number are damaged and left out."""
    return [row for row in read_lines(path) if isinstance(row.get("seconds", 0.0), int | float)]


def _maybe(path: Path) -> Any:
    return read_object(path) if path.is_file() else None
