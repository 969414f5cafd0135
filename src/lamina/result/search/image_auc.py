"""Whether a whole case shows a class, judged by its highest probability."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def auc(scores: ArrayLike, present: ArrayLike) -> float | None:
    """Return the area under the ROC curve: the chance that a case with ranks above one without.

    Args:
        scores: (N,) one number per case, such as its highest probability; equal scores count
            one half.
        present: (N,) whether the case shows the class.

    Returns:
        A number in 0..1; None where all cases, or none, show the class.
    """
    score, with_class = np.asarray(scores, np.float64), np.asarray(present, np.bool_)
    positive = int(np.count_nonzero(with_class))
    negative = with_class.size - positive
    if not positive or not negative:
        return None
    _, place, many = np.unique(score, return_inverse=True, return_counts=True)
    rank = np.cumsum(many) - (many - 1) / 2  # mean rank of equal scores, counted from 1
    above = rank[place][with_class].sum() - positive * (positive + 1) / 2
    return float(above / (positive * negative))
