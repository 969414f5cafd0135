"""How scores depend on decisions: thresholds, triplets, precision against recall."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.reporting.figures.plot import INK, PAINT, Plot, axes, finished
from lamina.result.search.histogram import VALUES


def threshold(name: str, curve: Mapping[str, Any], chosen: float, empty: float) -> Plot:
    """Plot one class's score over thresholds, with the best minimum area and without."""
    figure, drawn = axes()
    x, best, plain = curve["threshold"], curve["best"], curve["plain"]
    drawn.plot(x, best, color=PAINT[0], lw=1.8, label="best minimum area")
    drawn.plot(x, plain, color=PAINT[1], lw=1.2, label="no minimum area")
    drawn.axhline(empty, color=INK, lw=1, ls=":", label="all-empty prediction")
    drawn.axvline(chosen, color=PAINT[2], lw=1.4, ls="--", label="chosen")
    drawn.set_xlabel("threshold", fontsize=8)
    drawn.set_xlim(0, 1.005)
    top = max(best)  # scores far below the baseline would flatten the rest
    drawn.set_ylim(max(empty - 2 * (top - empty) - 0.02, -0.02), top + 0.2 * (top - empty) + 0.01)
    drawn.legend(framealpha=0.8, edgecolor="none", fontsize=8, loc="best")
    header = ("threshold", "best minimum area", "no minimum area")
    rows = zip(x, best, plain, strict=True)
    return finished(figure, f"threshold-{name}", "score over threshold", header, rows)


def precision_recall(
    name: str,
    predicted: NDArray[np.float64],
    hits: NDArray[np.float64],
    truth: float,
    chosen: tuple[float, float] | None,
) -> Plot | None:
    """Plot precision over recall of the pixels of one class, all held-out cases together.

    Args:
        name: The class.
        predicted: (CODES,) pixels by probability.
        hits: (CODES,) those that belong to the class.
        truth: Pixels that belong to the class.
        chosen: Recall and precision of the decided masks; None: not known.

    Returns:
        The figure; None where the class has no pixel.
    """
    if not truth:
        return None
    above, right = (np.cumsum(column[::-1])[::-1] for column in (predicted, hits))
    steps = np.flatnonzero(predicted > 0)
    if not steps.size:
        return None
    recall, precision = right[steps] / truth, right[steps] / above[steps]
    keep = _thinned(recall)
    figure, drawn = axes()
    drawn.plot(recall, precision, color=PAINT[0], lw=1.6, label="all thresholds")
    if chosen is not None:
        drawn.plot(*chosen, "o", color=PAINT[1], ms=7, label="decided masks")
    drawn.axhline(truth / predicted.sum(), color=INK, lw=1, ls=":", label="share of the class")
    drawn.set(xlim=(0, 1.02), ylim=(0, 1.02))
    drawn.set_xlabel("recall", fontsize=8)
    drawn.set_ylabel("precision", fontsize=8)
    drawn.legend(frameon=False, fontsize=8)
    rows = [(float(VALUES[steps[n]]), float(recall[n]), float(precision[n])) for n in keep]
    header = ("threshold", "recall", "precision")
    return finished(figure, f"precision-recall-{name}", "precision over recall", header, rows)


def _thinned(values: NDArray[np.float64], most: int = 500) -> NDArray[np.int64]:
    return np.unique(np.linspace(0, len(values) - 1, min(most, len(values))).astype(np.int64))


def surface(
    name: str, scores: Mapping[str, Any], chosen: Mapping[str, float], other: Mapping[str, float]
) -> Plot:
    """Plot the score over upper thresholds and areas; the chosen triplet and the other peak.

    Args:
        name: The class.
        scores: ``top``, ``area`` and rows of ``score`` of ``triplet_found.Surface``.
        chosen: ``top`` and ``area`` of the triplet that is taken.
        other: The same of the one that is not.
    """
    figure, drawn = axes()
    top, area = scores["top"], [_shown_area(one) for one in scores["area"]]
    score = np.asarray(scores["score"])
    # far below the best there is nothing to tell apart
    low = max(score.min(), score.max() - max(0.1, 2 * (score.max() - np.median(score))))
    mesh = drawn.pcolormesh(
        top, area, score.T, cmap="viridis", vmin=low, vmax=score.max(), rasterized=True
    )
    figure.colorbar(mesh, ax=drawn).ax.tick_params(labelsize=8, colors=INK)
    drawn.set_yscale("log", base=10)
    for place, mark, label in ((other, "x", "other rule"), (chosen, "o", "chosen")):
        at = ([place["top"]], [_shown_area(place["area"])])
        drawn.plot(*at, mark, ms=7, mfc="none", mec="white", mew=2, label=label)
    drawn.set_xlabel("top threshold", fontsize=8)
    drawn.set_ylabel("minimum area, pixels", fontsize=8)
    drawn.legend(fontsize=7, facecolor="#444444", labelcolor="white", framealpha=0.6)
    rows = [
        (t, a, float(score[i, j])) for i, t in enumerate(top) for j, a in enumerate(scores["area"])
    ]
    return finished(
        figure, f"triplets-{name}", "score over triplets", ("top", "area", "score"), rows
    )


def _shown_area(area: float) -> float:
    return max(area, 0.5)  # 0 has no place on a logarithmic axis
