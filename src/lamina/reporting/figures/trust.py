"""Whether probabilities and expected scores hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.reporting.figures.plot import FAINT, INK, PAINT, Plot, axes, finished


def reliability(name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Plot:
    """Plot a reliability diagram: frequency of the class over its probability, in bins.

    Args:
        name: The class.
        before: ``bins`` and ``error`` of ``Reliability`` as members predict.
        after: The same calibrated.
    """
    figure, drawn = axes()
    drawn.plot([0, 1], [0, 1], color=FAINT, lw=1)
    numbers: list[tuple[Any, ...]] = []
    for said, label, style, paint in (
        (before, "as predicted", "--", INK),
        (after, "calibrated", "-", PAINT[0]),
    ):
        x, y, count = zip(*said["bins"], strict=True) if said["bins"] else ((), (), ())
        drawn.plot(x, y, style, color=paint, lw=1.6, marker=".", label=label)
        numbers += [(label, *row) for row in zip(x, y, count, strict=True)]
    drawn.set_xlabel("probability", fontsize=8)
    drawn.set_ylabel("frequency", fontsize=8)
    drawn.legend(frameon=False, fontsize=8)
    header = ("curve", "probability", "frequency", "pixels")
    return finished(figure, f"reliability-{name}", "frequency over probability", header, numbers)


def risk(coverage: NDArray[np.float64], missed: NDArray[np.float64]) -> Plot:
    """Plot what the surest cases miss of the full score over the share of cases kept."""
    figure, drawn = axes()
    drawn.plot(coverage, missed, color=PAINT[0], lw=1.6, label="surest cases first")
    drawn.axhline(float(missed[-1]), color=INK, lw=1, ls="--", label="any order")
    drawn.set_xlabel("share of cases kept", fontsize=8)
    drawn.set_ylabel("1 - mean score", fontsize=8)
    drawn.set_ylim(bottom=0)
    drawn.legend(frameon=False, fontsize=8)
    rows = zip(coverage.tolist(), missed.tolist(), strict=True)
    return finished(figure, "risk-coverage", "risk and coverage", ("coverage", "risk"), rows)
