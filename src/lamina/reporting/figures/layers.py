"""Layers of fragments before and after alignment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.reporting.figures.plot import INK, PAINT, Plot, axes, finished


def layers(name: str, said: Mapping[str, Any]) -> list[Plot]:
    """Plot the curves of an aligned fragment over its layers, and the shifts of its tiles.

    Args:
        name: The fragment.
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
        figure, drawn = axes()
        drawn.plot(_numbers(before), color=INK, lw=1, ls="--", label="as stored")
        drawn.plot(_numbers(after), color=PAINT[number % len(PAINT)], lw=1.8, label="aligned")
        drawn.set_xlabel("layer", fontsize=8)
        drawn.legend(frameon=False, fontsize=8)
        rows = list(zip(range(len(before)), before, after, strict=False))
        header = ("layer", "as stored", "aligned")
        plots.append(finished(figure, f"layers-{name}-{kind}", kind, header, rows))
    if min(len(said["rows"]), len(said["columns"])) > 1:
        plots.append(_shifts(name, said))
    return plots


def _shifts(name: str, said: Mapping[str, Any]) -> Plot:
    figure, drawn = axes()
    drawn.grid(visible=False)
    mesh = drawn.pcolormesh(
        said["columns"], said["rows"], said["shift"], cmap="viridis", rasterized=True
    )
    drawn.invert_yaxis()
    drawn.set_aspect("equal")
    drawn.set_xlabel("column", fontsize=8)
    drawn.set_ylabel("row", fontsize=8)
    figure.colorbar(mesh, ax=drawn).ax.tick_params(labelsize=8, colors=INK)
    rows = [
        (row, column, said["shift"][i][j])
        for i, row in enumerate(said["rows"])
        for j, column in enumerate(said["columns"])
    ]
    header = ("row", "column", "shift in layers")
    return finished(figure, f"layers-{name}-shift", "shift, layers", header, rows)


def together(name: str, curves: Mapping[str, Sequence[float | None]]) -> Plot:
    """Plot the mean curves of several fragments over their layers, each from 0 to 1."""
    figure, drawn = axes()
    numbers: list[tuple[Any, ...]] = []
    for number, (fragment, curve) in enumerate(curves.items()):
        values = _numbers(curve)
        low, high = np.nanmin(values), np.nanmax(values)
        unit = (values - low) / ((high - low) or 1)
        drawn.plot(unit, color=PAINT[number % len(PAINT)], lw=1.6, label=fragment)
        numbers += [(fragment, layer, value) for layer, value in enumerate(unit.tolist())]
    drawn.set_xlabel("layer", fontsize=8)
    drawn.legend(frameon=False, fontsize=8, ncols=2)
    header = ("fragment", "layer", "value")
    return finished(figure, f"layers-{name}", "mean value by layer", header, numbers)


def _numbers(curve: Sequence[float | None]) -> NDArray[np.float64]:
    """Return a curve with NaN, which is not drawn, where it has no value."""
    return np.array([np.nan if value is None else value for value in curve])
