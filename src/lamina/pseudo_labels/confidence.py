"""Which predictions are confident enough to be pseudo-labels."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from lamina.spec import Spec


class Filters(Spec):
    """Which pseudo-labels are kept.

    A pixel is uncertain of a class where its probability lies strictly between 1 - sure and sure.
    An image is kept where every class passes: an image without one of its classes would teach
    that the class is not there.
    """

    sure: float = Field(default=0.9, gt=0.5, lt=1)
    """Confidence threshold: from it up a pixel is certainly of a class, from 1 - sure down not."""

    unsure: float = Field(default=0.5, ge=0)
    """Maximum share of uncertain pixels where a class is predicted, relative to its area."""

    unsure_empty: float = Field(default=0.002, ge=0)
    """Maximum share of uncertain pixels where a class is not predicted, relative to the image."""

    min_area: int = Field(default=1, ge=1)
    """Minimum area of a predicted class, in pixels."""

    empty: bool = True
    """Keep images without any class."""


@dataclass(frozen=True)
class Figures:
    """What was measured of one class of one image."""

    area: int
    """Pixels of the decided mask."""
    unsure: int
    """Pixels that are neither surely of the class nor surely not."""
    mean: float | None
    """Mean probability within the mask; None where it is empty."""
    why: str
    """Why the class does not pass; empty where it does."""


def figures(
    prob: NDArray[Any], masks: NDArray[np.bool_], filters: Filters
) -> tuple[list[Figures], str]:
    """Measure the classes of an image.

    Args:
        prob: (K, H, W) probabilities.
        masks: (K, H, W), decided.
        filters: What is kept.

    Returns:
        A row for each class, and why the image is left out; empty where it is kept.
    """
    rows = [_class(one, mask, filters) for one, mask in zip(prob, masks, strict=True)]
    failed = [f"class {k + 1}: {row.why}" for k, row in enumerate(rows) if row.why]
    if not failed and not filters.empty and not masks.any():
        failed = ["no class"]
    return rows, "; ".join(failed)


def _class(prob: NDArray[Any], mask: NDArray[np.bool_], filters: Filters) -> Figures:
    wide = prob.astype(np.float32)
    area = int(np.count_nonzero(mask))
    unsure = int(np.count_nonzero((wide > 1 - filters.sure) & (wide < filters.sure)))
    mean, why = None, ""
    if not area:
        if unsure > filters.unsure_empty * mask.size:
            why = f"not predicted, but {unsure} pixels are uncertain"
    else:
        mean = float(wide[mask].mean())
        if area < filters.min_area:
            why = f"only {area} pixels"
        elif unsure > filters.unsure * area:
            why = f"{unsure} uncertain pixels for {area} predicted"
    return Figures(area, unsure, mean, why)


class FigureTable:
    """Rows for a csv; text is quoted, so that no id is taken for a formula or a number."""

    def __init__(self, columns: Sequence[str]) -> None:
        """Begin with the header."""
        self._stream = io.StringIO(newline="")
        self._writer = csv.writer(self._stream, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
        self._writer.writerow(columns)

    def add(self, *cells: str | float) -> None:
        """Add a row."""
        self._writer.writerow(cells)

    def add_image(self, id: str, names: Sequence[str], rows: Sequence[Figures], why: str) -> None:
        """Add a row for each class; where the image is left out each row says why."""
        single = any(row.why for row in rows)
        for name, row in zip(names, rows, strict=True):
            mean = "" if row.mean is None else round(row.mean, 4)
            reason = row.why or ("another class is not kept" if why and single else why)
            self.add(id, name, row.area, row.unsure, mean, int(not why), reason)

    def text(self) -> str:
        """Return the table."""
        return self._stream.getvalue()
