"""What a model asks of the networks behind it, whether of a bundle or of an exported folder."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.data.case import Case
from lamina.data.image_types.image_kind import ImageKind, as_learnt
from lamina.inference.array_input import Expected
from lamina.task import Task
from lamina.volume import ArrayVolume, Volume


class Networks(ABC):
    """Networks that are loaded and predict one image at a time; calls keep no state."""

    task: Task
    """What is predicted."""
    expected: Expected
    """What an image must be."""
    members: tuple[str, ...]
    """Names of the members that predict."""
    device: str
    """Where they run, such as ``cpu``."""
    precision: str
    """Type of the forward pass."""
    digest: tuple[str, ...]
    """Digests of the bundles that they are of."""
    learnt: ImageKind | None
    """Type and range of the training images; None: not known, or of no account."""

    @abstractmethod
    def of_file(self, path: Path) -> Case:
        """Open a file as ``lamina predict`` does.

        Raises:
            DataError: it cannot be read, or is not what the networks take.
        """

    @abstractmethod
    def of_array(self, image: ArrayVolume, id: str) -> Case:
        """Return an array as a case, as its file would be opened.

        Raises:
            DataError: arrays are not enough for these networks.
        """

    def as_learnt(self, image: Volume) -> tuple[Volume, str | None]:
        """Return an image in type and range of the training images, and what was done, in words.

        Raises:
            DataError: no exact conversion is known.
        """
        if self.learnt is None:
            return image, None
        return as_learnt(image, self.learnt, planes=self.expected.images)

    @abstractmethod
    def held(self, image: Volume) -> int:
        """Return the bytes that an image and its prediction need."""

    @abstractmethod
    def predict(self, case: Case) -> NDArray[np.float32]:
        """Return (K, *S): probabilities, or restored values in units of the input.

        Raises:
            DataError: the image cannot be read, or a probability is not finite.
        """


def in_stored_units(answer: NDArray[Any], offset: float, span: float) -> NDArray[np.float32]:
    """Return restored values in units of the input."""
    return np.asarray(answer * np.float32(span) + np.float32(offset), np.float32)
