"""Pairs of volumes whose image and target are too far apart are left out of training (NOISE-3)."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from lamina import files
from lamina.data.case import Case
from lamina.data.network_input.normalise import check_finite
from lamina.errors import DataError
from lamina.geometry.similarity import similarity
from lamina.progress import Bar
from lamina.spec import Spec
from lamina.volume import read_all


class Quality(Spec):
    """Keep pairs whose slices are alike.

    Slices along ``axes`` at the places ``at`` are brought to 0..1, each by its own least and
    greatest value; the structural similarity of image and target is taken with a range of 1, and
    its mean over the slices is the pair's. Folds are assigned before, so that they do not depend
    on it.
    """

    kind: Literal["quality"] = "quality"

    above: float = Field(default=0.7, ge=-1, lt=1)
    """Pairs stay whose similarity is greater."""

    axes: str = Field(default="yx", min_length=1)
    """Axes that slices are taken across; of volumes stored time first, y and x."""

    at: tuple[float, ...] = Field(default=(0.25, 0.5, 0.75), min_length=1)
    """Places of the slices, as shares of the axis' length: of 300 those with index 75, 150, 225."""

    def of(self, case: Case) -> float:
        """Return the similarity of a pair; six slices are read.

        Raises:
            DataError: it has no target, lacks an axis, or holds NaN or infinity.
        """
        found = []
        for plane in case.planes(self.axes, at=self.at):
            if plane.target is None:
                raise DataError(f"case {case.id}: has no target to compare its image with")
            image, target = (_unit(read_all(one), one.name) for one in (plane.image, plane.target))
            total, count = similarity(image, target, span=1)
            found.append(total / count)
        return float(np.mean(found))

    def measured(self, cases: Sequence[Case]) -> dict[str, float]:
        """Return the similarity of every pair by its id.

        Raises:
            DataError: a pair cannot be compared, or none is good enough.
        """
        found = {}
        with Bar("comparing images with their targets", len(cases)) as bar:
            for case in cases:
                found[case.id] = self.of(case)
                bar.advance()
        best = max(found, key=found.__getitem__)
        if found[best] <= self.above:
            raise DataError(
                f"none of {len(cases)} pairs has a similarity above {self.above}, the best is "
                f"{best} with {found[best]:.3f}; set data.prepare.above, or look whether images "
                "and targets match each other"
            )
        return found


def write_quality(path: Path, quality: Mapping[str, float], kept: Collection[str]) -> str:
    """Write a csv with the columns case, ssim and kept (1 or 0); return its SHA-256."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    writer.writerow(["case", "ssim", "kept"])
    writer.writerows([id, round(value, 6), int(id in kept)] for id, value in quality.items())
    return files.write_text(path, text.getvalue())


def _unit(stored: NDArray[Any], name: str) -> NDArray[np.float32]:
    """Return the first channel of a slice from 0 to 1; all zeros where it is flat."""
    check_finite(stored, name)
    values = stored[0].astype(np.float32)
    low, high = float(values.min()), float(values.max())
    return np.asarray((values - low) / ((high - low) or 1.0), np.float32)
