"""Splits: which cases train and which are held out.

To add one: write its file here, import it below and name it in the union.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lamina.data.splits.base import Split as Split
from lamina.data.splits.folders import Folders as Folders
from lamina.data.splits.folds import Folds as Folds
from lamina.data.splits.sections import Sections as Sections
from lamina.data.tables.folds import check_groups as check_groups
from lamina.data.tables.folds import read_folds as read_folds
from lamina.data.tables.folds import warnings_of as warnings_of
from lamina.data.tables.folds import write_folds as write_folds

AnySplit = Annotated[Folds | Folders | Sections, Field(discriminator="kind")]
