"""A made image of the kind that members learnt from, on which an export is compared."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lamina.data.image_types.image_kind import ImageKind

_COARSE = 9  # pixels of a patch
_NOISE = 0.2  # share of the range


def made_image(
    shape: tuple[int, int, int], learnt: ImageKind | None, rng: np.random.Generator
) -> NDArray[np.generic]:
    """Return patches of random brightness under noise, in the type and range learnt from.

    Args:
        shape: Channels, rows and columns.
        learnt: None: uint8 of 0 to 255.
        rng: Where brightness and noise come from.

    Example:
        >>> image = made_image((1, 20, 30), None, np.random.default_rng(0))
        >>> image.shape, image.dtype.name, int(image.max()) > 200
        ((1, 20, 30), 'uint8', True)
    """
    channels, rows, columns = shape
    coarse = rng.random((channels, -(-rows // _COARSE), -(-columns // _COARSE)))
    patches = np.kron(coarse, np.ones((1, _COARSE, _COARSE)))[:, :rows, :columns]
    shares = (1 - _NOISE) * patches + _NOISE * rng.random(shape)
    shares = (shares - shares.min()) / max(float(np.ptp(shares)), 1e-12)
    if learnt is None:
        return np.asarray(np.rint(shares * 255), np.uint8)
    values = learnt.low + shares * (learnt.high - learnt.low)
    if learnt.scale is not None:
        factor = {"whole": 1.0, "times_257": 257.0, "over_255": 1 / 255}[learnt.scale]
        values = np.rint(values / factor).clip(0, 255) * factor
    dtype = np.dtype(learnt.types[0])
    return np.asarray(np.rint(values) if dtype.kind in "ui" else values, dtype)
