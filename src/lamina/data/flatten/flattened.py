"""A stack of layers seen aligned: each read moves the layers it needs, and nothing is copied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.data.case import Case
from lamina.data.flatten.column_maps import Maps
from lamina.data.flatten.depth_profiles import Stack
from lamina.data.flatten.flatten import Flatten
from lamina.data.flatten.summary import LAYERS, about
from lamina.errors import DataError
from lamina.files import read_json, write_json
from lamina.geometry.depth.shift import move_layers, moved_type, needed_layers
from lamina.geometry.region import Region
from lamina.volume import VolumeView, check_within, chunk_shape_of, values_stamp, view_chain


@dataclass(frozen=True)
class Flattened(VolumeView):
    """Another stack ``"zyx"`` of one channel, each column shifted and scaled by the maps (INK-8).

    A pixel outside the fragment's mask is moved like its neighbours; what a frame pads beyond
    the border was never read, so that maps need no padding (INK-10).
    """

    fitted_maps: list[Maps] = field(default_factory=list, repr=False, compare=False)
    """The maps, once they are known; see ``aligned``."""

    flatten: Flatten | None = None
    """How they are fitted."""

    stack: Stack | None = None
    """What they are fitted to."""

    reference: Stack | None = None
    """What it is brought to, unless ``flatten`` has the curve."""

    def __post_init__(self) -> None:
        if self.source.axes != "zyx" or self.source.channels != 1:
            raise DataError(
                f"{self.source.name}: has axes '{self.source.axes}' and {self.source.channels} "
                "channels; aligned are stacks 'zyx' of one channel"
            )

    @property
    def maps(self) -> Maps:
        """Shift and scale; fitted when they are first asked for.

        Raises:
            DataError: the fragment or the reference cannot be read or fitted.
        """
        return self.fitted(None)

    def fitted(self, cache: Path | None) -> Maps:
        """Return the maps, from what is kept in ``cache`` if they are not known yet."""
        if not self.fitted_maps:
            if self.flatten is None or self.stack is None:
                raise ValueError(f"{self.name}: has neither maps nor what they are fitted to")
            flatten = self.flatten
            if flatten.curve is None and self.reference is not None:
                flatten = flatten.with_curve(self.reference, cache)
            self.fitted_maps.append(flatten.maps(self.stack, cache))
        return self.fitted_maps[0]

    @property
    def dtype(self) -> np.dtype[Any]:
        """That of the source; of numbers with a fraction float32."""
        return moved_type(self.source.dtype)

    @property
    def chunk_shape(self) -> tuple[int, ...]:
        """All layers, since each is computed from others; rows and columns as in the source."""
        return (self.shape[0], *chunk_shape_of(self.source)[1:])

    def stamp(self) -> str | None:
        """Return the source's with the maps, which are fitted for it."""
        stored = values_stamp(self.source)
        return None if stored is None else f"{stored} {self.maps.digest()}"

    def read(self, region: Region) -> NDArray[Any]:
        """Return ``(1, *region.shape)``; layers are read only if the region needs them.

        Raises:
            ValueError: the region leaves the volume.
            DataError: a layer cannot be read.
        """
        check_within(self, region)
        if 0 in region.shape:
            return np.empty((1, *region.shape), self.dtype)
        (low, top, left), (high, bottom, right) = region.start, region.stop
        shift, scale = self.maps.at(Region((top, left), (bottom, right)))
        depth = self.shape[0]
        first, stop = needed_layers(shift, scale, low, high, depth)
        layers = self.source.read(Region((first, top, left), (stop, bottom, right)))[0]
        return move_layers(layers, shift, scale, low, high, first=first, depth=depth)[None]


def flattened(stack: Stack, flatten: Flatten, reference: Stack | None = None) -> Flattened:
    """Return a fragment seen aligned; nothing is read or fitted yet.

    Args:
        stack: The fragment.
        flatten: How.
        reference: What it is brought to; may be left out where ``flatten`` has the curve.
    """
    return Flattened(stack.volume, flatten=flatten, stack=stack, reference=reference)


def align(cases: Sequence[Case], cache: Path, *, note: bool = True) -> Flatten | None:
    """Fit the maps of every aligned fragment of the cases, each once.

    Loader workers get their volumes with the maps in them. What people want to see of it goes into
    ``cache``/layers.json.

    Args:
        cases: Opened.
        cache: A folder where what was measured is kept.
        note: Write ``layers.json``.

    Returns:
        How they were fitted, with the curve of the reference; None: no case is aligned.

    Raises:
        DataError: a fragment or the reference cannot be read or fitted.
    """
    how: Flatten | None = None
    said: dict[str, Any] = {}
    for view in _aligned(cases):
        if view.flatten is None or view.stack is None:
            continue
        if how is None:
            how = view.flatten
            if how.curve is None and view.reference is not None:
                how = how.with_curve(view.reference, cache)
        if not view.fitted_maps:
            curves, maps = how.fit(view.stack, cache)
            view.fitted_maps.append(maps)
            said[view.stack.id] = about(curves, maps)
    if said and note:
        write_json(cache / LAYERS, _said_before(cache / LAYERS) | said)
    return how


def _said_before(path: Path) -> dict[str, Any]:
    """Return what was said of other fragments; what is damaged is dropped."""
    try:
        before = read_json(path)
    except DataError:
        return {}
    return before if isinstance(before, dict) else {}


def _aligned(cases: Sequence[Case]) -> list[Flattened]:
    """Return the aligned stacks behind the images of cases, each once."""
    views: dict[int, Flattened] = {}
    for case in cases:
        for view in view_chain(case.image):
            if isinstance(view, Flattened):
                views[id(view)] = view
                break
    return list(views.values())
