"""Depth alignment of fragments: every column shifted and scaled until its layers meet the others'.

A fragment is a sheet that is not flat: the papyrus lies at another depth from place to place and is
thicker in one fragment than in the next. The mean curve of values over the layers shows both.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from lamina.data.flatten.cache import kept
from lamina.data.flatten.column_maps import Lattice, Maps
from lamina.data.flatten.depth_profiles import Curves, Stack, measure, without_ends
from lamina.data.flatten.outliers import cleaned, cleaned_by_neighbours, smoothed
from lamina.errors import DataError, RecipeError
from lamina.geometry.depth.fit import Target, fit_shift, fit_shift_and_scale
from lamina.spec import ADDED_LATER, Spec

Array = NDArray[np.float64]
Compose = Literal["in_order", "released"]


class Flatten(Spec):  # INK-2 to INK-10
    """Align the layers of fragments to those of one of them, the reference.

    ``two_stage``, as published code has it: every tile of a fragment is shifted until its curve
    meets the fragment's mean curve, then the whole fragment is shifted and scaled until its
    mean curve meets the reference's. ``direct``, as its README has it: every tile is
    shifted and scaled until its curve meets the reference's. The reference's curve is that after
    its own first stage. Curves are normalised by the minimum and maximum value of their fragment's
    mean curve (``levels``).

    A fitted tile's curve goes over all layers and on straight beyond them; the least of squares
    is found over all shifts within ``reach``, not only near 0. Where there are neighbouring sheets
    a small ``reach`` keeps tiles off them. ``direct`` goes down from where two_stage ends.
    """

    kind: Literal["flatten"] = "flatten"

    method: Literal["two_stage", "direct"] = "two_stage"
    """two_stage: a shift for each tile, then one shift and scale for the fragment; direct: a shift
    and a scale for each tile."""

    reference: str | None = None
    """Name of the fragment whose depth all are brought to (published: "3"); null: of those given
    first, the first, unless ``curve`` is set."""

    curve: tuple[float, ...] | None = None
    """Normalised mean curve of the reference over ``slices``; found from the reference, and filled
    in when training begins, so that new fragments are aligned without it."""

    slices: tuple[int, int] = (17, 48)  # INK-3
    """First layer and the one after the last that are fitted."""

    fragment_layers: Annotated[tuple[int, int] | None, ADDED_LATER] = None  # INK-6
    """First layer and the one after the last of a fragment's own mean curve by which its shift and
    scale are fitted; beyond them it goes straight on. null: all layers, which a fragment needs
    that is thicker than the reference."""

    levels: Literal["slices", "stack"] = "slices"  # INK-3
    """Where the minimum and maximum value of a fragment's mean curve are looked for: within
    ``slices``, or in all layers, which is fairer to fragments of different thickness if the
    stack reaches beyond the papyrus on both sides."""

    tile: int = Field(default=256, ge=1)  # INK-2
    """Side of a tile in pixels of the shrunk fragment."""

    step: int = Field(default=128, ge=1)
    """From one tile to the next in pixels of the shrunk fragment, at most ``tile``; the last one
    is moved back to the border."""

    shrink: int = Field(default=2, ge=1)  # INK-2
    """Every n-th pixel along rows and columns is measured."""

    reach: int = Field(default=30, ge=1)  # INK-4
    """Maximum shift either way, in layers."""

    scales: tuple[float, float] = (0.1, 10.0)  # INK-4
    """Minimum and maximum scale."""

    outliers: Literal["quantiles", "neighbours"] = "quantiles"  # INK-5
    """Which tiles are taken for outliers and interpolated from the others. quantiles: those outside
    ``quantiles`` of all, wherever they are. neighbours: those far from the median of the
    5 x 5 tiles around; better where a sheet wanders by more than its fit errs."""

    quantiles: tuple[float, float] = (0.05, 0.95)  # INK-5
    """With ``outliers: quantiles`` tiles whose shift or scale lies outside are outliers."""

    gaussian: float = Field(default=0.0, ge=0)
    """Deviation of a Gaussian that smooths the tiles' values after cleaning, in tiles; 0: none."""

    compose: Compose = "in_order"  # INK-7
    """How the stages of two_stage are joined. in_order: shift = shift of the fragment + its scale *
    shift of the tile, which is what doing one after the other comes to. released: shift of the tile
    + shift of the fragment, as published; the same where the fragment's scale is 1."""

    @model_validator(mode="after")
    def _ranges_rise(self) -> Self:
        seen = self.fragment_layers or self.slices
        ranges = {"slices": self.slices, "fragment_layers": seen, "quantiles": self.quantiles}
        for name, ends in ranges.items():
            if not 0 <= ends[0] < ends[1]:
                raise ValueError(f"{name} is {list(ends)}; the first must be the smaller")
        if seen[1] - seen[0] < 3:
            raise ValueError(f"fragment_layers is {list(seen)}; it needs 3 layers or more")
        if self.slices[1] - self.slices[0] < 3 or self.quantiles[1] > 1:
            raise ValueError("slices needs 3 layers or more, and quantiles lie in 0 to 1")
        if not 0 < self.scales[0] <= 1 <= self.scales[1]:
            raise ValueError(f"scales is {list(self.scales)}; 1 must lie within, above 0")
        if self.step > self.tile:
            raise ValueError(f"step is {self.step}, more than tile, {self.tile}")
        return self

    @model_validator(mode="after")
    def _curve_fits_slices(self) -> Self:
        wanted = self.slices[1] - self.slices[0]
        if self.curve is not None and len(self.curve) != wanted:
            raise ValueError(f"curve has {len(self.curve)} values, and slices {wanted}")
        return self

    def resolved(self, stacks: Sequence[Stack], cache: Path | None = None) -> Flatten:
        """Return the same with the reference's curve; the reference is read unless it is known.

        Args:
            stacks: The fragments, the reference among them.
            cache: A folder where what was measured is kept; None: nowhere.

        Raises:
            RecipeError: the reference is none of them.
            DataError: it cannot be read, has fewer layers than ``slices``, or no papyrus.
        """
        if self.curve is not None:
            return self
        return self.with_curve(self.reference_of(stacks), cache)

    def reference_of(self, stacks: Sequence[Stack]) -> Stack:
        """Return the reference; the first one where none is named.

        Raises:
            RecipeError: it is none of them.
        """
        for stack in stacks:
            if self.reference in (None, stack.id):
                return stack
        raise RecipeError(
            f"flatten.reference is '{self.reference}', which is none of the fragments: "
            f"{', '.join(stack.id for stack in stacks)}; name one of these, or set flatten.curve"
        )

    def with_curve(self, reference: Stack, cache: Path | None = None) -> Flatten:
        """Return the same with the curve of ``reference``, rounded to a millionth.

        Raises:
            DataError: it cannot be read, has fewer layers than ``slices``, or no papyrus.
        """
        curves = self.curves(reference, cache)
        span = self._span(curves, reference)
        own = self._own(curves, span)
        values = _unit(without_ends(curves.moved(own)), span)[slice(*self.slices)]
        curve = tuple(round(float(value), 6) for value in values)
        return self.model_copy(update={"curve": curve, "reference": reference.id})

    def maps(self, stack: Stack, cache: Path | None = None) -> Maps:
        """Return how a fragment's columns are shifted and scaled to meet the reference.

        Args:
            stack: The fragment.
            cache: A folder where what was measured is kept, by a digest of files and options;
                None: nowhere. The fit itself takes a second and is done anew.

        Raises:
            RecipeError: the curve of the reference is not known yet; see ``resolved``.
            DataError: the fragment cannot be read, has fewer layers than ``slices``, no papyrus,
                or layers that are all alike.
        """
        return self.fit(stack, cache)[1]

    def fit(self, stack: Stack, cache: Path | None = None) -> tuple[Curves, Maps]:
        """Return what was measured of a fragment, with its ``maps``."""
        if self.curve is None:
            raise RecipeError(
                "flatten.curve is not set; open the reference fragment too, or copy the curve from "
                "the recipe of a run"
            )
        curves = self.curves(stack, cache)
        span = self._span(curves, stack)
        goal = Target(np.asarray(self.curve), self.slices[0])
        own = self._own(curves, span)
        whole = self._within(_unit(without_ends(curves.moved(own)), span))[None]
        shift, scale = fit_shift_and_scale(whole, goal, self.reach, self.scales)
        if self.method == "direct":
            start = self._joined(own, float(shift[0]), float(scale[0]), "in_order")
            return curves, self._direct(curves, span, goal, start)
        return curves, self._joined(own, float(shift[0]), float(scale[0]), self.compose)

    def _joined(self, own: Maps, shift: float, scale: float, how: Compose) -> Maps:
        """Return the tiles' shifts and then the fragment's shift and scale, as one (INK-7)."""
        tile = own.shift if how == "released" else own.shift * np.float32(scale)
        whole = np.full_like(own.scale, scale)
        return Maps(tile + np.float32(shift), whole, own.rows, own.columns)

    def curves(self, stack: Stack, cache: Path | None = None) -> Curves:
        """Return a fragment's sums by cell, measured or as they are kept.

        Raises:
            DataError: the fragment cannot be read, or has fewer layers than ``slices``.
        """
        if stack.volume.shape[0] < self.slices[1]:
            raise DataError(
                f"{stack.volume.name}: has {stack.volume.shape[0]} layers, and flatten.slices is "
                f"{list(self.slices)}; set it to fit"
            )
        options = {"tile": self.tile, "step": self.step, "shrink": self.shrink}
        return kept(stack, cache, options, lambda: measure(stack, **options))

    def own(self, curves: Curves, stack: Stack) -> Maps:
        """Return the first stage alone: shifts that bring tiles to their fragment's mean (INK-3).

        Raises:
            DataError: the layers are all alike.
        """
        return self._own(curves, self._span(curves, stack))

    def _span(self, curves: Curves, stack: Stack) -> tuple[float, float]:
        """Return minimum and maximum value of the mean curve within the slices."""
        mean = curves.mean()
        inside = mean[slice(*self.slices)] if self.levels == "slices" else mean
        low, high = float(inside.min()), float(inside.max())
        if low == high:
            raise DataError(
                f"{stack.volume.name}: layers {self.slices[0]} to {self.slices[1] - 1} have the "
                "same mean; there is nothing to align by, set flatten.slices"
            )
        return low, high

    def _own(self, curves: Curves, span: tuple[float, float]) -> Maps:
        goal = Target(_unit(curves.mean(), span)[slice(*self.slices)], self.slices[0])
        tiles = _unit(curves.tiles(), span)
        shift = fit_shift(tiles.reshape(-1, curves.depth), goal, self.reach)
        return self._clean(curves, shift.reshape(tiles.shape[:2]))

    def _direct(self, curves: Curves, span: tuple[float, float], goal: Target, start: Maps) -> Maps:
        """Return shift and scale of each tile, gone down from where two_stage ends."""
        tiles = _unit(curves.tiles(), span)
        flat = tiles.reshape(-1, curves.depth)
        begin = start.shift.ravel().astype(np.float64), start.scale.ravel().astype(np.float64)
        shift, scale = fit_shift_and_scale(flat, goal, self.reach, self.scales, begin)
        return self._clean(curves, shift.reshape(tiles.shape[:2]), scale.reshape(tiles.shape[:2]))

    def _within(self, curve: Array) -> Array:
        """Return a fragment's curve (Z,) by ``fragment_layers``: beyond them straight on."""
        if self.fragment_layers is None:
            return curve
        first, end = self.fragment_layers
        known = curve[first:end]
        place = np.arange(len(curve)) - first
        low = place.clip(0, len(known) - 2)
        found: Array = known[low] + (place - low) * (known[low + 1] - known[low])
        return found

    def _clean(self, curves: Curves, shift: Array, scale: Array | None = None) -> Maps:
        rows, columns = curves.middles()
        lattices = [shift] if scale is None else [shift, scale]
        if self.outliers == "neighbours":
            clean = cleaned_by_neighbours(lattices, rows, columns)
        else:
            clean = cleaned(lattices, rows, columns, self.quantiles)
        found: list[Lattice] = [smoothed(one, self.gaussian).astype(np.float32) for one in clean]
        one = np.ones(shift.shape, np.float32)
        return Maps(found[0], one if scale is None else found[1], rows, columns)


def _unit(curves: Array, span: tuple[float, float]) -> Array:
    """Return curves with the ends of the span at 0 and 1."""
    found: Array = (curves - span[0]) / (span[1] - span[0])
    return found
