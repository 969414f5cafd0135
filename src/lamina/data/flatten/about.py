"""What people are shown of an alignment: curves over the layers before and after, and the maps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.data.flatten.curves import Curves
from lamina.data.flatten.maps import Maps

CURVES = "curves"
"""Name of the folder, in another, where measured curves are kept."""

LAYERS = "layers.json"
"""Name of a file with what is said of several fragments, by their names."""

KINDS = ("full", "ink", "background")


def about(curves: Curves, maps: Maps) -> dict[str, Any]:
    """Return JSON values: mean curves, and shift and scale of the tiles.

    Returns:
        ``before`` and ``after``, each with ``full``, ``ink`` and ``background``: mean values by
        layer, null where there is no such pixel; ``shift`` and ``scale``: rows of tiles; ``rows``
        and ``columns``: their middles in pixels.
    """
    return {
        "before": {kind: _values(curves.moved(None, kind), 2) for kind in KINDS},
        "after": {kind: _values(curves.moved(maps, kind), 2) for kind in KINDS},
        "shift": [_values(row, 3) for row in maps.shift],
        "scale": [_values(row, 4) for row in maps.scale],
        "rows": maps.rows.tolist(),
        "columns": maps.columns.tolist(),
    }


def in_words(said: Mapping[str, Any]) -> str:
    """Return shift and scale of a fragment in a few words."""
    shift, scale = np.asarray(said["shift"]), np.asarray(said["scale"])
    spread = f" to {scale.max():.2f}" if np.ptp(scale) > 0.005 else ""
    return f"shifts {shift.min():.1f} to {shift.max():.1f} layers, scale {scale.min():.2f}{spread}"


def _values(curve: NDArray[Any], digits: int) -> list[float] | None:
    if np.isnan(curve).any():
        return None
    return [round(float(value), digits) for value in curve]
