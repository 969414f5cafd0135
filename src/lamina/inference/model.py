"""A trained model kept loaded: call it with an image and get its prediction."""

from __future__ import annotations

import math
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from lamina.data.case import Case
from lamina.data.image_types.image_kind import ImageKind
from lamina.data.prepare.spaced import Spaced
from lamina.errors import DataError, LaminaError, RecipeError, ResourceError
from lamina.geometry.tiling.axis_order import seen_order
from lamina.inference.array_input import ArrayInput, Expected, array_input
from lamina.inference.prediction import Prediction
from lamina.prediction.tiling.memory import available_memory
from lamina.public import as_path, at_least
from lamina.refusals import system_said
from lamina.result.decisions import AnyDecision, Threshold
from lamina.task import Task
from lamina.volume import ArrayVolume, Volume, read_all

if TYPE_CHECKING:
    from lamina.inference.load import Precision
    from lamina.inference.networks import Networks


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
        networks: Networks,
        *,
        decision: AnyDecision,
        asked: tuple[str, Precision, int | None, int],
    ) -> None:
        """Keep networks that are built; ``asked`` are device, precision, threads, concurrency."""
        self._source, self._decision, self._asked = tuple(source), decision, asked
        self._networks: Networks | None = networks
        self._about = _About.of(networks)
        self._turns = threading.Semaphore(asked[-1])

    @property
    def task(self) -> Task:
        """What is predicted."""
        return self._about.task

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the classes."""
        return self.task.names or ()

    @property
    def channels(self) -> int:
        """Channels of an image."""
        return self._about.expected.channels

    @property
    def axes(self) -> str:
        """``zyx`` where volumes are taken, slice by slice or in blocks; else ``yx``."""
        return "zyx" if self._about.expected.volumes else "yx"

    @property
    def expects(self) -> str:
        """What an image must be, in words; type and range are those of the training images."""
        learnt = self._about.learnt
        words = "" if learnt is None else f", {learnt.words}"
        return self._about.expected.describe() + words

    @property
    def decision(self) -> AnyDecision:
        """How probabilities become masks."""
        return self._decision

    @property
    def members(self) -> tuple[str, ...]:
        """Names of the members that answer."""
        return self._about.members

    @property
    def device(self) -> str:
        """Where the networks run, such as ``cpu``."""
        return self._about.device

    @property
    def precision(self) -> str:
        """``float32``, ``bfloat16`` or ``float16``."""
        return self._about.precision

    @property
    def digest(self) -> tuple[str, ...]:
        """The digests of the bundles."""
        return self._about.digest

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
            spacing: Distance from pixel to pixel along each axis; it is carried along. Volumes are
                resampled by it where the networks learnt at one spacing (``frame.spacing``).
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
        networks = self._networks
        if networks is None:
            raise RecipeError("the model was closed; load it again")
        decided = decision_of(decision, self._decision)
        with system_said():
            case, given = self._case(networks, image, axes, id)
            learnt, converted = networks.as_learnt(case.image)
            case = replace(case, image=learnt)
            _check_spacing(spacing, given.axes, case.id)
            case = _spaced(case, spacing, given.axes)
            _check_memory(networks, case.image)
            with self._turns:
                answer = networks.predict(case)
        return Prediction(
            id=case.id,
            axes=given.axes,
            task=self.task,
            probabilities=given.back(answer),
            decision=decided,
            members=self.members,
            image=given.back(given.volume.array),
            spacing=None if spacing is None else tuple(float(step) for step in spacing),
            converted=converted,
        )

    def map(
        self,
        images: Iterable[Any],
        *,
        axes: str | None = None,
        spacing: Sequence[float] | None = None,
        decision: AnyDecision | float | None = None,
        workers: int = 1,
        errors: Literal["raise", "keep"] = "raise",
    ) -> Iterator[Prediction | Failure]:
        """Yield the predictions of many images in order; later images are read ahead.

        Args:
            images: As for a call; ids are their numbers, or of paths their names.
            axes: As for a call.
            spacing: As for a call, of all images.
            decision: As for a call.
            workers: Threads that read and decide side by side, each one image ahead; networks run
                ``concurrency`` at a time.
            errors: ``raise``: the first bad image raises; ``keep``: it is yielded as a
                ``Failure``, and the others follow.

        Raises:
            RecipeError: ``workers`` or ``errors`` are not valid.
        """
        at_least(1, workers=workers)
        if errors not in ("raise", "keep"):
            raise RecipeError(f"errors is '{errors}'; it must be raise or keep")

        def answer(number: int, image: Any) -> Prediction | Failure:
            try:
                return self(image, axes=axes, spacing=spacing, decision=decision, id=str(number))
            except LaminaError as error:
                if errors == "raise":
                    raise type(error)(f"image {number}: {error}") from error
                return Failure(number, error)

        return _ahead(answer, images, workers)

    def close(self) -> None:
        """Free the networks; the model answers no more. Calls that have begun end as usual."""
        self._networks = None

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

        return reload, (self._source, self.members, self._decision, self._asked)

    def __repr__(self) -> str:
        """Say what it is."""
        return f"<Model {', '.join(map(str, self._source))}: {len(self.members)} members>"

    def _case(
        self, networks: Networks, image: Any, axes: str | None, id: str
    ) -> tuple[Case, ArrayInput]:
        if isinstance(image, (str, os.PathLike)):
            case = networks.of_file(as_path(image, "image"))
            return case, _whole(case.image)
        if isinstance(image, Volume):
            return Case(id, id, image), _whole(image)
        given = array_input(image, axes, networks.expected, id)
        return networks.of_array(given.volume, id), given


@dataclass(frozen=True)
class _About:
    """What a model says of its networks, also after it was closed."""

    task: Task
    expected: Expected
    members: tuple[str, ...]
    device: str
    precision: str
    digest: tuple[str, ...]
    learnt: ImageKind | None

    @classmethod
    def of(cls, networks: Networks) -> _About:
        return cls(**{field.name: getattr(networks, field.name) for field in fields(cls)})


def _ahead(
    answer: Callable[[int, Any], Prediction | Failure], images: Iterable[Any], workers: int
) -> Iterator[Prediction | Failure]:
    """Yield answers in order, with ``workers`` more under way."""
    with ThreadPoolExecutor(workers) as pool:
        waiting: deque[Future[Prediction | Failure]] = deque()
        try:
            for number, image in enumerate(images):
                waiting.append(pool.submit(answer, number, image))
                if len(waiting) > workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _check_spacing(spacing: Sequence[float] | None, axes: str, name: str) -> None:
    if spacing is None:
        return
    steps = list(spacing)
    if len(steps) != len(axes) or not all(math.isfinite(step) and step > 0 for step in steps):
        raise DataError(
            f"{name}: spacing is {tuple(steps)}; it must be a positive number for each axis of "
            f"{axes}"
        )


def _spaced(case: Case, spacing: Sequence[float] | None, axes: str) -> Case:
    """Return a case whose volume states the spacing that was given, one number for each axis."""
    if spacing is None or len(axes) != 3:
        return case
    along = tuple(float(spacing[axis]) for axis in seen_order(axes))
    return replace(case, image=Spaced(case.image, along))


def _check_memory(networks: Networks, image: Volume) -> None:
    needed, free = networks.held(image), available_memory()
    if needed > free:
        raise ResourceError(
            f"{image.name}: the image and its answer need {needed >> 20} MiB, and {free >> 20} MiB "
            "are free; lamina.predict(source, file, out) writes large answers part by part"
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
