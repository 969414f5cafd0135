"""Images in one folder, masks as run-length codes in one csv."""

from __future__ import annotations

from typing import Literal

from lamina.data.catalogs.base import Catalog


class CsvRle(Catalog):
    """The layout of the steel competition, in both generations of its table (STEEL-2)."""

    kind: Literal["csv_rle"] = "csv_rle"

    dialect: Literal["severstal"] = "severstal"
    """How the table and its run-length code are written."""

    table: str = "train.csv"
    """The table of masks, below the data folder."""

    images: str | None = None
    """Folder of the images below the data folder; null: train_images, images or train."""
