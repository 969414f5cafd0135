"""Catalogs: how the files of a data folder become cases.

To add one: write its file here, import it below and name it in the union.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lamina.data.catalogs.base import Catalog as Catalog
from lamina.data.catalogs.base import Listing as Listing
from lamina.data.catalogs.coco import Coco as Coco
from lamina.data.catalogs.corrupt import Corrupt as Corrupt
from lamina.data.catalogs.csv_rle import CsvRle as CsvRle
from lamina.data.catalogs.folder import Folder as Folder
from lamina.data.catalogs.fragments import Fragments as Fragments
from lamina.data.catalogs.labelme import Labelme as Labelme
from lamina.data.catalogs.nnunet import Nnunet as Nnunet
from lamina.data.catalogs.synthetic import Synthetic as Synthetic
from lamina.data.catalogs.volume_pairs import VolumePairs as VolumePairs

AnyCatalog = Annotated[
    CsvRle | Folder | Coco | Labelme | VolumePairs | Nnunet | Fragments | Corrupt | Synthetic,
    Field(discriminator="kind"),
]
