"""Every area for every pair of thresholds, where an area is asked of a whole image.

For one upper threshold an area keeps the images with the largest counts. With the images sorted
by count, every area is one prefix; the sum over a prefix is known for all lower thresholds at
once, since the next image adds one row to a row of sums. All triplets of L thresholds and N
images cost N * L * L additions and no look at a pixel.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from lamina.result.search.min_area import BETTER


@numba.njit(cache=True)
def scan_images(
    counts: NDArray[np.int64],
    gain: NDArray[np.float64],
    base: NDArray[np.float64],
    areas: NDArray[np.int64],
    way: int,
    rule: NDArray[np.float64],
    truth: float,
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Try all areas at all pairs of an upper and a lower threshold.

    Args:
        counts: (T, N) pixels of each image above each upper threshold.
        gain: (2, N, B) what keeping an image adds to the two sums of ``way``, at each lower one.
        base: (2,) the two sums where every image is empty.
        areas: (G,) ascending areas whose score is wanted as well.
        way: 0: value over a constant number of cases; 1: value over cases; 2: hits and predicted
            pixels of all images.
        rule: See ``scan.part``.
        truth: Pixels of the class in all images, for way 2.

    Returns:
        For each pair (T, B): the best score, and the least and the greatest area that reach it
        (-1: any area above the largest count, which empties all); and the scores (T, G, B).
    """
    many_tops, n = counts.shape
    many = gain.shape[2]
    best = np.empty((many_tops, many))
    least = np.full((many_tops, many), -1, np.int64)
    most = np.full((many_tops, many), -1, np.int64)
    score = np.empty((many_tops, areas.size, many))
    one, two, here = np.empty(many), np.empty(many), np.empty(many)
    for t in range(many_tops):
        order = np.argsort(-counts[t])
        one[:], two[:] = base[0], base[1]
        _judge(one, two, way, rule, truth, here)
        best[t] = here
        g = areas.size - 1
        while g >= 0 and (n == 0 or areas[g] > counts[t, order[0]]):
            score[t, g] = here
            g -= 1
        for j in range(n):
            i = order[j]
            one += gain[0, i]
            if way:
                two += gain[1, i]
            below = counts[t, order[j + 1]] if j + 1 < n else -1
            if below == counts[t, i]:
                continue  # equal counts stay or go together
            _judge(one, two, way, rule, truth, here)
            _keep_better(here, best[t], least[t], most[t], below + 1, counts[t, i])
            while g >= 0 and areas[g] > below:
                score[t, g] = here
                g -= 1
    return best, least, most, score


@numba.njit(cache=True)
def _keep_better(
    here: NDArray[np.float64],
    best: NDArray[np.float64],
    least: NDArray[np.int64],
    most: NDArray[np.int64],
    low: int,
    high: int,
) -> None:
    for q in range(here.size):
        better = here[q] > best[q] + BETTER
        best[q] = here[q] if better else best[q]
        least[q] = low if better else least[q]
        most[q] = high if better else most[q]


@numba.njit(cache=True)
def _judge(
    one: NDArray[np.float64],
    two: NDArray[np.float64],
    way: int,
    rule: NDArray[np.float64],
    truth: float,
    out: NDArray[np.float64],
) -> None:
    if way == 0:
        for q in range(out.size):
            out[q] = one[q] / two[q]
    elif way == 1:
        for q in range(out.size):
            out[q] = one[q] / two[q] if two[q] else 1.0
    else:
        for q in range(out.size):
            if one[q] > 0:
                wrong, missed = two[q] - one[q], truth - one[q]
                out[q] = one[q] / (one[q] + rule[0] * wrong + rule[1] * missed)
            elif two[q] == 0 and truth == 0:
                out[q] = rule[2] if rule[3] else 1.0
            else:
                out[q] = 0.0


@numba.njit(cache=True)
def add_up(
    counts: NDArray[np.int64],
    kept: NDArray[np.float64],
    emptied: NDArray[np.float64],
    areas: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return the sum over images of each triplet of a list, (T, G, B), added image by image.

    The order of the sum is that of the images, so that the result is that of the plain loop over
    triplets and images bit for bit.

    Args:
        counts: (T, N) pixels of each image above each upper threshold.
        kept: (N, B) what an image gives at each lower threshold.
        emptied: (N,) what it gives as an empty mask.
        areas: (G,) areas.
    """
    total = np.zeros((counts.shape[0], areas.size, kept.shape[1]))
    for i in range(counts.shape[1]):
        for t in range(counts.shape[0]):
            for g in range(areas.size):
                if counts[t, i] >= areas[g]:
                    total[t, g] += kept[i]
                else:
                    total[t, g] += emptied[i]
    return total
