"""Maps of uncertainty in a folder of predictions, verified on read.

uncertainty/NAME.npy or .zarr   (C or 2 C, *S) float16 in bits: entropy of each class, then,
where members or views answered, their mutual information
uncertainty/NAME.json           the digest of the map, and how the masks of members agree
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.errors import DataError
from lamina.files import digest, read_json, write_json, write_with
from lamina.geometry.region import Region
from lamina.prediction.folder.digests import decision_digest
from lamina.prediction.folder.file_names import file_name
from lamina.prediction.folder.predictions import Predictions

FOLDER = "uncertainty"

Maps = Iterable[tuple[Region, NDArray[Any]]]


@dataclass(frozen=True)
class StoredUncertainty:
    """The maps of uncertainty of a folder of predictions."""

    predictions: Predictions

    def path(self, id: str) -> Path:
        """Where the map of a case lies."""
        ending = ".zarr" if self.predictions.case(id).chunked else ".npy"
        return self.predictions.folder / FOLDER / f"{file_name(id)}{ending}"

    def write(self, id: str, channels: int, maps: Maps, agreement: list[float]) -> None:
        """Write the map of a case, and note it.

        Args:
            id: The case.
            channels: Of the map.
            maps: (channels, *region) of each region of the case.
            agreement: Mean pairwise Dice between the masks of members, class by class; empty: one
                member answered in one view.
        """
        path, case = self.path(id), self.predictions.case(id)
        shape = (channels, *case.shape)
        if case.chunked:
            from lamina.prediction.streaming.zarr_store import Store

            store = Store.begin(path, case.axes, shape, np.float16)
            for region, values in maps:
                store.write(region, values)
            sha256 = digest(path)
        else:
            ((_, values),) = maps
            sha256 = write_with(path, lambda target: _save(target, values))
        note = {"map": sha256, "agreement": agreement, "decision": self._decision}
        write_json(self._note(id), note)

    def map(self, id: str) -> NDArray[Any]:
        """Return the map of a case, compared with its digest.

        Raises:
            DataError: it is missing or damaged.
        """
        if not self.sound(id):
            raise DataError(
                f"{self.path(id)}: is missing, or does not match its digest; run the same "
                "`lamina predict --uncertainty` again, which makes only damaged files anew"
            )
        if not self.predictions.case(id).chunked:
            return np.asarray(np.load(self.path(id), allow_pickle=False))
        from lamina.prediction.streaming.zarr_store import Store

        return Store.open(self.path(id)).read()

    def sound(self, id: str) -> bool:
        """Whether the map of a case is there as it was written."""
        path, note = self.path(id), self._note(id)
        return note.is_file() and path.exists() and read_json(note).get("map") == digest(path)

    def agreement(self, id: str) -> list[float]:
        """Return how the masks of members agree, class by class; empty: not known.

        It is not known either after another decision, by which members decided nothing yet.
        """
        note = read_json(self._note(id)) if self._note(id).is_file() else {}
        return list(note["agreement"]) if note.get("decision") == self._decision else []

    def _note(self, id: str) -> Path:
        return self.predictions.folder / FOLDER / f"{file_name(id)}.json"

    @property
    def _decision(self) -> str:
        return decision_digest(self.predictions.decision)


def _save(path: Path, values: NDArray[Any]) -> None:
    with path.open("wb") as file:
        np.save(file, values.astype(np.float16), allow_pickle=False)
