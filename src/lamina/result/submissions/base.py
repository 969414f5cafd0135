"""What every submission format promises."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lamina.spec import Spec


class Submission(Spec):
    """How decided masks are written down for others."""

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
        raise NotImplementedError
