"""What one training step sees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lamina.geometry.region import Region


@dataclass(frozen=True)
class Draw:
    """What to look at next: a region (it may leave the image) of the case with that number.

    ``origin`` says why it was drawn, such as ``"defect"`` or ``"random"``; for reports.
    ``sides`` are the rows and columns of the image around the region's centre that the sample
    shows, shrunk or enlarged to the size of the region; None: the region as it is.
    """

    case: int
    region: Region
    origin: str = "random"
    sides: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Sample:
    """One training example, ready to be stacked.

    ``image`` (C, H, W) float32, normalised. ``target`` (K, H, W) float32: 0/1 per output for
    binary, multilabel and (one-hot) multiclass, values for restore. ``valid`` (1, H, W) float32,
    1 where the pixel counts. Of a block all have a depth D before H.
    """

    image: NDArray[np.float32]
    target: NDArray[np.float32]
    valid: NDArray[np.float32]
