"""Pictures as SVG: curves of training, scores over thresholds and triplets, layers of fragments."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

_NO_CURVE = ("epoch", "step", "best", "skipped", "seconds", "train_seconds", "share")
_BESIDE = "validation_loss"
PAINT = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#7B3FF2", "#8C6D1F")
"""Colours of lines, dark enough for a white page (after Okabe and Ito 2008)."""

_INK, _FAINT = "#1c2733", "#c9d1d9"


@dataclass(frozen=True)
class Plot:
    """A picture with its title, as a data URI."""

    title: str
    uri: str


def training(rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[Plot]:
    """Plot every number of metrics.jsonl over epochs, a line per fold.

    Args:
        rows: Of each fold, in the order written; stages follow one another.
    """
    keys: dict[str, None] = {}  # a set that keeps its order
    for fold in rows.values():
        for row in fold:
            keys |= {key: None for key in row if key not in _NO_CURVE and _is_number(row[key])}
    keys.pop(_BESIDE, None)  # drawn beside the loss
    first = [key for key in ("monitor", "loss") if key in keys]
    return [_curve(key, rows) for key in (*first, *(k for k in keys if k not in first))]


def _curve(key: str, rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> Plot:
    figure, axes = _axes()
    for number, (name, fold) in enumerate(rows.items()):
        points = [(at + 1, row[key]) for at, row in enumerate(fold) if _is_number(row.get(key))]
        beside = [(at + 1, row[_BESIDE]) for at, row in enumerate(fold) if _BESIDE in row]
        if key == "loss" and beside:
            colour = PAINT[number % len(PAINT)]
            axes.plot(*zip(*beside, strict=True), color=colour, lw=1.2, ls="--", marker=".")
        if points:
            x, y = zip(*points, strict=True)
            axes.plot(
                x, y, color=PAINT[number % len(PAINT)], lw=1.6, marker="." if len(x) < 40 else ""
            )
            axes.lines[-1].set_label(name)
    longest = max(rows.values(), key=len)
    for at in range(1, len(longest)):
        if longest[at].get("stage") != longest[at - 1].get("stage"):
            axes.axvline(at + 0.5, color=_FAINT, lw=1, ls="--")
    axes.set_xlabel("epoch")
    if key == "lr":
        axes.set_yscale("log")
    if len(rows) > 1:
        axes.legend(frameon=False, fontsize=8, ncols=2)
    return Plot(key, _uri(figure))


def threshold(curve: Mapping[str, Sequence[float]], chosen: float, empty: float) -> str:
    """Plot one class's score over thresholds, with the best minimum area and without."""
    figure, axes = _axes()
    axes.plot(curve["threshold"], curve["best"], color=PAINT[0], lw=1.8, label="best minimum area")
    axes.plot(curve["threshold"], curve["plain"], color=PAINT[1], lw=1.2, label="no minimum area")
    axes.axhline(empty, color=_INK, lw=1, ls=":", label="all-empty prediction")
    axes.axvline(chosen, color=PAINT[2], lw=1.4, ls="--", label="chosen")
    axes.set_xlabel("threshold")
    axes.set_xlim(0, 1.005)
    top = max(curve["best"])  # scores far below the baseline would flatten the rest
    axes.set_ylim(max(empty - 2 * (top - empty) - 0.02, -0.02), top + 0.2 * (top - empty) + 0.01)
    axes.legend(frameon=False, fontsize=8, loc="lower right")
    return _uri(figure)


def surface(
    surface: Mapping[str, Any], chosen: Mapping[str, float], other: Mapping[str, float]
) -> str:
    """Plot the score over upper thresholds and areas; the chosen triplet and the other peak.

    Args:
        surface: ``top``, ``area`` and rows of ``score`` of ``triplet_found.Surface``.
        chosen: ``top`` and ``area`` of the triplet that is taken.
        other: The same of the one that is not.
    """
    figure, axes = _axes()
    top, area = surface["top"], [_shown_area(one) for one in surface["area"]]
    score = np.asarray(surface["score"])
    # far below the best there is nothing to tell apart
    low = max(score.min(), score.max() - max(0.1, 2 * (score.max() - np.median(score))))
    drawn = axes.pcolormesh(
        top, area, score.T, cmap="viridis", vmin=low, vmax=score.max(), rasterized=True
    )
    figure.colorbar(drawn, ax=axes).ax.tick_params(labelsize=8, colors=_INK)
    axes.set_yscale("log", base=10)
    for place, mark, name in ((other, "x", "other rule"), (chosen, "o", "chosen")):
        axes.plot(
            [place["top"]], [_shown_area(place["area"])], mark, ms=7, mfc="none", mec="white", mew=2
        )
        axes.lines[-1].set_label(name)
    axes.set_xlabel("top threshold")
    axes.set_ylabel("minimum area, pixels", fontsize=8)
    axes.legend(fontsize=7, facecolor="#444444", labelcolor="white", framealpha=0.6)
    return _uri(figure)


