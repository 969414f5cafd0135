"""Scores by class and by group, and which classes are taken for which."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lamina.reporting.figures.plot import FAINT, INK, PAINT, Plot, axes, finished
from lamina.seeding import rng


def by_class(
    names: Sequence[str],
    values: Sequence[float | None],
    intervals: Sequence[tuple[float, float] | None],
    baseline: Sequence[float | None],
    *,
    title: str = "score by class",
    told: str = "",
) -> Plot:
    """Plot the score of each class with its interval, and a tick at its baseline.

    Args:
        names: The classes, or the outputs of restored values.
        values: Their scores; None: no score.
        intervals: Low and high end; None: no interval.
        baseline: Their scores by the baseline; None: no score.
        title: Of the figure.
        told: What lines and ticks are, in words.
    """
    figure, drawn = axes((9.4, 0.7 + 0.32 * len(names)))
    for row, (value, interval, base) in enumerate(zip(values, intervals, baseline, strict=True)):
        if value is not None:
            drawn.barh(row, value, height=0.55, color=PAINT[0], alpha=0.75)
        if interval is not None:
            drawn.plot(interval, (row, row), color=INK, lw=1.6, marker="|", ms=8)
        if base is not None:
            drawn.plot([base, base], [row - 0.4, row + 0.4], color=PAINT[1], lw=2.2)
    drawn.set_yticks(range(len(names)), [_plain(name) for name in names], fontsize=8)
    drawn.invert_yaxis()
    rows = [
        (name, value, *(interval or (None, None)), base)
        for name, value, interval, base in zip(names, values, intervals, baseline, strict=True)
    ]
    header = ("class", "score", "low", "high", "baseline")
    return finished(figure, "score-by-class", title, header, rows, told)


def by_group(groups: Sequence[str], values: Sequence[float], overall: float) -> Plot:
    """Plot the scores of all groups as a strip, and a line at the score of all cases."""
    figure, drawn = axes((9.4, 1.3))
    up = rng(0, "strip").uniform(-0.3, 0.3, len(values))  # moved apart, to be seen
    drawn.plot(values, up, "o", color=PAINT[0], ms=5, alpha=0.6, mec="none")
    drawn.axvline(overall, color=PAINT[1], lw=1.6)
    drawn.set(ylim=(-0.6, 0.6), yticks=[])
    drawn.spines["left"].set_visible(False)
    rows = zip(groups, values, strict=True)
    told = "a point for each group; line: all cases together"
    return finished(figure, "score-by-group", "score of each group", ("group", "score"), rows, told)


def paired(
    ids: Sequence[str],
    first: Sequence[float],
    second: Sequence[float],
    names: tuple[str, str],
) -> Plot:
    """Plot the scores of the same cases by two runs; above the diagonal the second is higher."""
    figure, drawn = axes((4.6, 4.0))
    low, high = min(*first, *second), max(*first, *second)
    drawn.plot([low, high], [low, high], color=FAINT, lw=1)
    drawn.plot(first, second, "o", color=PAINT[0], ms=5, alpha=0.6, mec="none")
    drawn.set_xlabel(_plain(names[0]), fontsize=8)
    drawn.set_ylabel(_plain(names[1]), fontsize=8)
    rows = zip(ids, first, second, strict=True)
    return finished(figure, "paired", "score of each case", ("case", *names), rows)


def confusion(names: Sequence[str], pixels: NDArray[np.int64]) -> Plot:
    """Plot which classes the pixels of each true class are taken for.

    Args:
        names: Classes, background first.
        pixels: (K, K) counts, truth down, prediction across.
    """
    total = pixels.sum(axis=1, keepdims=True)
    share = pixels / np.maximum(total, 1)
    side = 1.4 + 0.75 * len(names)
    figure, drawn = axes((max(side, 4.6), side * 0.8))
    drawn.grid(visible=False)
    drawn.imshow(share, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for i in range(len(names)):
        for j in range(len(names)):
            ink = "white" if share[i, j] > 0.6 else INK
            words = f"{share[i, j]:.1%}\n{_short(int(pixels[i, j]))}"
            drawn.text(j, i, words, ha="center", va="center", fontsize=7, color=ink)
    plain = [_plain(name) for name in names]
    drawn.set_xticks(range(len(names)), plain, fontsize=8, rotation=20, ha="right")
    drawn.set_yticks(range(len(names)), plain, fontsize=8)
    drawn.set_xlabel("predicted", fontsize=8)
    drawn.set_ylabel("true", fontsize=8)
    for spine in drawn.spines.values():
        spine.set_color(FAINT)
    rows = [
        (names[i], names[j], int(pixels[i, j]), float(share[i, j]))
        for i in range(len(names))
        for j in range(len(names))
    ]
    header = ("true", "predicted", "pixels", "share of the true class")
    return finished(figure, "confusion", "true class and predicted class", header, rows)


def _short(count: int) -> str:
    for size, letter in ((1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")):
        if count >= size:
            return f"{count / size:.1f} {letter}"
    return str(count)


def _plain(name: str) -> str:
    return name.replace("$", r"\$")  # no formula
