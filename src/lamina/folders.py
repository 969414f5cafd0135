"""Which folder is which, told by a file in it; needs nothing but the file system.

Commands ask here before anything heavy is imported, and the functions behind them ask again.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lamina.errors import BundleError, DataError, RecipeError

RUN_RECIPE = "recipe.json"
PREDICTION = "prediction.json"

BUNDLE = "bundle"
"""The folder of the bundle in a run folder."""

TUNED = "tune.json"
"""What ``lamina tune`` found, in a run folder."""

QUALITY = "quality.csv"
"""How alike image and target of each pair are, in a run folder."""

OUT_OF_FOLD = "oof"
"""The folder of held-out predictions, below each fold's in a run folder."""


def check_data(root: Path) -> None:
    """Refuse what is no folder of data.

    Raises:
        DataError: there is no such folder.
    """
    if not root.is_dir():
        raise DataError(f"{root}: no such folder; give the data folder")


def check_run(run: Path) -> None:
    """Refuse what is no run folder.

    Raises:
        DataError: ``lamina train`` did not write it.
    """
    if not (run / RUN_RECIPE).is_file():
        what = f"no {RUN_RECIPE} in it" if run.is_dir() else "no such folder"
        raise DataError(f"{run}: {what}; name a run folder that `lamina train` wrote")


def check_finished(run: Path) -> None:
    """Refuse what is no run folder with a bundle.

    Raises:
        DataError: as ``check_run``, or its training has not finished.
    """
    check_run(run)
    if not (run / BUNDLE).is_dir():
        raise DataError(
            f"{run}: its training has not finished; run the same `lamina train` again to resume"
        )


def check_predictions(folder: Path) -> None:
    """Refuse what is no prediction folder.

    Raises:
        DataError: ``lamina predict`` did not write it.
    """
    if not (folder / PREDICTION).is_file():
        what = f"no {PREDICTION} in it" if folder.is_dir() else "no such folder"
        raise DataError(f"{folder}: {what}; name a folder that `lamina predict` wrote")


def check_output(out: Path) -> None:
    """Refuse a file where a folder is to be written.

    Raises:
        RecipeError: there is a file.
    """
    for path in (out, *out.parents):
        if path.is_dir():
            return
        if path.exists():
            raise RecipeError(f"{out}: cannot be written, since {path} is a file; choose another")


def check_bundles(paths: Sequence[Path]) -> None:
    """Refuse names of runs or bundles that lead nowhere.

    Raises:
        BundleError: there is no such file or folder.
    """
    for path in paths:
        if not path.exists():
            raise BundleError(f"{path}: no such bundle or run folder")
