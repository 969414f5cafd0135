"""The folder of work of a case that is predicted in chunks: what lies there, and for which plan."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from lamina.files import digest
from lamina.folders import remote_url
from lamina.prediction.folder.file_names import file_name
from lamina.prediction.folder.manifest import Info, PredictedCase
from lamina.prediction.streaming.place import Place
from lamina.prediction.streaming.units.ledger import noted_digests


def place_in(
    folder: Path, info: Info, case: PredictedCase, store: Path, dtype: type[np.floating[Any]]
) -> Place:
    """Return where the answer of a case is streamed to, for all that decides its bytes."""
    orientation = [case.orientation] if case.orientation else []
    arithmetic = [info.arithmetic.model_dump_json()] if info.arithmetic else []
    decides = [
        *(info.plan(), *arithmetic, case.sha256, case.axes),
        *(*case.shape, *case.members, *orientation),
    ]
    return Place(
        work=folder / "work" / file_name(case.id),
        store=store,
        plan=hashlib.sha256(json.dumps(decides).encode()).hexdigest(),
        dtype=dtype,
        about={
            "version": info.lamina,
            "recipe": info.recipe_digest,
            "bundles": list(info.bundles),
            "members": list(case.members),
        },
    )


def written_bytes(place: Place) -> int:
    """Return the bytes on disk of a case that is being predicted."""
    files = [one for folder in (place.work, place.store) for one in folder.rglob("*")]
    return sum(file.stat().st_size for file in files if file.is_file())


def digest_of_store(place: Place) -> str:
    """Return what the ledger notes of a store that is complete.

    Of one in object storage that is made of what is noted of its units; nothing is read again.
    """
    if remote_url(place.store) is None:
        return digest(place.store)
    from lamina.prediction.streaming.remote_chunks import joined

    return joined(noted_digests(place.work, place.plan), place.store)


def drop_work(folder: Path, id: str) -> None:
    """Remove what a case needed until it was finished."""
    work = folder / "work"
    shutil.rmtree(work / file_name(id), ignore_errors=True)
    if work.is_dir() and not any(work.iterdir()):
        work.rmdir()
