"""The csv of the X-ray competition: one row for each image, runs counted from the last."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from lamina.errors import DataError
from lamina.files import replacing
from lamina.result.submissions.base import Submission, check_row, csv_line
from lamina.rle.codec import encode

_HEADER = ("ImageId", "EncodedPixels")


class Siim(Submission):  # SIIM-32, SIIM-2
    """``ImageId,EncodedPixels``: one row for each image, -1 where nothing was found.

    Runs are pairs of gap and length, column by column.
    """

    kind: Literal["siim"] = "siim"

    size: tuple[int, int] | None = Field(default=None)  # SIIM-30
    """Rows and columns to which decided masks are resized (bilinear, above one half), after all
    else; the competition's are [1024, 1024]. null: as they are."""

    @field_validator("size")
    @classmethod
    def _a_size_has_pixels(cls, size: tuple[int, int] | None) -> tuple[int, int] | None:
        if size is not None and min(size) < 1:
            raise ValueError(f"rows and columns are at least 1: {list(size)}")
        return size

    def write(self, results: Iterable[tuple[str, NDArray[np.bool_]]], path: Path) -> int:
        """Write a row for each case, in the order given; return the number of rows.

        Raises:
            DataError: a case has more than one class or more than two axes, an id stands twice,
                or a spreadsheet would run an id as a formula.
        """
        seen: set[str] = set()
        with replacing(path) as stream:
            stream.write(csv_line(_HEADER))
            for name, masks in results:
                check_row(name, masks, seen, "siim")
                if len(masks) != 1:
                    raise DataError(
                        f"case {name}: has {len(masks)} classes, and the siim csv holds one; write "
                        "another format"
                    )
                stream.write(csv_line((name, encode(self.resized(masks[0]), "siim"))))
        return len(seen)

    def resized(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return a mask (H, W) at ``size``: 0 and 255 between which cv2 interpolates, above 127."""
        if self.size is None or mask.shape == self.size:
            return mask
        grey = mask.astype(np.uint8) * 255
        large = cv2.resize(grey, self.size[::-1], interpolation=cv2.INTER_LINEAR)
        return np.asarray(large > 127)

    def sample_ids(self, path: Path) -> list[str]:
        """Return the ids of a sample submission, in its order; one that stands often counts once.

        Raises:
            DataError: it cannot be read, or its first column is not ImageId.
        """
        try:
            with path.open(encoding="utf-8-sig", newline="") as stream:
                rows = [row for row in csv.reader(stream) if row]
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise DataError(f"{path}: not a readable csv ({error})") from error
        if not rows or rows[0][0].strip() != _HEADER[0]:
            found = rows[0][0] if rows else ""
            raise DataError(
                f"{path}: its first column is '{found}'; a sample submission has ImageId"
            )
        return list(dict.fromkeys(row[0].strip() for row in rows[1:]))
