"""Volumes with label volumes beside them."""

from __future__ import annotations

from typing import Literal

from lamina.data.catalogs.base import Catalog


class VolumePairs(Catalog):
    """Pairs of an image volume and a target volume, found by two patterns."""

    kind: Literal["volume_pairs"] = "volume_pairs"

    image: str = "raw.tif"
    """Pattern of the image volume, such as raw.tif or seismic*.npy."""

    target: str = "labels.tif"
    """Pattern of the target volume."""

    axes: str = "zyx"
    """Names of the stored axes, first to last."""

    labels: dict[int, int] | None = None
    """Stored value to class, such as {0: 0, 255: 1}; null: stored values are classes."""

    ignore: int | None = None
    """Stored value of voxels that must not count; null: all count."""
