"""A trained model kept loaded: call it with an image and get its prediction."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from lamina.bundle import kind_learnt
from lamina.data.case import Case
from lamina.data.image_types.image_kind import as_learnt
from lamina.errors import DataError, LaminaError, RecipeError, ResourceError
from lamina.inference.array_input import ArrayInput, Expected, array_input
from lamina.inference.prediction import Prediction
from lamina.prediction.cases.inputs import open_input
from lamina.prediction.engine import Member, predict_case
from lamina.prediction.members.loaded import LoadedMembers
from lamina.prediction.members.out_of_fold import ChosenMembers
from lamina.prediction.tiling.memory import available_memory
from lamina.prediction.tiling.precision import name_of
from lamina.result.decisions import AnyDecision, Threshold
from lamina.task import Task
from lamina.volume import ArrayVolume, Volume, read_all

if TYPE_CHECKING:
    from lamina.recipe.recipe import Recipe


@dataclass(frozen=True)
class Failure:
    """An image of ``Model.map`` that could not be predicted."""

    number: int
    """Its place among the images, from 0."""
    error: LaminaError
    """What is wrong with it."""


class Model:
    """Trained members that answer together; made by ``lamina.load``.

    Calls keep no state, so that any number of threads may share one model. Images have no identity
    in memory: every member answers, those that trained on the image too.
    """

    def __init__(
        self,
        source: Sequence[Path],
        loaded: LoadedMembers,
        *,
        members: Sequence[str],
        decision: AnyDecision,
        concurrency: int,
    ) -> None:
        """Build the networks of ``members``."""
        self._source, self._names = tuple(source), tuple(members)
        self._recipe: Recipe = loaded.bundles[0].recipe
        pairs = [
            (b, m)
            for b, bundle in enumerate(loaded.bundles)
            for m in range(len(bundle.members))
            if loaded.name(b, m) in self._names
        ]
        self._members: list[Member] = loaded.members(ChosenMembers(tuple(pairs), "new"))
        for member in self._members:
            member.network.to(loaded.device).eval()
        self._loaded, self._decision = loaded, decision
        self._batch = loaded.batch_size([self._one_tile()], None, self._recipe.predict.batch)
        self._turns = threading.Semaphore(concurrency)

    @property
    def task(self) -> Task:
        """What is predicted."""
        return self._recipe.task

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the classes."""
        return self.task.names or ()

    @property
    def channels(self) -> int:
        """Channels of an image."""
        return self._recipe.frame.channels

    @property
    def axes(self) -> str:
        """``zyx`` where volumes are taken, cut into slices; else ``yx``."""
        return "zyx" if self._recipe.frame.slices else "yx"

    @property
    def expects(self) -> str:
        """What an image must be, in words."""
        return self._expected.describe()

    @property
    def decision(self) -> AnyDecision:
        """How probabilities become masks."""
        return self._decision

    @property
    def members(self) -> tuple[str, ...]:
        """Names of the members that answer."""
        return self._names

    @property
    def device(self) -> str:
        """Where the networks run, such as ``cpu``."""
        return str(self._loaded.device)

    @property
    def precision(self) -> str:
        """``float32``, ``bfloat16`` or ``float16``."""
        return name_of(self._loaded.precision)

    @property
    def digest(self) -> tuple[str, ...]:
        """The digests of the bundles."""
        return tuple(bundle.digest() for bundle in self._loaded.bundles)

    def __call__(
        self,
        image: Any,
        *,
        axes: str | None = None,
        spacing: Sequence[float] | None = None,
        decision: AnyDecision | float | None = None,
        id: str = "array",
    ) -> Prediction:
        """Predict one image or volume.

        Args:
            image: A NumPy array (RGB where it has colours), anything with ``__array__`` such as a
                tensor on the CPU, a picture of Pillow, a path, or a ``Volume``. Values are in the
                units of the training files. It is never written to.
            axes: Letters of ``zyxc`` in stored order; None: where the shape has one reading.
            spacing: Distance from pixel to pixel along each axis; it is carried along.
            decision: Another decision or threshold; None: that of the model.
            id: What results call the image; a path gives its own.

        Raises:
            DataError: the image is not what the model takes, or cannot be read.
            RecipeError: the decision does not fit the classes.
            ResourceError: it does not fit the memory.

        Example:
            >>> import lamina
            >>> model = lamina.load("run", device="cpu")
            >>> prediction = model(np.zeros((64, 96), np.uint8))
            >>> prediction.masks.shape, prediction.probabilities.dtype.name
            ((1, 64, 96), 'float32')
        """
        case, given = self._case(image, axes, id)
        kind, converted = kind_learnt(self._loaded.bundles), None
        if kind is not None:
            learnt, converted = as_learnt(case.image, kind)
            case = replace(case, image=learnt)
        self._check_memory(case.image)
        with self._turns:
            answer = predict_case(
                case,
                self._members,
                self._recipe,
                device=self._loaded.device,
                precision=self._loaded.precision,
                batch=self._batch,
            )
        if self.task.kind == "restore":
            offset, span = self._recipe.data.stored(case.image, self.task)
            answer = answer * np.float32(span) + np.float32(offset)
        return Prediction(
            id=case.id,
            axes=given.axes,
            task=self.task,
            probabilities=given.back(answer),
            decision=decision_of(decision, self._decision),
            members=self._names,
            image=given.back(given.volume.array),
            spacing=None if spacing is None else tuple(spacing),
            converted=converted,
        )

    def map(
        self,
        images: Iterable[Any],
        *,
        axes: str | None = None,
        decision: AnyDecision | float | None = None,
        errors: Literal["raise", "keep"] = "raise",
    ) -> Iterator[Prediction | Failure]:
        """Yield the predictions of many images in order; the next image is read ahead.

        Args:
            images: As for a call; ids are their numbers, or of paths their names.
            axes: As for a call.
            decision: As for a call.
            errors: ``raise``: the first bad image raises; ``keep``: it is yielded as a
                ``Failure``, and the others follow.
        """

        def answer(number: int, image: Any) -> Prediction | Failure:
            try:
                return self(image, axes=axes, decision=decision, id=str(number))
            except LaminaError as error:
                if errors == "raise":
                    raise type(error)(f"image {number}: {error}") from error
                return Failure(number, error)

        with ThreadPoolExecutor(1) as pool:
            ahead = None
            for number, image in enumerate(images):
                following = pool.submit(answer, number, image)
                if ahead is not None:
                    yield ahead.result()
                ahead = following
            if ahead is not None:
                yield ahead.result()

    def close(self) -> None:
        """Free the networks; the model answers no more."""
        self._members = []

    def __enter__(self) -> Self:
        """Return the model."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        """Be sent to another process as its source, which that process loads."""
        from lamina.inference.load import reload

        device = str(self._loaded.device)
        return reload, (self._source, device, self.precision, self._names, self._decision)

    def __repr__(self) -> str:
        """Say what it is."""
        return f"<Model {', '.join(map(str, self._source))}: {len(self._names)} members>"

    @property
    def _expected(self) -> Expected:
        return Expected(self.channels, volumes=self._recipe.frame.slices is not None)

    def _one_tile(self) -> Volume:
        rows, columns = self._recipe.tile
        return ArrayVolume(np.zeros((self.channels, rows, columns), np.uint8))

    def _case(self, image: Any, axes: str | None, id: str) -> tuple[Case, ArrayInput]:
        if not self._members:
            raise RecipeError("the model was closed; load it again")
        if isinstance(image, (str, Path)):
            path = Path(image)
            opened = open_input(path, self._recipe)
            name = self._recipe.data.id_of(path)
            return Case(name, name, opened, valid=self._recipe.data.open_valid(path)), _whole(
                opened
            )
        if isinstance(image, Volume):
            return Case(id, id, image), _whole(image)
        if self._recipe.frame.depth is not None:
            raise DataError(f"{id}: fragments are aligned in depth from their files; pass a path")
        given = array_input(image, axes, self._expected, id)
        return Case(id, id, self._recipe.data.adapt(given.volume)), given

    def _check_memory(self, volume: Volume) -> None:
        needed = self._loaded.held(volume)
        free = available_memory()
        if needed > free:
            raise ResourceError(
                f"{volume.name}: the image and its answer need {needed >> 20} MiB, and "
                f"{free >> 20} MiB are free; lamina.predict(source, file, out) writes large "
                "answers part by part"
            )


def decision_of(wanted: AnyDecision | float | None, own: AnyDecision) -> AnyDecision:
    """Return a decision: another one, a threshold for all classes, or the model's own.

    Raises:
        RecipeError: a threshold is outside 0..1.
    """
    if wanted is None:
        return own
    if isinstance(wanted, (int, float)):
        if not 0 <= wanted <= 1:
            raise RecipeError(f"the threshold is {wanted}; it must be within 0 and 1")
        return Threshold(threshold=float(wanted))
    return wanted


def _whole(volume: Volume) -> ArrayInput:
    array = ArrayVolume(np.asarray(read_all(volume)), volume.axes, volume.name)
    return ArrayInput(array, volume.axes)
