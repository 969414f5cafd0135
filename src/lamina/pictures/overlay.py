"""A small picture of a case: truth filled and prediction outlined in the colours of classes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lamina.pictures.palette import colour
from lamina.pictures.pixels import Pixels, outlined, painted


def overlay(
    picture: Pixels,
    predicted: Sequence[NDArray[np.bool_]],
    truth: Sequence[NDArray[np.bool_]] | None,
) -> Pixels:
    """Return a copy of a picture (H, W, 3) with the masks (H, W) of each class.

    Args:
        picture: RGB.
        predicted: A mask for each class that has a colour.
        truth: The same; None: it is not known, and predictions are filled lightly as well.
    """
    for k, mask in enumerate(predicted):
        filled = mask if truth is None else truth[k]
        picture = painted(picture, [filled], [colour(k)], outline=False)
        picture = outlined(picture, mask, colour(k), width=1)
    return picture
