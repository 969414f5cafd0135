"""Grey steel strips with four overlapping classes of defects, after the Severstal competition.

Two thirds of the strips are clean. A strip with a defect has one class drawn like the image
counts of the competition (STEEL-3: 897, 247, 5150, 801) and, three times in ten, a second class
drawn evenly, so that small samples hold every class; class 3 is by far the most frequent, class
2 the rarest.

===== ============================ ===================== =============================
class what                         size at 128 rows      contrast, in grey levels
===== ============================ ===================== =============================
1     pits in groups               3 to 7 across         24 to 44 darker
2     hairline cracks, upright     1.5 wide, marked 4    22 to 40 darker
3     scratches along the strip    2 to 7 wide, to 300   16 to 36 brighter or darker
4     big rough patches            30 to 70 across       rough, 14 to 24 (deviation)
===== ============================ ===================== =============================

Strips differ by more than this: their mean grey is 70 to 140 and drifts by 25 along a strip, the
ends of some are dark, and rolling leaves streaks of 4 and smudges of 8. So a global threshold
finds next to nothing (its best Dice is below 0.2); a defect stands out only from what is around
it, by two to five times the local unrest. Sizes grow with the number of rows.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.files import write_bytes, write_text
from lamina.rle.codec import encode
from lamina.seeding import rng
from lamina.synthetic.files.png import encode_grey
from lamina.synthetic.shapes.defects import DEFECTS
from lamina.synthetic.shapes.random_fields import fade, smooth_noise

CLASSES = 4
DEFECTIVE = 1 / 3
"""Share of strips with a defect."""

_COUNTS = np.array([897, 247, 5150, 801])  # images per class, STEEL-3
_SECOND = 0.3
_DARK_END = 0.25


def strip(
    index: int, *, seed: int = 0, shape: tuple[int, int] = (128, 800), contrast: float = 1.0
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Return one strip and its defects; the same for equal arguments.

    Args:
        index: Which strip, counted from 0.
        seed: Which endless series of strips.
        shape: Rows and columns, in pixels; at least 32 each.
        contrast: Factor on how far defects stand out from the metal; their masks stay.

    Returns:
        Image (H, W) uint8 and masks (4, H, W), True where class 1, 2, 3, 4 is; they may overlap
        and are empty for a clean strip.

    Raises:
        ValueError: a side is below 32 pixels.
    """
    if min(shape) < 32:
        raise ValueError(f"a strip needs at least 32 x 32 pixels, not {shape}")
    chance = rng(seed, "steel", index)
    steel = _metal(shape, chance)
    dark = _dark_end(shape, chance)
    masks = np.zeros((CLASSES, *shape), np.bool_)
    for number in _classes(chance):
        change, mask = DEFECTS[number](shape, chance, dark < 0.5)
        steel += contrast * change
        masks[number] = mask & (dark < 0.5)
    unit = shape[0] / 128
    steel = steel * (1 - dark) + dark * (5 + smooth_noise(shape, (unit, unit), chance))
    steel += chance.normal(0, 1.6, shape)  # the sensor
    return steel.round().clip(0, 255).astype(np.uint8), masks


def write_severstal(
    folder: Path,
    *,
    count: int,
    seed: int = 0,
    shape: tuple[int, int] = (128, 800),
    first: int = 0,
    contrast: float = 1.0,
) -> Path:
    """Write strips in the layout of the competition, with the csv it has had since (STEEL-2).

    ``train_images/steel_00000.png`` and so on, and ``train.csv`` with the columns ``ImageId``,
    ``ClassId``, ``EncodedPixels`` and one row per strip and class of defect: clean strips have
    no row.

    Args:
        folder: Where to write; made if missing.
        count: Number of strips.
        seed: As for ``strip``.
        shape: Rows and columns, in pixels.
        first: Index of the first strip; strips from another first are unseen ones.
        contrast: As for ``strip``.

    Returns:
        ``folder``.
    """
    rows = ["ImageId,ClassId,EncodedPixels"]
    for index in range(first, first + count):
        image, masks = strip(index, seed=seed, shape=shape, contrast=contrast)
        name = f"steel_{index:05d}.png"
        write_bytes(folder / "train_images" / name, encode_grey(image))
        rows += [
            f"{name},{number},{encode(mask, 'severstal')}"
            for number, mask in enumerate(masks, start=1)
            if mask.any()
        ]
    write_text(folder / "train.csv", "\n".join(rows) + "\n")
    return folder


def _classes(chance: np.random.Generator) -> list[int]:
    """Draw which defects a strip has, as indices from 0; none for two strips of three."""
    if chance.random() >= DEFECTIVE:
        return []
    main = int(chance.choice(CLASSES, p=_COUNTS / _COUNTS.sum()))
    if chance.random() >= _SECOND:
        return [main]
    others = [number for number in range(CLASSES) if number != main]
    return [main, int(chance.choice(others))]


def _metal(shape: tuple[int, int], chance: np.random.Generator) -> NDArray[np.float64]:
    """Rolled steel without defects: light that drifts, streaks along x, fine grain, smudges."""
    unit = shape[0] / 128
    rows, columns = np.linspace(-1, 1, shape[0])[:, None], np.linspace(-1, 1, shape[1])
    metal = np.full(shape, chance.uniform(70, 140))
    metal += chance.uniform(-12, 12) * rows - chance.uniform(0, 14) * rows**2
    drift = np.sin(columns * chance.uniform(0.5, 3) + chance.uniform(0, 2 * np.pi))
    metal += chance.uniform(5, 25) * drift
    for sigma, level in (((0.8, 60), 4.0), ((3, 200), 3.0), ((0.7, 3), 2.5)):
        metal += (
            chance.uniform(0.6, 1.2)
            * level
            * smooth_noise(shape, (sigma[0] * unit, sigma[1] * unit), chance)
        )
    smudges = smooth_noise(shape, (9 * unit, 22 * unit), chance)
    metal -= chance.uniform(3, 8) * np.maximum(smudges - 1, 0)
    return metal


def _dark_end(shape: tuple[int, int], chance: np.random.Generator) -> NDArray[Any]:
    """Share of darkness, (H, W) in 0..1: on some strips the camera sees past an end."""
    place = chance.uniform(0.05, 0.35) * shape[1]
    slant = chance.uniform(-0.15, 0.15)
    left, there = chance.random() < 0.5, chance.random() < _DARK_END
    if not there:
        return np.zeros(shape)
    rows, columns = np.arange(shape[0])[:, None], np.arange(shape[1])
    inside = place + slant * (rows - shape[0] / 2) - columns
    dark = fade(inside / (shape[0] / 128))
    return dark if left else dark[:, ::-1]
