"""Folds of equal size that keep groups together and strata level."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lamina.data.splits.base import Split


class Folds(Split):
    """Each case is held out in exactly one of ``count`` folds."""

    kind: Literal["folds"] = "folds"

    count: int = Field(default=5, ge=2)
    """Number of folds."""

    groups: str | None = None
    """Table below the data folder that names the group of each image; null: as the catalog says."""

    stratify: Literal["none", "classes", "count"] = "none"
    """Spread evenly over folds: the set of classes of an image, or their number (STEEL-6)."""

    seed: int = Field(default=0, ge=0)
    """Another seed, another split."""

    path: str | None = None
    """Existing folds.csv below the data folder to use as it is; null: folds are dealt."""
