"""How well ways of aligning fragments bring their ink to one depth, with the truth known.

Fragments  of lamina.synthetic.scroll, 512 x 768 pixels, 65 layers: three series of six; the sheet
           wanders by up to 9 layers, every third fragment is 1 / 0.6 as thick (indices 1, 4)
Ways       method: two_stage or direct; outliers: by quantiles or by neighbours; fragment_layers:
           the fragment's own fit sees all of its curve or the slices alone; levels: normalised
           within slices or the stack; slices: 17 to 47 (published), 12 to 52 or 8 to 56; reach:
           30 (published) or 16
Measured   over all papyrus of all fragments but the reference, in layers of the reference:
           ink       RMS distance of the layer that holds the ink from its depth in the reference
           spread    of that depth within each fragment (deviation, then RMS over fragments)
           curves    RMS difference of tiles' aligned curves from the reference's, in its range
           scale     RMS relative error of the thickness
Run        python benchmarks/flatten_fit.py            four minutes, one core
           python benchmarks/flatten_fit.py --quick    two small fragments, to see that it runs
Keep       python benchmarks/flatten_fit.py --write    writes benchmarks/flatten_fit.json
"""

from __future__ import annotations

import argparse
import itertools
import os
import platform
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray

from lamina.data.flatten import Curves, Flatten, Stack
from lamina.data.flatten.column_maps import Maps
from lamina.data.flatten.depth_profiles import measure
from lamina.data.flatten.flatten import _unit
from lamina.data.targets.bitmask import bits_of
from lamina.files import write_json
from lamina.geometry.region import Region
from lamina.synthetic.scroll import Fragment
from lamina.volume import ArrayVolume

HERE = Path(__file__)
TILES = {"tile": 48, "step": 24, "shrink": 2}
WAYS = {
    "method": ("two_stage", "direct"),
    "outliers": ("quantiles", "neighbours"),
    "fragment_layers": (None, "slices"),
    "levels": ("slices", "stack"),
    "slices": ((17, 48), (12, 53), (8, 57)),
    "reach": (30, 16),
}
SEEDS = (7, 1, 2)
Image = NDArray[np.float64]


class Known:
    """A fragment with its measured curves and its truth."""

    def __init__(self, index: int, seed: int, shape: tuple[int, int]) -> None:
        fragment = Fragment(index, seed=seed, shape=shape)
        mask = bits_of(ArrayVolume(fragment.mask[None].astype(np.uint8)))
        self.stack = Stack(str(index), ArrayVolume(fragment.stack()[None], axes="zyx"), mask)
        self.mask, self.scale = fragment.mask, float(fragment.scale)
        self.ink, self.middle = fragment.inked.astype(np.float64), fragment.middle
        self.measured: Curves = measure(self.stack, **TILES)


def aligned(maps: Maps, known: Known) -> tuple[Image, Image]:
    """Return depth of the ink after alignment, and the scale, of every papyrus pixel."""
    shift, scale = maps.at(Region((0, 0), known.mask.shape))
    return (known.ink * scale + shift)[known.mask], scale[known.mask].astype(np.float64)


def off(how: Flatten, known: Known, maps: Maps) -> float:
    """Return the RMS difference of tiles' aligned curves from the reference's, over its slices."""
    curves = known.measured
    tiles = _unit(curves.tiles(), how._span(curves, known.stack)).reshape(-1, curves.depth)
    there = ~np.isnan(tiles).any(1)
    layers = np.arange(*how.slices)
    places = (layers - maps.shift.ravel()[there, None]) / maps.scale.ravel()[there, None]
    all_layers = np.arange(curves.depth)
    found = [np.interp(at, all_layers, tile) for at, tile in zip(places, tiles[there], strict=True)]
    return float(np.sqrt(np.mean((np.array(found) - np.asarray(how.curve)) ** 2)))


def judged(how: Flatten, fragments: Sequence[Known]) -> dict[str, float]:
    """Return the figures of one way; the first fragment is the reference."""
    reference, *others = fragments
    curves = {fragment.stack.id: fragment.measured for fragment in fragments}
    how = _with(how, curves).with_curve(reference.stack)
    depth, thick = aligned(_maps(how, curves, reference), reference)
    goal, size = float(depth.mean()), float(thick.mean()) / reference.scale
    squares, spreads, scales, differences = [], [], [], []
    for known in others:
        maps = _maps(how, curves, known)
        depth, scale = aligned(maps, known)
        squares.append(np.mean((depth - goal) ** 2))
        spreads.append(np.var(depth))
        scales.append(np.mean((scale / known.scale / size - 1) ** 2))
        differences.append(off(how, known, maps) ** 2)
    return {
        name: round(float(np.sqrt(np.mean(values))), 3)
        for name, values in (
            ("ink", squares),
            ("spread", spreads),
            ("curves", differences),
            ("scale", scales),
        )
    }


class _Kept(Flatten):
    """Measures nothing anew."""

    def curves(self, stack: Stack, cache: Path | None = None) -> Curves:
        return _CURVES[stack.id]


_CURVES: dict[str, Curves] = {}


def _with(how: Flatten, curves: dict[str, Curves]) -> Flatten:
    _CURVES.update(curves)
    return _Kept(**how.model_dump())


def _maps(how: Flatten, curves: dict[str, Curves], known: Known) -> Maps:
    del curves
    return how.maps(known.stack)


def as_they_are(fragments: Sequence[Known]) -> dict[str, float]:
    """Return the same without alignment."""
    goal = float(fragments[0].ink[fragments[0].mask].mean())
    depths = [known.ink[known.mask] for known in fragments[1:]]
    return {
        "ink": round(
            float(np.sqrt(np.mean([np.mean((depth - goal) ** 2) for depth in depths]))), 3
        ),
        "spread": round(float(np.sqrt(np.mean([np.var(one) for one in depths]))), 3),
    }


def mean_of(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    """Return the root of the mean square of each figure over series of fragments."""
    return {
        name: round(float(np.sqrt(np.mean([row[name] ** 2 for row in rows]))), 3)
        for name in rows[0]
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small, to see that it runs")
    parser.add_argument("--write", action="store_true", help="keep the result beside this script")
    asked = parser.parse_args()
    shape, count, seeds = ((128, 192), 2, SEEDS[:1]) if asked.quick else ((512, 768), 6, SEEDS)
    ways = [dict(zip(WAYS, values, strict=True)) for values in itertools.product(*WAYS.values())]
    each: list[list[dict[str, float]]] = [[] for _ in ways]
    before, scales = [], []
    for seed in seeds:
        fragments = [Known(index, seed, shape) for index in range(count)]
        before.append(as_they_are(fragments))
        scales.append([round(known.scale, 3) for known in fragments])
        for way, rows in zip(ways, each, strict=True):
            seen = None if way["fragment_layers"] is None else way["slices"]
            rows.append(judged(Flatten(**TILES, **{**way, "fragment_layers": seen}), fragments))
    rows = [
        {**way, **mean_of(rows), "ink_by_series": [row["ink"] for row in rows]}
        for way, rows in zip(ways, each, strict=True)
    ]
    found = {
        "fragments": {"shape": list(shape), "seeds": list(seeds), "scales": scales},
        "tiles": TILES,
        "machine": platform.machine(),
        "as_they_are": mean_of(before),
        "ways": sorted(rows, key=lambda row: row["ink"]),
    }
    print("as they are", found["as_they_are"])
    for row in found["ways"]:
        print(" ".join(str(value) for value in row.values()))
    if asked.write and not asked.quick:
        write_json(HERE.with_suffix(".json"), found)


if __name__ == "__main__":
    main()
