"""Fragments of a scroll as a scanner sees them: a stack of 65 layers around one sheet of papyrus.

The sheet wanders through the layers, so that none of them holds all of it: a layer is recto here,
verso there and the gap between sheets elsewhere. Ink lies at one depth of the sheet, just below its
recto. Three more pages of text, which no label shows, are as strong: one on the sheet's verso, one
each on the rectos of its neighbours above and below. Depths are said in layers of a stack whose
depth scale is 1, from the middle of the sheet, downwards; at a scale of 0.6 all is 1 / 0.6 as many
layers thick (INK-7).

============== =====================================================================
what           value, or drawn evenly from
============== =====================================================================
sheet          wanders by up to 9 layers over 350 to 900 pixels (less where the fragment is below
               768 pixels long), and a stack is off by up to 3
thickness      13 layers, up to a fifth more or less
neighbours     19 layers above and below, by up to 3 more or less; the gap between sheets is full
               of dust, 65 % of the density of papyrus
depth scale    0.57 to 0.63 of the second, fifth ... fragment, 0.95 to 1.05 of the others
fibres         12 % of the density of papyrus (deviation); along x above, along y below
ink            0 to 4 layers below the recto, 11 % of the density of papyrus, patchy
noise          10 % of the density of papyrus, white
grey values    air 9,000 to 20,000; papyrus 11,000 to 19,000 more
mask           a ragged outline with holes, about 80 % of the area
============== =====================================================================

A few rows at a time are in memory, so that fragments may be of any size.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lamina.files import replacing, write_bytes
from lamina.seeding import rng
from lamina.synthetic.files.png import encode_grey
from lamina.synthetic.files.tiff import begin_grey16
from lamina.synthetic.shapes.letters import page
from lamina.synthetic.shapes.papyrus import Fibres, Field, Outline, Waves, wrapped
from lamina.synthetic.shapes.random_fields import smooth_noise

Shape = tuple[int, int]

LAYERS = 65
LEAST_SIDE = 64

_BLOCK = 64  # rows at a time
_WANDER = 4.5  # layers; the waves reach twice as far
_HALF = 6.5  # of the thickness
_APART = 19.0
_EDGE = 2.0  # layers from a gap to papyrus
_GAP = 0.65  # density between sheets
_FIBRES, _NOISE, _INK = 0.12, 0.10, 0.11  # of the density of papyrus
_INK_DEPTH, _INK_REACH = 2.0, 2.2  # layers below the recto, and how far from there
_DENSER = 0.012  # by layer, towards the recto
_PAGES = 4  # recto, verso, above, below


@dataclass(frozen=True)
class _Rows:
    """What a few rows of the sheet are, whatever the layer; each (rows, W)."""

    middle: Field
    half: Field
    above: Field
    below: Field
    within: Field
    whole: Field
    fibres: Field
    pages: Field


class Fragment:
    """One fragment, drawn once; its layers are computed when they are asked for."""

    def __init__(
        self, index: int, *, seed: int = 0, shape: Shape = (512, 768), contrast: float = 1.0
    ) -> None:
        """Draw the sheet, its neighbours, what is written on them, and the scanner.

        Args:
            index: Which fragment, counted from 0.
            seed: Which endless series of fragments.
            shape: Rows and columns, in pixels; at least 64 each.
            contrast: Factor on how much denser ink is, on all four pages; labels stay.

        Raises:
            ValueError: a side is below 64 pixels.
        """
        if min(shape) < LEAST_SIDE:
            raise ValueError(f"a fragment needs at least {LEAST_SIDE} pixels a side, not {shape}")
        chance = rng(seed, "scroll", index)
        self.shape, self._contrast = shape, contrast
        self._hiss = (seed, "scroll noise", index)
        self.scale = chance.uniform(0.57, 0.63) if index % 3 == 1 else chance.uniform(0.95, 1.05)
        """Layers of a stack of scale 1 for each layer of this one."""
        self.air = chance.uniform(9_000, 20_000)
        """Grey value of air."""
        self.gain = chance.uniform(11_000, 19_000)
        """How much brighter papyrus is than air."""
        self._off = LAYERS // 2 + chance.uniform(-3, 3)
        long = min(max(shape), 768)
        self._slow = [Waves.draw(chance, (0.45 * long, 1.2 * long)) for _ in range(4)]
        self._fibres = Fibres(shape, chance)
        self._outline = Outline(shape, chance)
        self._pages = np.stack([page(shape, chance) for _ in range(_PAGES)])
        small = (min(shape[0], 1024), min(shape[1], 1024))
        patchy = np.clip(1 + 0.3 * smooth_noise(small, (4, 4), chance), 0.4, 1.6)
        self._patchy = patchy.astype(np.float32)
        self.mask: NDArray[np.bool_] = np.concatenate(
            [self._outline.at(rows)[1] for rows in self._blocks()]
        )
        """Where the sheet is, (H, W)."""
        self.ink: NDArray[np.bool_] = (self._pages[0] >= 128) & self.mask
        """Where there is ink on its recto, (H, W)."""

    @property
    def middle(self) -> Field:
        """Layer in which the middle of the sheet is, (H, W)."""
        return self._middle(slice(0, self.shape[0]))

    @property
    def recto(self) -> Field:
        """Layer in which the upper face of the sheet is, (H, W)."""
        rows = slice(0, self.shape[0])
        return self._middle(rows) - self._half(rows) / np.float32(self.scale)

    @property
    def inked(self) -> Field:
        """Layer in which ink is densest, (H, W)."""
        return self.recto + np.float32(_INK_DEPTH / self.scale)

    def stack(self) -> NDArray[np.uint16]:
        """Return all layers, (65, H, W); the same for equal arguments."""
        return np.concatenate([layers for _, layers in self.blocks()], axis=1)

    def blocks(self) -> Iterator[tuple[slice, NDArray[np.uint16]]]:
        """Yield some rows and all their layers, (65, rows, W), from the first row to the last."""
        for number, rows in enumerate(self._blocks()):
            layers = rng(*self._hiss, number).standard_normal(
                (LAYERS, rows.stop - rows.start, self.shape[1]), np.float32
            )
            layers *= np.float32(_NOISE)
            here = self._rows(rows)
            for z in range(LAYERS):
                layers[z] += self._density(here, z)
            layers *= np.float32(self.gain)
            layers += np.float32(self.air)
            yield rows, np.rint(layers.clip(0, 65535)).astype(np.uint16)

    def _blocks(self) -> Iterator[slice]:
        for first in range(0, self.shape[0], _BLOCK):
            yield slice(first, min(first + _BLOCK, self.shape[0]))

    def _middle(self, rows: slice) -> Field:
        wander = np.float32(_WANDER / self.scale) * self._slow[0].at(rows, self.shape[1])
        return wander + np.float32(self._off)

    def _half(self, rows: slice) -> Field:
        return np.float32(_HALF) * (1 + np.float32(0.1) * self._slow[1].at(rows, self.shape[1]))

    def _rows(self, rows: slice) -> _Rows:
        columns = self.shape[1]
        above, below = (
            np.float32(_APART) + np.float32(1.5) * waves.at(rows, columns)
            for waves in self._slow[2:]
        )
        within, whole = (outline.astype(np.float32) for outline in self._outline.at(rows))
        strong = wrapped(self._patchy[None], rows, columns) * np.float32(self._contrast * _INK)
        pages = self._pages[:, rows].astype(np.float32) / np.float32(255) * strong
        pages[:2] *= whole
        pages[2:] *= within
        return _Rows(
            self._middle(rows),
            self._half(rows),
            above,
            below,
            within,
            whole,
            self._fibres.over(rows, columns),
            pages,
        )

    def _density(self, here: _Rows, z: int) -> Field:
        """Return the density of one layer in units of that of papyrus, (rows, W)."""
        v = np.float32(self.scale) * (np.float32(z) - here.middle)
        papyrus = np.float32(_GAP) * here.within
        papyrus += np.float32(1 - _GAP) * _edge(here.half - np.abs(v)) * here.whole
        for place in (v + here.above, v - here.below):
            papyrus += np.float32(1 - _GAP) * _edge(np.float32(_HALF) - np.abs(place)) * here.within
        unrest = np.float32(_FIBRES) * Fibres.at(here.fibres, v)
        density: Field = papyrus * (1 - np.float32(_DENSER) * v.clip(-_HALF, _HALF) + unrest)
        faces = (
            v + here.half,
            here.half - v,
            v + here.above + np.float32(_HALF),
            v - here.below + np.float32(_HALF),
        )
        for written, below in zip(here.pages, faces, strict=True):
            away = (below - np.float32(_INK_DEPTH)) / np.float32(_INK_REACH)
            density += written * (1 - away * away).clip(0, None)
        return density


def write_fragments(
    folder: Path,
    *,
    count: int,
    seed: int = 0,
    shape: Shape = (512, 768),
    first: int = 0,
    contrast: float = 1.0,
) -> Path:
    """Write fragments in the layout of the competition, a folder for each (INK-1).

    ``1/surface_volume/00.tif`` to ``64.tif`` (16 bit, not packed), ``1/mask.png`` and
    ``1/inklabels.png`` (0 and 255), and so on.

    Args:
        folder: Where to write; made if missing.
        count: Number of fragments.
        seed: As for ``Fragment``.
        shape: Rows and columns, in pixels.
        first: Index of the first fragment, which is called first + 1; fragments from another first
            are unseen ones.
        contrast: As for ``Fragment``.

    Returns:
        ``folder``.
    """
    for index in range(first, first + count):
        fragment = Fragment(index, seed=seed, shape=shape, contrast=contrast)
        below = folder / str(index + 1)
        with ExitStack() as open_files:
            streams = [
                open_files.enter_context(replacing(below / "surface_volume" / f"{z:02d}.tif"))
                for z in range(LAYERS)
            ]
            for stream in streams:
                stream.write(begin_grey16(shape))
            for _, layers in fragment.blocks():
                for stream, layer in zip(streams, layers, strict=True):
                    stream.write(layer.astype("<u2", copy=False).tobytes())
        for name, image in (("mask", fragment.mask), ("inklabels", fragment.ink)):
            write_bytes(below / f"{name}.png", encode_grey(image.astype(np.uint8) * np.uint8(255)))
    return folder


def _edge(inside: Field) -> Field:
    """Return a soft step over ``_EDGE`` layers, smooth at both ends."""
    share = (inside / np.float32(_EDGE) + np.float32(0.5)).clip(0, 1)
    step: Field = share * share * (3 - 2 * share)
    return step
