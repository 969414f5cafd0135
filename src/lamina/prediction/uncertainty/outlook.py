"""What to expect of each predicted case, written to ``prediction.json``."""

from __future__ import annotations

from dataclasses import replace

from lamina.prediction.folder.manifest import ClassOutlook, write_info
from lamina.prediction.folder.predictions import Predictions
from lamina.prediction.uncertainty.stored import StoredUncertainty
from lamina.result.decisions import Expected


def note_outlook(predictions: Predictions, outlook: Expected | None) -> Predictions:
    """Write presence, expected score and agreement of each finished case, class by class.

    Args:
        predictions: A folder whose cases are predicted with their uncertainty.
        outlook: What ``lamina tune`` fitted; None: presence and expected score are not known.

    Returns:
        The predictions with their new header.
    """
    done, stored = set(predictions.ids), StoredUncertainty(predictions)
    cases = []
    for case in predictions.info.cases:
        if case.id not in done:
            cases.append(case)
            continue
        rows = _rows(predictions, case.id, outlook, stored.agreement(case.id))
        cases.append(case.model_copy(update={"outlook": rows}))
    info = predictions.info.model_copy(update={"cases": tuple(cases)})
    write_info(predictions.folder, info)
    return replace(predictions, info=info)


def _rows(
    predictions: Predictions, id: str, outlook: Expected | None, agreement: list[float]
) -> tuple[ClassOutlook, ...]:
    names = predictions.task.names or ()
    pairs = (
        [(None, None)] * len(names)
        if outlook is None
        else outlook.outlook(prob for _, prob in predictions.slabs(id))
    )
    rows = []
    for k, (name, (presence, expected)) in enumerate(zip(names, pairs, strict=True)):
        if predictions.task.exclusive and k == 0:
            continue
        agreed = agreement[k] if agreement else None
        rows.append(ClassOutlook(name=name, presence=presence, expected=expected, agreement=agreed))
    return tuple(rows)
