"""The threshold with the highest expected score where the pixels of all images are pooled.

Source: Lipton, Elkan and Narayanaswamy, arXiv 1402.1892: the best threshold of F1 on calibrated
probabilities is half of the best F1.
"""

from __future__ import annotations

import numpy as np

from lamina.result.calibration import Calibration
from lamina.result.expected.column import Column
from lamina.result.expected.cut import Weights
from lamina.result.search.histogram import CODES, VALUES


def pooled_threshold(column: Column, calibration: Calibration, weights: Weights) -> float:
    """Return the stored probability above which pixels belong to the class.

    Args:
        column: One class; images with more pixels count for more, as in the score.
        calibration: From stored to calibrated probability.
        weights: Of the score.
    """
    counted, _ = column.per_code(np.ones(len(column)))
    hits = counted * calibration.table()
    taken, right = (np.cumsum(one[::-1])[::-1] for one in (counted, hits))
    wrong = weights.false_positive * (taken - right)
    missed = weights.false_negative * (right[0] - right)
    below = right + wrong + missed
    value = np.divide(right, below, out=np.zeros(CODES), where=below > 0)
    filled = np.flatnonzero(counted[1:] > 0) + 1  # code 0 lies above no threshold
    if not filled.size or value[filled].max() <= 0:
        return 1.0
    last = int(filled[value[filled].argmax()])
    lower = filled[filled < last]
    # any threshold between two values that occur takes the same pixels
    return float((VALUES[last] + VALUES[lower[-1] if lower.size else 0]) / 2)
