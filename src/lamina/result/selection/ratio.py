"""A score as a mean of ratios of sums, with its standard error over groups.

Every metric of overlap is one: the mean over cases is sum(values) / number of cases, a pooled one
sum(hits) / sum(hits and weighted misses), each the mean over classes. Pixels and images of one
group are alike, so that the error comes from groups (delete-free linearisation; Cochran 1977, 6).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Parts:
    """What each case adds to a score: (N, K) numerators and denominators of K classes."""

    above: Floats
    below: Floats
    nothing: float = 1.0
    """Score of a class of which nothing counts; NaN: it is left out, and 0 where all are."""

    def score(self) -> float:
        """Return the mean over classes of sum(above) / sum(below)."""
        ratios = self._ratios()
        defined = ratios[~np.isnan(ratios)]
        return float(defined.mean()) if defined.size else 0.0

    def influence(self, groups: Ints) -> Floats:
        """Return the (G,) linear effect of each group on ``score``; they sum to 0."""
        place = places(groups)
        below = self.below.sum(axis=0)
        ratios = self._ratios()
        many = max(int(np.count_nonzero(~np.isnan(ratios))), 1)
        rest = self.above - np.nan_to_num(ratios) * self.below
        share = np.divide(rest, below, out=np.zeros_like(rest), where=below > 0).sum(axis=1) / many
        return np.bincount(place, share).astype(np.float64)

    def _ratios(self) -> Floats:
        above, below = self.above.sum(axis=0), self.below.sum(axis=0)
        ratios = np.full(above.shape, self.nothing)
        np.divide(above, below, out=ratios, where=below > 0)
        return ratios


def places(groups: Ints) -> Ints:
    """Return the number of each case's group, (N,), groups numbered as they first appear.

    What follows does not depend on what groups are called.
    """
    _, first, place = np.unique(groups, return_index=True, return_inverse=True)
    rank = np.empty(first.size, np.int64)
    rank[np.argsort(first)] = np.arange(first.size)
    return rank[place]


def standard_error(influence: Floats) -> float:
    """Return the standard error over groups of a score with these influences, (G,)."""
    many = influence.size
    return float(np.sqrt(many / (many - 1) * (influence**2).sum())) if many > 1 else float("inf")


_T95 = (
    6.314, 2.920, 2.353, 2.132, 2.015, 1.943, 1.895, 1.860, 1.833, 1.812, 1.796, 1.782, 1.771,
    1.761, 1.753, 1.746, 1.740, 1.734, 1.729, 1.725, 1.721, 1.717, 1.714, 1.711, 1.708, 1.706,
    1.703, 1.701, 1.699, 1.697,
)  # fmt: skip


def student_95(freedom: int) -> float:
    """Return the 0.95 quantile of Student's t, to 0.005; infinite without a degree of freedom.

    A table up to 30 degrees of freedom, then z + (z^3 + z) / (4 f) with z = 1.645
    (Fisher's expansion).
    """
    if freedom < 1:
        return float("inf")
    if freedom <= len(_T95):
        return _T95[freedom - 1]
    z = 1.6448536
    return z + (z**3 + z) / (4 * freedom)
