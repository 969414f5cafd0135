"""From a prediction to the file that is handed in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lamina.errors import DataError, RecipeError
from lamina.predict.predictions import Predictions
from lamina.result.submissions import FORMATS, Submission


def submit(pred: Path, out: Path, *, format: str | None = None) -> dict[str, Any]:
    """Decide on every case and write the masks down, one case in memory at a time.

    Args:
        pred: A folder of ``lamina predict``, finished.
        out: The file to write; it appears whole or not at all.
        format: Name of a submission format; None: the one of the recipe.

    Returns:
        ``format``, ``out``, and the numbers of ``rows`` and ``cases``.

    Raises:
        RecipeError: there is no such format, the recipe names none, or there are no masks.
        DataError: the prediction is not finished, or a case cannot be written in the format.
    """
    predictions = Predictions.open(pred)
    form = _format(predictions, format)
    if predictions.task.kind == "restore":
        raise RecipeError(f"{pred}: holds values, not masks; {_name(form)} needs masks")
    ids = sorted(predictions.ids)
    missing = len(predictions.info.cases) - len(ids)
    if missing or not ids:
        raise DataError(
            f"{pred}: {missing} of {len(predictions.info.cases)} cases are not predicted yet; run "
            "the same `lamina predict` again, it goes on where it stopped"
        )
    rows = form.write(((id, predictions.mask(id)) for id in ids), out)
    return {"format": _name(form), "out": str(out), "rows": rows, "cases": len(ids)}


def _name(form: Submission) -> str:
    return next(name for name, kind in FORMATS.items() if type(form) is kind)


def _format(predictions: Predictions, name: str | None) -> Submission:
    own = predictions.info.recipe.submit
    known = ", ".join(FORMATS)
    if name is None:
        if own is None:
            raise RecipeError(f"the recipe names no submission; pass --format, one of {known}")
        return own
    if name not in FORMATS:
        raise RecipeError(f"--format is '{name}'; it must be one of {known}")
    if own is not None and own.kind == name:
        return own  # with the options of the recipe
    return FORMATS[name]()
