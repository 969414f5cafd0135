"""A case predicted with its uncertainty: each voice by itself, then all of them part by part.

There are as many forward passes as without it. Of a case in memory all answers are held; of a
volume or a large image they are streamed to stores in the folder of work, and joined slab by slab.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lamina.data.case import Case
from lamina.geometry.region import Region
from lamina.prediction.engine import Member, Place, predict_case, stream_case
from lamina.prediction.folder.predictions import Predictions
from lamina.prediction.streaming.plan import check_room
from lamina.prediction.uncertainty.measures import Agreement, disagreement, entropy
from lamina.prediction.uncertainty.stored import Maps, StoredUncertainty
from lamina.prediction.uncertainty.voices import Voices, voices
from lamina.recipe.recipe import Recipe
from lamina.result.decisions.base import CaseDecision

Parts = Callable[[], Iterator[tuple[Region, list[NDArray[Any]]]]]
"""Regions of a case with the answers of all voices there, (K, *region) each, as often as asked."""


@dataclass(frozen=True)
class How:
    """Where networks run, and how many tiles at a time."""

    device: torch.device
    precision: torch.dtype | None
    batch: int | None = None
    memory: int | None = None
    """Bytes for slabs of volumes; None: 256 MiB."""


def predict_uncertain(
    predictions: Predictions, case: Case, members: Sequence[Member], recipe: Recipe, how: How
) -> None:
    """Predict one case into the folder, with maps of its uncertainty.

    Raises:
        DataError: the case cannot be read.
        ResourceError: a single tile does not fit the memory, or the disk is full.
    """
    heard = voices(members, recipe)
    if not predictions.case(case.id).chunked:
        answers = [
            predict_case(
                case,
                [member],
                recipe,
                device=how.device,
                precision=how.precision,
                batch=how.batch,
                fixed=True,
            )
            for member in heard.members
        ]
        region = Region.whole(answers[0].shape[1:])
        _measure(predictions, case.id, heard, lambda: iter([(region, answers)]))
        predictions.add(case.id, heard.mean(answers))
        return
    parts = _streamed(predictions, case, heard, recipe, how)
    _join(predictions, case.id, heard, parts)
    _measure(predictions, case.id, heard, parts)
    predictions.finish(case.id)


def _streamed(
    predictions: Predictions, case: Case, heard: Voices, recipe: Recipe, how: How
) -> Parts:
    """Write the answer of each voice to a store of float32; what is finished is kept."""
    from lamina.prediction.streaming.zarr_store import Store

    place, stores = predictions.place(case.id), []
    # each answer in float32, their mean and up to two maps in float16
    kept = (4 * len(heard.members) + 6) * recipe.task.outputs * prod(case.image.shape)
    check_room(case.image.name, predictions.folder, kept, predictions.written(case.id))
    for number, member in enumerate(heard.members):
        own = Place(
            work=place.work / f"voice{number}",
            store=place.work / f"voice{number}.zarr",
            plan=f"{place.plan} voice {number}",
            dtype=np.float32,
        )
        stream_case(
            case,
            [member],
            recipe,
            place=own,
            device=how.device,
            precision=how.precision,
            batch=how.batch,
            fixed=True,
            memory=how.memory,
        )
        stores.append(Store.open(own.store))

    def parts() -> Iterator[tuple[Region, list[NDArray[Any]]]]:
        for region in stores[0].slabs():
            yield region, [store.read(region) for store in stores]

    return parts


def _join(predictions: Predictions, id: str, heard: Voices, parts: Parts) -> None:
    """Write the mean of all voices to the store of the case."""
    from lamina.prediction.streaming.zarr_store import Store

    place, case = predictions.place(id), predictions.case(id)
    shape = (predictions.task.outputs, *case.shape)
    about = {**place.about, "plan": place.plan}
    store = Store.begin(place.store, case.axes, shape, place.dtype, about=about)
    for region, answers in parts():
        store.write(region, heard.mean(answers).astype(place.dtype))


def _measure(predictions: Predictions, id: str, heard: Voices, parts: Parts) -> None:
    """Write the maps of a case, and note how the masks of its voices agree."""
    exclusive, several = predictions.task.exclusive, len(heard.members) > 1

    def maps() -> Maps:
        for region, answers in parts():
            found = [entropy(heard.mean(answers), exclusive=exclusive)]
            if several:
                each = heard.calibrated(answers)
                found.append(disagreement(each, heard.weights, exclusive=exclusive))
            yield region, np.concatenate(found).astype(np.float16)

    channels = (1 if exclusive else predictions.task.outputs) * (1 + several)
    agreement = _agreement(predictions, heard, parts) if several else []
    StoredUncertainty(predictions).write(id, channels, maps(), agreement)


def _agreement(predictions: Predictions, heard: Voices, parts: Parts) -> list[float]:
    """Return the mean pairwise Dice between the masks of all voices, class by class."""
    decision, found = predictions.decision, Agreement()
    numbers = range(len(heard.members))

    def of_voice(number: int) -> Iterator[NDArray[Any]]:
        for _, answers in parts():
            yield _stored(heard, answers[number])

    decides: list[CaseDecision | None] = [decision.for_case(of_voice(n)) for n in numbers]
    if None in decides:  # areas and parts are of whole cases
        found.add([decision(np.concatenate(list(of_voice(n)), axis=1)) for n in numbers])
        return found.value()
    for _, answers in parts():
        masks = [
            decide(_stored(heard, one))
            for decide, one in zip(decides, answers, strict=True)
            if decide is not None
        ]
        found.add(masks)
    return found.value()


def _stored(heard: Voices, answer: NDArray[Any]) -> NDArray[Any]:
    """Return the answer of a voice as it would be stored."""
    return heard.calibrated([answer])[0].astype(np.float16)
