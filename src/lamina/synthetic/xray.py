"""Grey chest X-rays, one in four with air beside a lung, after the pneumothorax competition.

A chest is a bright field with two dark lungs, ribs, a spine, a heart and vessels that thin out
towards the rim of the lung. Air lies between chest wall and a lung that has shrunk away from its
upper outer rim: a crescent without vessels, a little darker, with a fine bright line where the
lung ends. Its width at the widest is 3 to 25 % of the lung's, drawn evenly in the logarithm, so
that most are small and some are large; one image in six has a fold of skin, a bright line like
that of a lung's end but with vessels on both sides and no mask.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lamina.files import write_bytes, write_text
from lamina.rle.codec import encode
from lamina.seeding import rng
from lamina.synthetic.files.png import encode_grey
from lamina.synthetic.shapes.random_fields import fade, smooth_noise

POSITIVE = 1 / 4
"""Share of images with air beside a lung; 22 % in the competition (SIIM-5)."""

_FOLD = 1 / 6
_SEVERAL = 1 / 4  # of the masks, written in two rows (SIIM-1)

Grey = NDArray[np.float64]
Mask = NDArray[np.bool_]


def xray(
    index: int, *, seed: int = 0, shape: tuple[int, int] = (256, 256)
) -> tuple[NDArray[np.uint8], Mask]:
    """Return one image and where the air is; the same for equal arguments.

    Args:
        index: Which image, counted from 0.
        seed: Which endless series of images.
        shape: Rows and columns, in pixels; at least 64 each.

    Returns:
        Image (H, W) uint8 and mask (H, W), empty for three images of four.

    Raises:
        ValueError: a side is below 64 pixels.
    """
    if min(shape) < 64:
        raise ValueError(f"an X-ray needs at least 64 x 64 pixels, not {shape}")
    chance = rng(seed, "xray", index)
    chest = _Chest(shape, chance)
    lungs = [chest.lung(side) for side in (-1, 1)]
    grey, vessels = chest.body(lungs), chest.vessels()
    mask = np.zeros(shape, np.bool_)
    ill, folded = chance.random() < POSITIVE, chance.random() < _FOLD
    side = int(chance.integers(2))
    for number, lung in enumerate(lungs):
        full = vessels * fade(lung / 2)
        if number == side and (ill or folded):
            shrunk = chest.shrunk(lung, -1 if side == 0 else 1)
            line = np.exp(-((shrunk / chest.unit) ** 2)) * (lung > 0)
            grey += line * chance.uniform(6, 14)
            if ill:
                mask = (lung > 0) & (shrunk < 0)
                full *= 1 - 0.9 * mask
                grey -= chance.uniform(4, 12) * fade(lung) * mask
        grey += full
    grey += chance.normal(0, chance.uniform(1.5, 3.5), shape)  # quanta
    return grey.round().clip(0, 255).astype(np.uint8), mask


def write_siim(
    folder: Path, *, count: int, seed: int = 0, shape: tuple[int, int] = (256, 256), first: int = 0
) -> Path:
    """Write images in the layout of the competition (SIIM-1, SIIM-2, SIIM-4).

    ``train/xray_00000.png`` and so on, and ``train.csv`` with the columns ``ImageId`` and
    `` EncodedPixels``, leading blank and all; `` -1`` where there is nothing, and two rows for
    some masks.

    Args:
        folder: Where to write; made if missing.
        count: Number of images.
        seed: As for ``xray``.
        shape: Rows and columns, in pixels.
        first: Index of the first image; images from another first are unseen ones.

    Returns:
        ``folder``.
    """
    rows = ["ImageId, EncodedPixels"]
    for index in range(first, first + count):
        image, mask = xray(index, seed=seed, shape=shape)
        name = f"xray_{index:05d}"
        write_bytes(folder / "train" / f"{name}.png", encode_grey(image))
        rows += [f"{name}, {encode(region, 'siim')}" for region in _parts(mask, index)]
    write_text(folder / "train.csv", "\n".join(rows) + "\n")
    return folder


def _parts(mask: Mask, index: int) -> list[Mask]:
    """Cut every fourth mask in two rows of the table, upper and lower half of its pixels."""
    rows = np.flatnonzero(mask.any(1))
    if index % round(1 / _SEVERAL) or len(rows) < 2:
        return [mask]
    upper = np.zeros_like(mask)
    upper[: rows[len(rows) // 2]] = mask[: rows[len(rows) // 2]]
    return [upper, mask & ~upper]


class _Chest:
    """The measures of one person on one plate."""

    def __init__(self, shape: tuple[int, int], chance: np.random.Generator) -> None:
        self.shape, self.unit, self._chance = shape, min(shape) / 256, chance
        rows, columns = np.mgrid[: shape[0], : shape[1]]
        self._y, self._x = rows / shape[0] - 0.5, columns / shape[1] - 0.5
        tilt = chance.uniform(-0.08, 0.08)
        self._x = self._x - chance.uniform(-0.03, 0.03) + tilt * self._y
        self._tall = chance.uniform(0.28, 0.36)
        self._wide = chance.uniform(0.13, 0.17)
        self._apart = chance.uniform(0.19, 0.22)

    def lung(self, side: int) -> Grey:
        """Return the distance to a lung's rim in pixels, about; positive inside."""
        y, x = self._y + 0.03, (self._x - side * self._apart) * side
        wide = self._wide * (1 + 0.25 * y - 0.12 * (side < 0))  # the heart takes from one
        away = np.hypot(y / self._tall, x / wide)
        return np.asarray((1 - away) * wide * self.shape[1])

    def shrunk(self, lung: Grey, side: int) -> Grey:
        """Return the same for a lung that has moved away from its upper outer rim."""
        share = float(np.exp(self._chance.uniform(np.log(0.03), np.log(0.25))))
        reach = self._chance.uniform(0.1, 0.5)
        above = fade((reach - (self._y + self._tall)) * 30) if reach < 0.45 else 1.0
        outer = np.clip((self._x - side * self._apart) * side / self._wide + 0.6, 0, 1.6) / 1.6
        depth = 2 * share * self._wide * self.shape[1] * outer * above
        wavy = 1 + 0.15 * smooth_noise(self.shape, (20 * self.unit, 20 * self.unit), self._chance)
        return np.asarray(lung - np.maximum(depth * wavy, 0))

    def body(self, lungs: list[Grey]) -> Grey:
        """Return chest wall, lungs, spine, heart and ribs; grey levels."""
        chance, y, x, unit = self._chance, self._y, self._x, self.unit
        grey = np.full(self.shape, chance.uniform(150, 190))
        grey -= 60 * np.clip(abs(x) - 0.38, 0, None) / 0.12
        for lung in lungs:
            grey -= chance.uniform(65, 85) * fade(lung / (3 * unit))
        grey += 25 * np.exp(-((x / 0.035) ** 2))
        grey += 40 * fade((1 - np.hypot((x - 0.06) / 0.12, (y - 0.14) / 0.14)) * 20)
        count, phase = chance.uniform(7, 9), chance.uniform(0, 1)
        bow = y + chance.uniform(0.5, 0.9) * x**2 * np.sign(0.1 - y) + 0.15 * abs(x)
        ribs = np.cos(2 * np.pi * (bow * count + phase))
        grey += chance.uniform(7, 12) * np.clip(ribs - 0.3, 0, None) * (abs(x) < 0.42)
        return np.asarray(grey + 3 * smooth_noise(self.shape, (12 * unit, 12 * unit), chance))

    def vessels(self) -> Grey:
        """Return the branching marks inside lungs, stronger near the middle; grey levels."""
        fine = smooth_noise(self.shape, (1.5 * self.unit, 2.5 * self.unit), self._chance)
        near = np.exp(-(((abs(self._x) - 0.12).clip(0) / 0.16) ** 2))
        return np.asarray(self._chance.uniform(5, 9) * abs(fine) * (0.35 + near))
