"""What every submission format promises."""

from __future__ import annotations

import csv
import io
from abc import abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from lamina.errors import DataError, RecipeError
from lamina.geometry.region import Region
from lamina.spec import Spec, kind_of

Part = tuple[Region, NDArray[np.bool_]]
"""A region of a case and its masks (K, *region.shape)."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would run


class Submission(Spec):
    """How decided masks, or restored values, are written down for others."""

    values: ClassVar[bool] = False
    """Whether it holds restored values in place of masks."""

    @abstractmethod
    def write(self, results: Iterable[tuple[str, NDArray[np.bool_]]], path: Path) -> int:
        """Write all results, one case in memory at a time; the file appears whole or not at all.

        Args:
            results: Case id and its masks (K, *S), in the order to write.
            path: The file to write.

        Returns:
            The number of rows (or entries) written.

        Raises:
            DataError: an id or a mask cannot be written in this format.
        """

    def write_parts(self, results: Iterable[tuple[str, Iterable[Part]]], path: Path) -> int:
        """Do what ``write`` does with cases that come in parts.

        Args:
            results: Case id and its parts, in order along the first axis, each with the whole
                of the other axes; in the order to write.
            path: The file to write.

        Returns:
            As ``write``.

        Raises:
            DataError: as ``write``.
        """
        return self.write(((name, _whole(parts)) for name, parts in results), path)

    def sample_ids(self, path: Path) -> list[str]:
        """Return the ids of the images in a sample submission, in its order, each once.

        Raises:
            RecipeError: nobody hands out samples of this format.
            DataError: it cannot be read.
        """
        del path
        raise RecipeError(f"--sample is for the siim format, not for {kind_of(self)}; leave it out")


def _whole(parts: Iterable[Part]) -> NDArray[np.bool_]:
    masks = [masks for _, masks in parts]
    return masks[0] if len(masks) == 1 else np.concatenate(masks, axis=1)


def check_row(name: str, masks: NDArray[np.bool_], seen: set[str], format: str) -> None:
    """Note a case as written, unless it cannot be a row of a csv of images.

    Raises:
        DataError: it has more than two axes, its id stands twice, or a spreadsheet would run it.
    """
    if masks.ndim != 3:
        raise DataError(
            f"case {name}: has {masks.ndim - 1} axes {masks.shape[1:]}, and the {format} csv "
            "holds images; submit its slices one by one"
        )
    if name in seen:
        raise DataError(f"duplicate case id '{name}'; rename one of the images")
    check_cell(name)
    seen.add(name)


def check_cell(name: str) -> None:
    """Refuse a name that a spreadsheet would run, or that is empty.

    Raises:
        DataError: it begins like a formula.
    """
    if not name or name.startswith(_FORMULA):
        raise DataError(
            f"case {name!r}: a spreadsheet would run this id as a formula; rename the image"
        )


def csv_line(cells: Iterable[str]) -> bytes:
    """Return one row of a csv, with quotes where they are needed."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue().encode()
