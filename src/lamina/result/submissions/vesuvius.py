"""The csv of the ink competition: one row for each fragment, runs along the rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from lamina.errors import DataError
from lamina.files import replacing
from lamina.geometry.region import Region
from lamina.result.submissions.base import Part, Submission, check_row, csv_line
from lamina.rle.bands import encode_rows


class Vesuvius(Submission):  # INK-27
    """``Id,Predicted``: one row for each fragment, no line break after the last.

    Runs are pairs of start and length, counted from 1 along the rows; a fragment without ink has
    an empty cell. Rows stand in the order of their ids. A fragment is written band by band, and
    equal masks make equal bytes.
    """

    kind: Literal["vesuvius"] = "vesuvius"

    output: int | None = Field(default=None, ge=0)
    """Number of the output that is written, counted from 0; null: the only one."""

    def write(self, results: Iterable[tuple[str, NDArray[np.bool_]]], path: Path) -> int:
        """Write a row for each case; return the number of rows.

        Raises:
            DataError: see ``write_parts``.
        """
        return self.write_parts(
            ((name, [(Region.whole(masks.shape[1:]), masks)]) for name, masks in results), path
        )

    def write_parts(self, results: Iterable[tuple[str, Iterable[Part]]], path: Path) -> int:
        """Write a row for each case, band by band; return the number of rows.

        Raises:
            DataError: a case is no image or lacks the output, an id stands twice or before a
                smaller one, or a spreadsheet would run it as a formula.
        """
        seen: set[str] = set()
        last = ""
        with replacing(path) as stream:
            stream.write(csv_line(("Id", "Predicted")).rstrip(b"\n"))
            for name, parts in results:
                if name < last:
                    raise DataError(
                        f"case {name}: comes after '{last}', and the rows of a vesuvius csv are "
                        "sorted by id; give the cases in that order"
                    )
                last = name
                bands = self._bands(name, parts, seen)
                first = next(bands, np.zeros((0, 0), np.bool_))
                stream.write(b"\n" + csv_line((name, "")).rstrip(b"\n"))
                for piece in encode_rows(_and(first, bands)):
                    stream.write(piece.encode())
        return len(seen)

    def _bands(
        self, name: str, parts: Iterable[Part], seen: set[str]
    ) -> Iterator[NDArray[np.bool_]]:
        """Yield the rows of the output (n, W), from the first to the last."""
        for number, (_, masks) in enumerate(parts):
            if number == 0:
                check_row(name, masks, seen, "vesuvius")
            chosen = self.output or 0
            if chosen >= len(masks) or (self.output is None and len(masks) > 1):
                raise DataError(
                    f"case {name}: has {len(masks)} outputs, and the vesuvius csv holds one; set "
                    "submit.output to its number, counted from 0"
                )
            yield masks[chosen]


def _and(
    first: NDArray[np.bool_], others: Iterator[NDArray[np.bool_]]
) -> Iterator[NDArray[np.bool_]]:
    yield first
    yield from others
