"""Arrays with named axes that are read a region at a time, and views of them.

An image is a volume of two axes. To add a view: write one class on ``VolumeView``.
"""

from __future__ import annotations

from lamina.volume.array import ArrayVolume
from lamina.volume.crop import Crop
from lamina.volume.joined import Joined
from lamina.volume.placement import NOWHERE, Placed, Placement, placement_of
from lamina.volume.plane import Plane
from lamina.volume.transposed import Transposed
from lamina.volume.view import (
    Channels,
    VolumeView,
    narrowed,
    unselected,
    values_stamp,
    view_chain,
    without_view,
)
from lamina.volume.volume import (
    Chunked,
    Volume,
    check_within,
    chunk_shape_of,
    read_all,
)

__all__ = [
    "NOWHERE",
    "ArrayVolume",
    "Channels",
    "Chunked",
    "Crop",
    "Joined",
    "Placed",
    "Placement",
    "Plane",
    "Transposed",
    "Volume",
    "VolumeView",
    "check_within",
    "chunk_shape_of",
    "narrowed",
    "placement_of",
    "read_all",
    "unselected",
    "values_stamp",
    "view_chain",
    "without_view",
]
