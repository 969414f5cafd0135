"""From a prediction to the file that is handed in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lamina.data.readers import has_suffix, stem_of
from lamina.errors import DataError, RecipeError
from lamina.prediction.folder.predictions import Predictions
from lamina.public import StrPath, VerbResult, as_path
from lamina.refusals import verb
from lamina.result.submissions import FORMATS, Part, Submission
from lamina.spec import kind_of


@dataclass(frozen=True)
class SubmitResult(VerbResult):
    """What ``submit`` wrote."""

    format: str
    """Name of the submission format."""
    out: Path
    """The file."""
    rows: int
    """Number of rows, or of entries of an archive."""
    cases: int
    """Number of cases written."""
    skipped: int | None = None
    """Number of cases that the sample does not list; None without a sample."""
    changes: tuple[str, ...] = ()
    """What was changed of the trained recipe for this prediction."""

    def _not_applicable(self) -> set[str]:
        return {"skipped"} if self.skipped is None else set()


@verb
def submit(
    pred: StrPath, out: StrPath, *, format: str | None = None, sample: StrPath | None = None
) -> SubmitResult:
    """Decide on every case and write the masks down, one case in memory at a time.

    Of a volume no more than a slab is in memory, where the format and the decision allow it.

    Args:
        pred: A folder of ``lamina predict``, finished.
        out: The file to write; it appears whole or not at all. An archive of coordinates that is
            there is extended.
        format: Name of a submission format; None: the one of the recipe.
        sample: A sample submission of the siim format: its images are written, in its order, and
            no others (SIIM-32). An id of the prediction may end in the suffix of an image file.

    Returns:
        The format, the file, and the numbers of rows and cases.

    Raises:
        RecipeError: there is no such format, the recipe names none, or there are no masks.
        DataError: the prediction is not finished, or a case cannot be written in the format.

    Example:
        >>> submit("pred", "submission.csv", format="severstal").rows
        8
    """
    pred, out = as_path(pred, "pred"), as_path(out, "out")
    predictions = Predictions.open(pred)
    form = _format(predictions, format)
    if form.values != (predictions.task.kind == "restore"):
        words = ("values", "masks") if form.values else ("masks", "values")
        raise RecipeError(f"{pred}: holds {words[1]}; {kind_of(form)} is for {words[0]}")
    ids = finished_ids(predictions)
    rows = {id: id for id in ids}
    if sample is not None:
        rows = _as_in_sample(form, ids, as_path(sample, "sample"))
    parts = ((row, _parts(predictions, id)) for row, id in rows.items())
    written = form.write_parts(parts, out)
    skipped = None if sample is None else len(ids) - len(rows)
    changes = predictions.info.changes
    return SubmitResult(kind_of(form), out, written, len(rows), skipped, changes)


def finished_ids(predictions: Predictions) -> list[str]:
    """Return the ids of all cases, sorted.

    Raises:
        DataError: not all are finished, or there are none.
    """
    ids = sorted(predictions.ids)
    missing = len(predictions.info.cases) - len(ids)
    if missing or not ids:
        raise DataError(
            f"{predictions.folder}: {missing} of {len(predictions.info.cases)} cases are not "
            "predicted yet; run the same `lamina predict` again to resume"
        )
    return ids


def _parts(predictions: Predictions, id: str) -> Iterator[Part]:
    for region, _, masks in predictions.decided(id):
        yield region, masks


def _as_in_sample(form: Submission, ids: list[str], sample: Path) -> dict[str, str]:
    """Return the case of each row, in the order of the sample."""
    wanted = form.sample_ids(sample)
    known = {_bare(id): id for id in ids} | {id: id for id in ids}
    missing = [id for id in wanted if id not in known]
    if missing or not wanted:
        raise DataError(
            f"{sample}: {len(missing)} of its {len(wanted)} images are not in the prediction, such "
            f"as {', '.join(map(repr, missing[:3])) or 'none'}; predict them as well"
        )
    return {id: known[id] for id in wanted}


def _bare(id: str) -> str:
    path = Path(id)
    return stem_of(path) if has_suffix(path) else path.name


def _format(predictions: Predictions, name: str | None) -> Submission:
    own = predictions.info.recipe.submit
    known = ", ".join(FORMATS)
    if name is None:
        if own is None:
            raise RecipeError(f"the recipe names no submission; pass --format, one of {known}")
        return own
    chosen = FORMATS.get(name)
    if chosen is None:
        raise RecipeError(f"--format is '{name}'; it must be one of {known}")
    if own is not None and kind_of(own) == name:
        return own  # with the options of the recipe
    return chosen()
