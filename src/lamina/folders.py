"""Which folder is which, told by a file in it; needs nothing but the file system.

Commands ask here before anything heavy is imported, and the functions behind them ask again.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lamina.errors import BundleError, DataError, RecipeError

RUN_RECIPE = "recipe.json"
PREDICTION = "prediction.json"

PIPELINE = "pipeline.json"
"""Says in an exported folder what is done around the networks."""

BUNDLE = "bundle"
"""The folder of the bundle in a run folder."""

DATA_INDEX = "index.jsonl"
"""What was found in the files of the data, in a run folder or in one of predictions."""

TUNED = "tune.json"
"""What ``lamina tune`` found, in a run folder."""

QUALITY = "quality.csv"
"""How alike image and target of each pair are, in a run folder."""

METRICS = "metrics.jsonl"
"""A line for each epoch, below each fold's folder."""

MEMBER = "member.json"
"""What a fold left, once it is trained; below each fold's folder."""

VALIDATION = "validation.json"
"""Scores and pictures of the worst cases of the last validation, below each fold's folder."""

DEADLINE = "deadline.json"
"""When a fold must be over by ``train --max-minutes``, below each fold's folder."""

OUT_OF_FOLD = "oof"
"""The folder of held-out predictions, below each fold's in a run folder."""


ALL = "all"
"""Name of the member that every case trained, and of its folder in a run folder."""


def fold_name(fold: int) -> str:
    """Return the name of a fold's folder and member: ``fold0``, or ``all`` where it is negative.

    Example:
        >>> fold_name(0), fold_name(-1)
        ('fold0', 'all')
    """
    return ALL if fold < 0 else f"fold{fold}"


def fold_number(name: str) -> int | None:
    """Return the fold that a folder is named after, -1 for ``all``; None: it is of no fold."""
    if name == ALL:
        return -1
    number = name.removeprefix("fold")
    return int(number) if number != name and number.isdecimal() else None


def fold_folders(run: Path) -> list[Path]:
    """Return the folders of a run's folds, in order of their number."""
    below = run.iterdir() if run.is_dir() else ()
    found = {path: fold_number(path.name) for path in below if path.is_dir()}
    numbered = {path: number for path, number in found.items() if number is not None}
    return sorted(numbered, key=numbered.__getitem__)


SCHEMES = ("s3", "gs", "az")
"""Beginnings of addresses in object storage."""


def remote_url(path: Path) -> str | None:
    """Return the address in object storage that a path stands for; None: it is of this machine.

    Example:
        >>> remote_url(Path("s3://bucket/big.zarr")), remote_url(Path("big.zarr"))
        ('s3://bucket/big.zarr', None)
    """
    scheme, colon, rest = path.as_posix().partition(":/")
    return f"{scheme}://{rest.lstrip('/')}" if colon and scheme in SCHEMES else None


def named(path: Path) -> str:
    """Return a path as messages name it: in object storage its address."""
    return remote_url(path) or str(path)


def is_data(root: Path) -> bool:
    """Whether a path is a folder, or an address in object storage, which is not asked."""
    return root.is_dir() or remote_url(root) is not None


def full_name(path: Path) -> str:
    """Return what names a path wherever this process works: the address, or the whole path."""
    return remote_url(path) or str(path.resolve())


def check_data(root: Path) -> None:
    """Refuse what is no folder of data.

    Raises:
        DataError: there is no such folder.
    """
    if not is_data(root):
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
        if (path / PIPELINE).is_file():
            raise BundleError(
                f"{path}: is an exported folder; name the run that it is of, or predict with "
                f"`python {path / 'run.py'} IMAGE --out mask.png`"
            )
