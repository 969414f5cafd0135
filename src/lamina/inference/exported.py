"""Networks of an exported folder; of ONNX files torch is not imported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.data.case import Case
from lamina.data.image_types.image_kind import ImageKind
from lamina.data.readers import open_volume, stem_of
from lamina.deployment.run import Pipeline, PipelineError
from lamina.errors import BundleError, DataError, RecipeError
from lamina.inference.array_input import Expected
from lamina.inference.networks import Networks, in_stored_units
from lamina.result.decisions import AnyDecision, Argmax, AsIs, Threshold, Triplet
from lamina.task import Task
from lamina.volume import ArrayVolume, Volume, read_all


class ExportedNetworks(Networks):
    """Members of one exported folder, with all that ``pipeline.json`` says around them."""

    def __init__(self, folder: Path, *, device: str, precision: str, threads: int | None) -> None:
        """Check all files and load the networks.

        Raises:
            BundleError: a file is missing or damaged.
            RecipeError: device or precision are not those of an exported folder, or what runs the
                networks is not installed.
        """
        if device not in ("auto", "cpu"):
            raise RecipeError(
                f"device is '{device}'; an exported folder runs on the cpu: load the run or bundle "
                "that it was exported from"
            )
        if precision not in ("auto", "float32"):
            raise RecipeError(
                f"precision is '{precision}'; an exported folder computes in float32: load the run "
                "or bundle that it was exported from"
            )
        try:
            self._pipeline = Pipeline(folder, threads=threads or 0)
        except PipelineError as error:
            raise BundleError(str(error)) from error
        except ImportError as error:
            raise RecipeError(
                f"{folder}: needs {error.name or error}, which is not installed; "
                "pip install 'lamina[onnx]'"
            ) from error
        about = self._pipeline.about
        self.task = Task.model_validate(about["task"])
        self.expected = Expected(about["input"]["channels"], volumes=False)
        self.members = tuple(member["name"] for member in about["members"])
        self.device, self.precision = "cpu", "float32"
        self.digest = (about["bundle"],)
        learnt = about["input"]["learnt"]
        self.learnt = None if learnt is None else ImageKind.model_validate(learnt)
        self._weights = self._pipeline.weights()

    @property
    def decision(self) -> AnyDecision:
        """The decision that was exported."""
        return decision_of_entry(self._pipeline.about["decision"])

    def build(self, members: Sequence[str]) -> None:
        """Let these members predict from now on."""
        names = [member["name"] for member in self._pipeline.about["members"]]
        weights = zip(names, self._pipeline.weights(), strict=True)
        self._weights = [weight if name in members else 0.0 for name, weight in weights]
        self.members = tuple(members)

    def of_file(self, path: Path) -> Case:
        """Open an image of any format that lamina reads."""
        image, id = open_volume(path), stem_of(path)
        if image.axes != "yx":
            raise DataError(
                f"{path}: has axes {image.axes}, and an exported folder takes images of axes yx; "
                "pass one slice at a time"
            )
        return Case(id, id, image)

    def of_array(self, image: ArrayVolume, id: str) -> Case:
        """Return an array as it is."""
        return Case(id, id, image)

    def held(self, image: Volume) -> int:
        """Return the bytes of the image in float64 and of three arrays of its answer."""
        names = self._pipeline.about["task"]["names"]
        return prod(image.shape) * (8 * image.channels + 3 * 4 * len(names))

    def predict(self, case: Case) -> NDArray[np.float32]:
        """Return the mean answer of the members."""
        try:
            image = self._pipeline.channels_first(read_all(case.image), "cyx")
            answer = self._pipeline.answer(image, self._weights)
        except PipelineError as error:
            raise DataError(f"{case.id}: {error}") from error
        if self.task.kind != "restore":
            return answer
        restore = self._pipeline.about["restore"]
        return in_stored_units(answer, restore["offset"], restore["span"])


def decision_of_entry(entry: Mapping[str, Any]) -> AnyDecision:
    """Return the decision that ``pipeline.json`` states as numbers.

    Its masks are those of the decision that was exported, which may have been spelled otherwise.
    """
    if entry["kind"] == "argmax":
        return Argmax()
    if entry["kind"] == "as_is":
        return AsIs(store=entry["store"], whole=entry["whole"])
    rows = entry["classes"]

    def each(key: str) -> Any:
        values = tuple(row[key] for row in rows)
        return values[0] if len(set(values)) == 1 else values

    if all(row["sure"] == row["threshold"] and row["sure_pixels"] == 0 for row in rows):
        return Threshold(
            threshold=each("threshold"),
            min_component=each("sure_in_component"),
            min_area=each("min_area"),
            overlap=entry["overlap"],
        )
    component = any(row["sure_in_component"] for row in rows)
    return Triplet(
        top=each("sure"),
        area=each("sure_in_component" if component else "sure_pixels"),
        bottom=each("threshold"),
        unit="component" if component else "image",
    )
