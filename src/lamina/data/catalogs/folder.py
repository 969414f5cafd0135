"""Images in one folder, masks of equal stems in another."""

from __future__ import annotations

from typing import Literal

from lamina.data.catalogs.base import Catalog


class Folder(Catalog):
    """Pairs of an image and a mask with equal names, the suffix apart."""

    kind: Literal["folder"] = "folder"

    images: str = "images"
    """Folder of the images below the data folder; folders within it become part of the ids."""

    masks: str = "masks"
    """Folder of the masks (for restore: of the wanted images) below the data folder."""

    labels: dict[int, int] | None = None
    """Stored value to class, such as {0: 0, 255: 1}; null: stored values are classes."""

    ignore: int | None = None
    """Stored value of pixels that must not count; null: all count."""

    missing: Literal["error", "empty"] = "error"
    """An image without a mask is refused, or taken as free of every class."""
