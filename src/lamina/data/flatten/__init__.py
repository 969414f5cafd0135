"""Depth alignment of fragments: what it is fitted to, how, and the stack seen through it."""

from lamina.data.flatten.curves import Curves, Stack
from lamina.data.flatten.flatten import Flatten
from lamina.data.flatten.flattened import Flattened, align, flattened
from lamina.data.flatten.maps import Maps

__all__ = ["Curves", "Flatten", "Flattened", "Maps", "Stack", "align", "flattened"]
