"""A submission format as a contributor would write it: the area of each class of each case."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lamina.files import replacing
from lamina.result.submissions.base import Submission, check_row, csv_line


class Areas(Submission):
    """``case,class,area``: a row for each case and class, areas in pixels."""

    kind: Literal["areas"] = "areas"

    def write(self, results: Iterable[tuple[str, NDArray[np.bool_]]], path: Path) -> int:
        """Write K rows for each case; return the number of rows."""
        seen: set[str] = set()
        rows = 0
        with replacing(path) as stream:
            stream.write(csv_line(("case", "class", "area")))
            for name, masks in results:
                check_row(name, masks, seen, "areas")
                for k, mask in enumerate(masks):
                    stream.write(csv_line((name, str(k), str(np.count_nonzero(mask)))))
                    rows += 1
        return rows
