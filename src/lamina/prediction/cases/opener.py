"""The cases of a folder of predictions, opened from their sources in another process."""

from __future__ import annotations

from pathlib import Path

from lamina.data.case import Case
from lamina.data.catalogs.inputs import Input
from lamina.data.flatten import align
from lamina.data.flatten.summary import CURVES
from lamina.errors import DataError
from lamina.prediction.cases.opened import open_whole
from lamina.prediction.folder.predictions import Predictions
from lamina.prediction.members.loaded import LoadedMembers


class CaseOpener:
    """Opens the cases of a folder of predictions from their sources; the last one is kept."""

    def __init__(self, predictions: Predictions, loaded: LoadedMembers, folder: Path) -> None:
        """Sources are named from ``folder``."""
        self._predictions, self._loaded, self._folder = predictions, loaded, folder
        self._last: tuple[int, Case] | None = None

    def open(self, number: int) -> Case:
        """Return the case with that number in ``prediction.json``.

        Raises:
            DataError: it cannot be read, or is of another shape now.
        """
        if self._last is None or self._last[0] != number:
            self._last = (number, self._opened(number))
        return self._last[1]

    def _opened(self, number: int) -> Case:
        info = self._predictions.info
        predicted, recipe = info.cases[number], self._loaded.bundles[0].recipe
        path = self._folder / predicted.source
        for id in {predicted.id: 0, predicted.id.rpartition("/")[0]: 0}:  # a slice has its volume's
            whole, _ = open_whole(Input(id, path), self._loaded.bundles, corrupt=info.corrupted)
            for case in recipe.frame.chosen([whole], info.predict.slices):
                if case.id == predicted.id:
                    if tuple(case.image.shape) != predicted.shape:
                        raise DataError(
                            f"{path}: is {case.image.shape} now and was {predicted.shape}; run the "
                            "same command again"
                        )
                    align([case], self._predictions.folder / CURVES, note=False)
                    return case
        raise DataError(f"{path}: does not hold the case '{predicted.id}'")
