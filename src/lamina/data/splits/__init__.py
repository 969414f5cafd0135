"""Splits: which cases train and which are held out.

To add one: write its file here, then name it in the two lines below.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lamina.data.splits.base import Split
from lamina.data.splits.folds import Folds
from lamina.data.splits.sections import Sections
from lamina.data.tables.folds import check_groups, read_folds, warnings_of, write_folds

AnySplit = Annotated[Folds | Sections, Field(discriminator="kind")]

__all__ = [
    "AnySplit",
    "Folds",
    "Sections",
    "Split",
    "check_groups",
    "read_folds",
    "warnings_of",
    "write_folds",
]
