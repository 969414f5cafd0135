"""The cases of a folder of predictions, with their truth where it is given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from lamina.data.case import Case
from lamina.data.catalogs.inputs import Input
from lamina.data.index.index import DataIndex
from lamina.errors import DataError, LaminaError
from lamina.evaluation.matching import match
from lamina.folders import DATA_INDEX, check_data
from lamina.prediction.cases.inputs import open_listed
from lamina.prediction.folder.manifest import HEADER, PredictedCase, check_place
from lamina.prediction.folder.predictions import LEDGER, Predictions
from lamina.viewer.sources.contents import Contents, FoundCase, Source


class PredictionSource(Source):
    """A folder of ``lamina predict``, finished or not.

    Images are opened where they lay when they were predicted, or in ``images``; with a truth both
    come from its folder, paired as ``lamina score`` pairs them.
    """

    def __init__(
        self, folder: Path, truth: Path | None, images: Path | None, scratch: Path
    ) -> None:
        """Name the folder of predictions, those of truth and of images, and a scratch folder.

        Raises:
            DataError: the truth or the images are no folder.
        """
        super().__init__(folder)
        for given in (truth, images):
            if given is not None:
                check_data(given)
        self._truth, self._images = truth, images
        self._index = scratch / DATA_INDEX
        self._targets: Mapping[str, Case] | None = None
        self._paths: Mapping[str, Path] | None = None
        self._opened: dict[tuple[str, str], Case] = {}

    def watched(self) -> Iterator[Path]:
        yield from (self.folder / name for name in (HEADER, LEDGER))

    def read(self) -> Contents:
        predictions = Predictions.open(self.folder)
        targets = self._with_truth(predictions)
        found, problems = [], []
        for id in predictions.ids:
            try:
                case = targets.get(id) or self._image(predictions, predictions.case(id))
                check_place(predictions.case(id), case.image)
                if tuple(case.image.shape) != predictions.case(id).shape:
                    raise DataError(
                        f"case {id}: is {tuple(case.image.shape)} in {case.image.name}, and was "
                        f"{predictions.case(id).shape} when it was predicted"
                    )
            except (LaminaError, OSError) as error:
                problems.append(str(error))
                continue
            found.append(FoundCase(case, predictions, None))
        return Contents(
            self.folder,
            predictions.info.recipe,
            predictions.decision,
            tuple(found),
            len(predictions.info.cases),
            problems=tuple(problems),
        )

    def _with_truth(self, predictions: Predictions) -> dict[str, Case]:
        """Return the cases that have a truth, by the ids of the predictions."""
        if self._truth is None:
            return {}
        info = predictions.info
        if self._targets is None:
            with DataIndex(self._index).used():
                listing = info.recipe.data.open(self._truth, predictions.task)
            chosen = info.recipe.frame.chosen(listing.cases, info.predict.slices)
            self._targets = {case.id: case for case in chosen}
        matched = match([case.id for case in info.cases], self._targets)
        if not matched.pairs:
            raise DataError(
                f"{self.folder} and {self._truth}: no case is in both; name the data folder that "
                "holds the truth of these predictions"
            )
        return {id: replace(case, id=id) for id, case in matched.pairs}

    def _image(self, predictions: Predictions, predicted: PredictedCase) -> Case:
        """Return a case without a truth: its image, as the recipe's catalog opens it.

        Raises:
            DataError: it is gone, cannot be read or does not hold the case.
        """
        key = (predicted.id, predicted.sha256)
        if key not in self._opened:
            self._opened[key] = self._looked_for(predictions, predicted)
        return self._opened[key]

    def _looked_for(self, predictions: Predictions, predicted: PredictedCase) -> Case:
        info, recipe = predictions.info, predictions.info.recipe
        of_volume = predicted.id.rpartition("/")[0]  # a slice has the id of its volume
        for id in {predicted.id: 0, of_volume: 0}:
            path = self._path(predictions, id, predicted)
            image = open_listed(Input(id, path), recipe, corrupt=info.corrupted)
            whole = Case(id, id, image)
            for case in recipe.frame.chosen([whole], info.predict.slices):
                if case.id == predicted.id:
                    return case
        raise DataError(f"{predicted.source}: does not hold the case '{predicted.id}'")

    def _path(self, predictions: Predictions, id: str, predicted: PredictedCase) -> Path:
        if self._images is None:
            path = Path(predicted.source)
            if "://" not in predicted.source and not path.exists():
                raise DataError(
                    f"case {id}: its image {path} is gone from there; name the folder of images "
                    "by --data"
                )
            return path
        if self._paths is None:
            inputs = predictions.info.recipe.data.inputs(self._images)
            self._paths = {one.id: one.path for one in inputs}
        return self._paths.get(id) or self._paths.get(predicted.id) or Path(predicted.source)
