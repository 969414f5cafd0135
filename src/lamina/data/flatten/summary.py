"""What people are shown of an alignment: curves over the layers before and after, and the maps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.data.flatten.column_maps import Maps
from lamina.data.flatten.depth_profiles import Curves

CURVES = "curves"
"""Name of the folder, in another, where measured curves are kept."""

LAYERS = "layers.json"
"""Name of a file with what is said of several fragments, by their names."""

KINDS = ("full", "ink", "background")


def about(curves: Curves, maps: Maps) -> dict[str, Any]:
    """Return JSON values: mean curves, and shift and scale of the tiles.

    Returns:
        ``before`` and ``after``, each with ``full``, ``ink`` and ``background``: mean values by
        layer, null for a layer that no column has, and in place of all where there is no such
        pixel; ``shift`` and ``scale``: rows of tiles; ``rows``
        and ``columns``: their middles in pixels.
    """
    return {
        "before": {kind: _values(curves.moved(None, kind)) for kind in KINDS},
        "after": {kind: _values(curves.moved(maps, kind)) for kind in KINDS},
        "shift": [[round(float(one), 3) for one in row] for row in maps.shift],
        "scale": [[round(float(one), 4) for one in row] for row in maps.scale],
        "rows": maps.rows.tolist(),
        "columns": maps.columns.tolist(),
    }


def in_words(said: Mapping[str, Any]) -> str:
    """Return shift and scale of a fragment in a few words."""
    shift, scale = np.asarray(said["shift"]), np.asarray(said["scale"])
    spread = f" to {scale.max():.2f}" if np.ptp(scale) > 0.005 else ""
    return f"shifts {shift.min():.1f} to {shift.max():.1f} layers, scale {scale.min():.2f}{spread}"


def _values(curve: NDArray[Any]) -> list[float | None] | None:
    if np.isnan(curve).all():
        return None
    return [None if np.isnan(value) else round(float(value), 2) for value in curve]
