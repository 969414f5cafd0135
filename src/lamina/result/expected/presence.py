"""Whether an image shows a class at all, and how far its promised score can be trusted.

Independent pixels would say that no image of a million pixels is empty, so that presence needs a
model of its own: a logistic curve of one fixed feature, the logit of the score that the best mask
promises. The feature is never searched: with few groups, each one more is luck.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lamina.result.expected.entries import Floats
from lamina.spec import Spec

_STEPS = 50
_LEAST = 1e-4  # a promised score is held this far from 0 and 1
_CAP = 1.2
_PRIOR = 5.0


class Presence(Spec):
    """The presence model of one class."""

    base: float
    """c0: the logit of the presence of an average image."""

    slope: float
    """c1: change of the logit per standard deviation of the feature."""

    mean: float
    """Mean of the feature over the images of the fit."""

    spread: float
    """Standard deviation of the feature over the images of the fit; above 0."""

    level: float
    """Score reached over score promised, where the class is present; at most 1.2."""

    def __call__(self, promised: Floats) -> Floats:
        """Return the probability that images show the class, for (N,) promised scores."""
        z = self.base + self.slope * (_feature(promised) - self.mean) / self.spread
        return np.asarray(0.5 * (1 + np.tanh(z / 2)), np.float64)


def fit_presence(promised: Floats, present: NDArray[np.bool_]) -> Presence:
    """Fit the curve by ridge logistic regression; ``level`` is 1 until ``with_level`` sets it.

    Minimises the log-loss over images plus c1^2 / 2; c0 is free and starts at the base rate.

    Args:
        promised: (N,) expected score of the best mask of each image, were the class present.
        present: (N,) whether it is.

    Raises:
        ValueError: no image, or all or none of them show the class.
    """
    if not present.any() or present.all():
        raise ValueError("a presence model needs images with the class and images without")
    feature, y = _feature(promised), present.astype(np.float64)
    mean, spread = float(feature.mean()), max(float(feature.std()), 1e-9)
    x = (feature - mean) / spread
    rate = float(y.mean())
    base, slope = float(np.log(rate / (1 - rate))), 0.0
    for _ in range(_STEPS):
        p = 0.5 * (1 + np.tanh((base + slope * x) / 2))
        bend = np.maximum(p * (1 - p), 1e-9)
        gradient = np.asarray([(p - y).sum(), ((p - y) * x).sum() + slope])
        cross = (bend * x).sum()
        hessian = np.asarray([[bend.sum(), cross], [cross, (bend * x**2).sum() + 1]])
        step = np.clip(np.linalg.solve(hessian, gradient), -2, 2)
        base, slope = base - float(step[0]), slope - float(step[1])
        if np.abs(step).max() < 1e-10:
            break
    return Presence(base=base, slope=slope, mean=mean, spread=spread, level=1.0)


def level_of(reached: Floats, promised: Floats) -> float:
    """Return how much of the promised score is reached, over the images that show the class.

    Both sums are shrunk towards a half by 5 images' worth; the ratio is at most 1.2, since a
    promise that was too low once may be too high next.
    """
    return float(min((reached.sum() + 0.5 * _PRIOR) / (promised.sum() + _PRIOR), _CAP))


def _feature(promised: Floats) -> Floats:
    p = np.clip(promised, _LEAST, 1 - _LEAST)
    return np.asarray(np.log(p) - np.log1p(-p), np.float64)