def diagram(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """Plot a reliability diagram: frequency of the class over its probability, in bins.

    Args:
        before: ``bins`` and ``error`` of ``Reliability`` as members answer.
        after: The same calibrated.
    """
    figure, axes = _axes()
    axes.plot([0, 1], [0, 1], color=_FAINT, lw=1)
    for said, name, style, paint in (
        (before, "as predicted", "--", _INK),
        (after, "calibrated", "-", PAINT[0]),
    ):
        x, y, _ = zip(*said["bins"], strict=True) if said["bins"] else ((), (), ())
        axes.plot(x, y, style, color=paint, lw=1.6, marker=".", label=name)
    axes.set_xlabel("probability")
    axes.set_ylabel("frequency", fontsize=8)
    axes.legend(frameon=False, fontsize=8)
    return _uri(figure)


def risk(coverage: NDArray[np.float64], missed: NDArray[np.float64]) -> str:
    """Plot what the surest cases miss of the full score over the share of cases kept."""
    figure, axes = _axes()
    axes.plot(coverage, missed, color=PAINT[0], lw=1.6, label="surest cases first")
    axes.axhline(float(missed[-1]), color=_INK, lw=1, ls="--", label="any order")
    axes.set_xlabel("share of cases kept")
    axes.set_ylabel("1 - mean score", fontsize=8)
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False, fontsize=8)
    return _uri(figure)


def layers(said: Mapping[str, Any]) -> list[Plot]:
    """Plot the curves of an aligned fragment over its layers, and the shifts of its tiles.

    Args:
        said: What ``data.flatten.about`` says of it.

    Returns:
        A picture for each of full, ink and background that it has: thin before, thick after; and
        one of the shifts, if there is more than a row and a column of tiles.
    """
    plots = []
    for number, (kind, after) in enumerate(said["after"].items()):
        before = said["before"][kind]
        if after is None or before is None:
            continue
        figure, axes = _axes()
        axes.plot(_numbers(before), color=_INK, lw=1, ls="--", label="as stored")
        axes.plot(_numbers(after), color=PAINT[number % len(PAINT)], lw=1.8, label="aligned")
        axes.set_xlabel("layer")
        axes.legend(frameon=False, fontsize=8)
        plots.append(Plot(kind, _uri(figure)))
    if min(len(said["rows"]), len(said["columns"])) > 1:
        figure, axes = _axes()
        axes.grid(visible=False)
        drawn = axes.pcolormesh(
            said["columns"], said["rows"], said["shift"], cmap="viridis", rasterized=True
        )
        axes.invert_yaxis()
        axes.set_aspect("equal")
        axes.set_xlabel("column")
        axes.set_ylabel("row", fontsize=8)
        figure.colorbar(drawn, ax=axes).ax.tick_params(labelsize=8, colors=_INK)
        plots.append(Plot("shift, layers", _uri(figure)))
    return plots


def together(curves: Mapping[str, Sequence[float | None]]) -> str:
    """Plot the mean curves of several fragments over their layers, each from 0 to 1."""
    figure, axes = _axes()
    for number, (name, curve) in enumerate(curves.items()):
        values = _numbers(curve)
        low, high = np.nanmin(values), np.nanmax(values)
        unit = (values - low) / ((high - low) or 1)
        axes.plot(unit, color=PAINT[number % len(PAINT)], lw=1.6, label=name)
    axes.set_xlabel("layer")
    axes.legend(frameon=False, fontsize=8, ncols=2)
    return _uri(figure)


def _numbers(curve: Sequence[float | None]) -> NDArray[np.float64]:
    """Return a curve with NaN, which is not drawn, where it has no value."""
    return np.array([np.nan if value is None else value for value in curve])


def _shown_area(area: float) -> float:
    return max(area, 0.5)  # 0 has no place on a logarithmic axis


def _axes() -> tuple[Figure, Axes]:
    figure = Figure(figsize=(4.6, 2.7), layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8, colors=_INK)
    axes.grid(color=_FAINT, lw=0.5, alpha=0.6)
    return figure, axes


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _uri(figure: Figure) -> str:
    text = io.StringIO()
    # a fixed salt and no date: the same run gives the same page
    with matplotlib.rc_context({"svg.hashsalt": "lamina", "svg.fonttype": "path"}):
        figure.savefig(text, format="svg", metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(text.getvalue().encode()).decode()
