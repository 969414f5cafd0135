"""Where classes lie in the targets of a run: found once, kept in the run folder, for samplers."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lamina import files
from lamina.data.case import Case
from lamina.data.class_places import ClassPlaces, find_places
from lamina.data.samplers import RandomCrop
from lamina.progress import Bar
from lamina.recipe.recipe import Recipe
from lamina.training.saving.class_pixels import data_digest

CLASS_PLACES = "class_places.npz"
"""What a run folder keeps of the places of each class in each case."""

_DAMAGED = (
    OSError,
    ValueError,
    LookupError,
    NotImplementedError,  # a version or compression that no archive of ours has
    zipfile.BadZipFile,
    zlib.error,
)


def with_places(recipe: Recipe, cases: Sequence[Case], out: Path) -> list[Case]:
    """Return cases with the places of their classes, where a sampler asks for them again and again.

    That is of blocks, whose targets may be larger than memory, and where classes are drawn evenly.

    Args:
        recipe: Its frame and the samplers of its stages.
        cases: As the network sees them.
        out: The run folder, where the places of every case are kept.

    Raises:
        DataError: a target cannot be read.
    """
    samplers = [stage.sampler for stage in recipe.stages]
    even = any(isinstance(one, RandomCrop) and one.classes == "even" for one in samplers)
    asked = recipe.frame.axes == 3 and any(one.reads_targets for one in samplers)
    if not (even or asked):
        return list(cases)
    kept = _kept(out)
    missing = [case for case in cases if case.target is not None and case.id not in kept]
    if missing:
        with Bar("looking for classes", len(missing)) as bar:
            for case in missing:
                assert case.target is not None
                kept[case.id] = find_places(case.target, soft=case.facts.get("labels") == "soft")
                bar.advance(note=case.id)
        files.write_bytes(out / CLASS_PLACES, _packed(kept, data_digest(out)))
    return [replace(case, places=kept.get(case.id)) for case in cases]


def _packed(kept: Mapping[str, ClassPlaces], data: str) -> bytes:
    """Return the places of all cases as an archive of a few arrays."""
    rows = [(number, k, one.flat[k]) for number, one in enumerate(kept.values()) for k in one.flat]
    stream = io.BytesIO()
    np.savez_compressed(
        stream,
        data=np.array(data),
        ids=np.array(list(kept), np.str_),
        shapes=np.array([one.shape for one in kept.values()], np.int64),
        case=np.array([number for number, _, _ in rows], np.int64),
        classes=np.array([k for _, k, _ in rows], np.int64),
        lengths=np.array([len(places) for _, _, places in rows], np.int64),
        places=np.concatenate([np.zeros(0, np.int64), *(places for _, _, places in rows)]),
    )
    return stream.getvalue()


def _kept(out: Path) -> dict[str, ClassPlaces]:
    """Return what is kept of these very data, by case; nothing where the file is damaged."""
    path = out / CLASS_PLACES
    if not path.is_file():
        return {}
    try:
        with path.open("rb") as stream, np.load(stream) as stored:
            if str(stored["data"]) != data_digest(out):
                return {}
            ids, shapes = stored["ids"].tolist(), stored["shapes"].tolist()
            ends = np.cumsum(stored["lengths"])[:-1]
            parts = np.split(stored["places"], ends) if len(stored["lengths"]) else []
            flat: list[dict[int, NDArray[np.int64]]] = [{} for _ in ids]
            owners, classes = stored["case"].tolist(), stored["classes"].tolist()
            for number, k, places in zip(owners, classes, parts, strict=True):
                flat[number][k] = places
    except _DAMAGED:
        return {}
    return {
        name: ClassPlaces(tuple(shape), own)
        for name, shape, own in zip(ids, shapes, flat, strict=True)
    }
