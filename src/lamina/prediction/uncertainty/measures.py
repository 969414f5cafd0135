"""Measures of uncertainty of probabilities, pixel by pixel and by image.

Entropy is the whole uncertainty of a pixel; mutual information is the part of it that comes from
members (or views) that answer differently: H(mean p) - mean H(p) (Houlsby et al. 2011,
arXiv 1112.5745). Pairwise Dice between the masks of members says of a whole image whether it can
be trusted (Zenk et al. 2025).

Letters: K outputs; C channels of a map, K or, where classes exclude each other, 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def entropy(prob: NDArray[Any], *, exclusive: bool) -> Floats:
    """Return the entropy of each pixel in bits.

    Args:
        prob: (K, *S) probabilities.
        exclusive: One distribution over the classes; else one of yes and no for each class.

    Returns:
        (C, *S) float32, from 0 to 1, or to log2(K) where ``exclusive``.

    Example:
        >>> entropy(np.array([[0.5, 0.0, 1.0]]), exclusive=False).tolist()
        [[1.0, 0.0, 0.0]]
    """
    p = np.asarray(prob, np.float32)
    if exclusive:
        return np.asarray(_bits(p).sum(axis=0, keepdims=True), np.float32)
    return np.asarray(_bits(p) + _bits(1 - p), np.float32)


def disagreement(
    probs: Sequence[NDArray[Any]], weights: Sequence[float], *, exclusive: bool
) -> Floats:
    """Return the mutual information of each pixel in bits, (C, *S) float32, at least 0.

    Args:
        probs: (K, *S) of each member or view, at least one.
        weights: One each; only their ratios count.
        exclusive: As for ``entropy``.
    """
    whole = sum(weights)
    mean: Any = np.float32(0)
    inside: Any = np.float32(0)
    for prob, weight in zip(probs, weights, strict=True):
        p = np.asarray(prob, np.float32)
        mean = mean + p * np.float32(weight / whole)
        inside = inside + entropy(p, exclusive=exclusive) * np.float32(weight / whole)
    whole_entropy = entropy(np.asarray(mean), exclusive=exclusive)
    return np.asarray(np.maximum(whole_entropy - inside, 0), np.float32)


class Agreement:
    """Mean pairwise Dice between the masks of members, class by class, gathered in parts."""

    def __init__(self) -> None:
        """Begin without pixels."""
        self._hits: Any = 0
        self._sizes: Any = 0

    def add(self, masks: Sequence[NDArray[np.bool_]]) -> None:
        """Count a part: (K, *S) masks of each of at least two members."""
        flat = [mask.reshape(len(mask), -1) for mask in masks]
        self._sizes = self._sizes + np.asarray([one.sum(axis=1) for one in flat])
        pairs = combinations(flat, 2)
        self._hits = self._hits + np.asarray([(a & b).sum(axis=1) for a, b in pairs])

    def value(self) -> list[float]:
        """Return the mean over pairs of each class; two empty masks agree fully."""
        ends = list(combinations(range(len(self._sizes)), 2))
        total = np.asarray([self._sizes[a] + self._sizes[b] for a, b in ends], np.float64)
        dice = np.divide(2.0 * self._hits, total, out=np.ones(total.shape), where=total > 0)
        return [float(one) for one in dice.mean(axis=0)]


def _bits(p: Floats) -> Floats:
    found: Floats = np.zeros(p.shape, np.float32)
    np.log2(p, out=found, where=p > 0)
    return np.asarray(np.abs(p * found), np.float32)
