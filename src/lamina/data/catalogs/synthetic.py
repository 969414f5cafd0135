"""Data made up on the spot, for demos and tests."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lamina.data.catalogs.base import Catalog


class Synthetic(Catalog):
    """Cases that are computed when they are read; the data folder is not looked at."""

    kind: Literal["synthetic"] = "synthetic"

    job: Literal["steel"] = "steel"
    """What is made: grey strips with four overlapping classes of defects."""

    count: int = Field(default=60, ge=1)
    """Number of images."""

    shape: tuple[int, int] = (256, 512)
    """Rows and columns of an image, in pixels."""

    seed: int = Field(default=0, ge=0)
    """Another seed, other images."""
