"""Simulated out-of-fold maps with known truth: images in groups, group shifts, look-alikes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lamina.result.search.histogram import Counts, count

PIXELS = 2500


@dataclass(frozen=True)
class World:
    """How images and the maps of a network come about; logits of one class per pixel."""

    prevalence: float = 0.12
    """Share of images that show the class."""

    signal: float = 1.0
    """How far objects stand out; 0: maps say nothing about the truth."""

    shift: float = 0.6
    """Standard deviation of the logit shift that images of a group have in common."""

    lookalikes: float = 0.35
    """Share of images with a region that resembles the class."""

    def draw(
        self, groups: int, each: int, rng: np.random.Generator
    ) -> tuple[list[Counts], NDArray[np.int64]]:
        """Return the histograms of ``groups * each`` images, and their groups."""
        counts = []
        for _ in range(groups):
            moved = rng.normal(0, self.shift)
            counts += [self._image(moved, rng) for _ in range(each)]
        return counts, np.repeat(np.arange(groups), each)

    def _image(self, moved: float, rng: np.random.Generator) -> Counts:
        logit = rng.normal(-4.5, 1.0, PIXELS) + moved
        truth = np.zeros(PIXELS, bool)
        if rng.random() < self.prevalence:
            truth[: int(np.exp(rng.uniform(np.log(40), np.log(600))))] = True
            seen = truth if self.signal else np.roll(truth, int(rng.integers(PIXELS)))
            strength = rng.normal(1.8, 1.0)
            logit[seen] += 4.5 + strength
        if rng.random() < self.lookalikes or not self.signal:
            size = int(np.exp(rng.uniform(np.log(20), np.log(250))))
            at = PIXELS - size
            logit[at:] += rng.normal(4.0, 1.0)
        if not self.signal:
            rng.shuffle(logit)
        prob = 1 / (1 + np.exp(-logit))
        return count(prob.astype(np.float16), truth)
