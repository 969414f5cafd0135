"""Alignment in depth of the layers of fragments."""

from lamina.data.flatten.column_maps import Maps
from lamina.data.flatten.depth_profiles import Curves, Stack
from lamina.data.flatten.flatten import Flatten
from lamina.data.flatten.flattened import Flattened, align, flattened

__all__ = ["Curves", "Flatten", "Flattened", "Maps", "Stack", "align", "flattened"]
