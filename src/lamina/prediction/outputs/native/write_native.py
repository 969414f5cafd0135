"""The files of a case in the format of its source, whose geometry they copy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from lamina.errors import DataError
from lamina.prediction.folder.digests import is_source
from lamina.prediction.folder.file_names import class_folders
from lamina.prediction.folder.manifest import PredictedCase, write_info
from lamina.prediction.folder.predictions import Predictions
from lamina.prediction.outputs.native.base import (
    FOLDER,
    PROBABILITIES,
    Answer,
    Layer,
    Native,
    trail_of,
)
from lamina.prediction.outputs.native.formats import FORMATS
from lamina.prediction.outputs.output_file import OutputFile, inside
from lamina.volume import Volume, view_chain

_LIBRARY = (ValueError, RuntimeError, TypeError, LookupError, ArithmeticError, AttributeError)


def write_native(
    predictions: Predictions, id: str, image: Volume, *, probabilities: bool
) -> list[OutputFile]:
    """Write a finished case in the format of its source; nothing where there is no such format.

    Args:
        predictions: The folder.
        id: The case.
        image: Its image, opened.
        probabilities: Also probabilities beside labels, of formats that can hold them.

    Raises:
        DataError: the source is gone or changed, the case is not the whole of it, or the format
            cannot hold the answer.
        RecipeError: a library is not installed.
    """
    *_, reader = view_chain(image)
    form = next((form for form in FORMATS if isinstance(reader, form.readers)), None)
    if form is None:
        return []
    answer = _answer(predictions, id, image, form)
    layers: tuple[Layer, ...] = form.layers(answer)
    if probabilities and form.probabilities:
        layers += answer.probability_layers()
    made = []
    for layer in layers:
        path = _path(predictions, predictions.case(id), layer.folder, form.suffix)
        try:
            sha = form.write(path, answer, layer)
        except _LIBRARY as error:
            raise DataError(f"{id}: no native output ({error})") from error
        made.append(OutputFile(inside(predictions.folder, path), sha, layer.holds))
    return made


def native_places(predictions: Predictions, id: str) -> Iterator[Path]:
    """Yield every place where a file of a case may lie; of folders that are not there none."""
    root = predictions.folder / FOLDER
    if not root.is_dir():
        return
    case, classes = predictions.case(id), class_folders(predictions.task.names or ())
    names = [f"{case.file_name}{suffix}" for suffix in {form.suffix: 0 for form in FORMATS}]
    for above in (root, root / PROBABILITIES):
        for folder in (above, *(above / name for name in classes)) if above.is_dir() else ():
            if folder.is_dir():
                yield from (folder / name for name in names)


def note_native(predictions: Predictions) -> Predictions:
    """Write what the native files of each case hold to ``prediction.json``, where it is news.

    Returns:
        The predictions with their new header.
    """
    cases = tuple(
        case.model_copy(update={"native": predictions.ledger.files(case).get("native") or None})
        for case in predictions.info.cases
    )
    if cases == predictions.info.cases:
        return predictions
    info = predictions.info.model_copy(update={"cases": cases})
    write_info(predictions.folder, info)
    return replace(predictions, info=info)


def _answer(predictions: Predictions, id: str, image: Volume, form: Native) -> Answer:
    """Return a finished case with its source, from which geometry is copied."""
    case, trail = predictions.case(id), trail_of(image)
    if trail is None:
        raise DataError(f"{id}: no native output, since it is a part of {case.source}")
    try:
        same = is_source(case.source, case.sha256)
    except (DataError, OSError):
        same = False
    if not same:
        raise DataError(f"{id}: no native output, since {case.source} is gone or changed")
    answer = Answer(predictions, id, trail)
    if why := form.why_not(answer):
        raise DataError(f"{id}: no native output, since {why}")
    return answer


def _path(predictions: Predictions, case: PredictedCase, folder: str | None, suffix: str) -> Path:
    return _folder(predictions, folder) / f"{case.file_name}{suffix}"


def _folder(predictions: Predictions, folder: str | None) -> Path:
    root = predictions.folder / FOLDER
    return root / folder if folder else root
