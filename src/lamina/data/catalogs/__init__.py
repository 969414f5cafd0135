"""Catalogs: how the files of a data folder become cases.

To add one: write its file here, then name it in the two lines below.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lamina.data.catalogs.base import Catalog, Listing
from lamina.data.catalogs.corrupt import Corrupt
from lamina.data.catalogs.csv_rle import CsvRle
from lamina.data.catalogs.folder import Folder
from lamina.data.catalogs.fragments import Fragments
from lamina.data.catalogs.synthetic import Synthetic
from lamina.data.catalogs.volume_pairs import VolumePairs

AnyCatalog = Annotated[
    CsvRle | Folder | VolumePairs | Fragments | Corrupt | Synthetic, Field(discriminator="kind")
]

__all__ = [
    "AnyCatalog",
    "Catalog",
    "Corrupt",
    "CsvRle",
    "Folder",
    "Fragments",
    "Listing",
    "Synthetic",
    "VolumePairs",
]
