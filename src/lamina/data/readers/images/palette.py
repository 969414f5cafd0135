"""What a palette means: colours in an image, class numbers in a mask."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.errors import DataError


def palette_table(colours: NDArray[Any], *, target: bool) -> NDArray[np.uint8]:
    """Return what each index of a palette stands for.

    An image with a palette is the picture that viewers show: grey where every colour is grey. A
    mask with a palette holds class numbers as indices (Pascal VOC), whatever their colours; only
    where the palette is exactly black and white, white is 1 and black is 0.

    Args:
        colours: (n, 3) red, green and blue of each index, or (n, 4) with alpha, 0..255.
        target: Whether the file is a mask.

    Returns:
        (256, channels) uint8: 1 channel for grey or class numbers, 3 for colours; one more where
        an image has transparent colours. Indices beyond the palette are black.
    """
    table = np.zeros((256, colours.shape[1]), np.uint8)
    table[:, 3:] = 255
    table[: len(colours)] = colours
    solid = colours[:, :3]
    if target:
        if {tuple(colour) for colour in solid.tolist()} == {(0, 0, 0), (255, 255, 255)}:
            return np.asarray(table[:, :1] == 255, np.uint8)
        return np.arange(256, dtype=np.uint8)[:, None]
    grey = bool((solid == solid[:, :1]).all())
    picture = table[:, :1] if grey else table[:, :3]
    if colours.shape[1] == 4 and (colours[:, 3] != 255).any():
        return np.concatenate([picture, table[:, 3:]], axis=1)
    return np.ascontiguousarray(picture)


def png_colours(path: object, palette: bytes, transparency: bytes | None) -> NDArray[np.uint8]:
    """Return (n, 3 or 4) colours of a PNG palette.

    Raises:
        DataError: the palette is missing or is no list of colours.
    """
    if not palette or len(palette) % 3 or len(palette) > 768:
        raise DataError(f"{path}: its palette has {len(palette)} bytes; save it again")
    colours = np.frombuffer(palette, np.uint8).reshape(-1, 3)
    if transparency is None:
        return colours
    alpha = np.full((len(colours), 1), 255, np.uint8)
    given = np.frombuffer(transparency, np.uint8)[: len(colours)]
    alpha[: len(given), 0] = given
    return np.concatenate([colours, alpha], axis=1)
