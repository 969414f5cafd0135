"""The csv of the steel competition, in both generations of its columns."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lamina.files import replacing
from lamina.result.submissions.base import Submission, check_row, csv_line
from lamina.rle.codec import encode


class Severstal(Submission):  # STEEL-2, STEEL-4
    """One row for each image and class, with an empty cell where nothing was found.

    Runs are absolute, counted from 1, column by column. Classes are counted from 1.
    """

    kind: Literal["severstal"] = "severstal"

    columns: Literal["joined", "separate"] = "joined"
    """``ImageId_ClassId,EncodedPixels``, or ``ImageId,EncodedPixels,ClassId``."""

    def write(self, results: Iterable[tuple[str, NDArray[np.bool_]]], path: Path) -> int:
        """Write K rows for each case, in the order given; return the number of rows.

        Raises:
            DataError: a case has more than two axes, an id stands twice, or a spreadsheet
                would run an id as a formula.
        """
        seen: set[str] = set()
        rows = 0
        with replacing(path) as stream:
            header: tuple[str, ...] = ("ImageId_ClassId", "EncodedPixels")
            if self.columns == "separate":
                header = ("ImageId", "EncodedPixels", "ClassId")
            stream.write(csv_line(header))
            for name, masks in results:
                check_row(name, masks, seen, "severstal")
                for k, mask in enumerate(masks, start=1):
                    runs = encode(mask, "severstal")
                    row: tuple[str, ...] = (f"{name}_{k}", runs)
                    if self.columns == "separate":
                        row = (name, runs, str(k))
                    stream.write(csv_line(row))
                    rows += 1
        return rows
