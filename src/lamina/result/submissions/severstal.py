"""The csv of the steel competition, in both generations of its columns."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lamina.errors import DataError
from lamina.files import replacing
from lamina.geometry.rle import encode
from lamina.result.submissions.base import Submission

_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would run


class Severstal(Submission):
    """One row for each image and class, with an empty cell where nothing was found (STEEL-2).

    Runs are absolute, counted from 1, column by column (STEEL-4). Classes are counted from 1.
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
            stream.write(_line(header))
            for name, masks in results:
                _check(name, masks, seen)
                for k, mask in enumerate(masks, start=1):
                    runs = encode(mask, "severstal")
                    row: tuple[str, ...] = (f"{name}_{k}", runs)
                    if self.columns == "separate":
                        row = (name, runs, str(k))
                    stream.write(_line(row))
                    rows += 1
        return rows


def _check(name: str, masks: NDArray[np.bool_], seen: set[str]) -> None:
    if masks.ndim != 3:
        raise DataError(
            f"case {name}: has {masks.ndim - 1} axes {masks.shape[1:]}, and the severstal csv "
            "holds images; submit its slices one by one"
        )
    if name in seen:
        raise DataError(f"case {name}: stands twice in the prediction; rename one of the images")
    if not name or name.startswith(_FORMULA):
        raise DataError(
            f"case {name!r}: a spreadsheet would run this id as a formula; rename the image"
        )
    seen.add(name)


def _line(cells: Iterable[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue().encode()
