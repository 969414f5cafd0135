"""Every connected part at every threshold of a list, each with the part it becomes a piece of.

A part of p > a holds whole parts of p > b wherever b is above a. With the tree of all parts, how
many pixels of a part lie above any other threshold is a sum over its descendants, and no pixel
has to be looked at again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.result.search.components.tree import walk
from lamina.result.search.triplet.thresholds import Thresholds


@dataclass(frozen=True)
class Tree:
    """The parts of one class of one case, or of several, (n,) each.

    A part is there at the thresholds numbered ``low`` to ``high``. ``sums`` (n, 3) are all its
    pixels, the valid ones, and the valid ones of the class; ``parent`` is the number of the part
    that holds it below ``low`` (-1: none). ``owner`` is the number of its case.
    """

    high: NDArray[np.uint16]
    low: NDArray[np.uint16]
    sums: NDArray[np.uint32]
    parent: NDArray[np.int64]
    owner: NDArray[np.int64]


def find_tree(
    prob: NDArray[Any],
    target: NDArray[np.bool_],
    rungs: Thresholds,
    valid: NDArray[np.bool_] | None = None,
) -> Tree:
    """Return the parts of one class of one case; neighbours touch at a corner (8, or 26).

    Args:
        prob: (*S) probabilities in 0..1, as ``Thresholds.steps`` takes them.
        target: (*S) True where the class is.
        rungs: The thresholds.
        valid: (*S) True where a pixel counts; None: all.

    Raises:
        ValueError: shapes differ, or a probability is not in 0..1.
    """
    if prob.shape != target.shape or (valid is not None and valid.shape != prob.shape):
        raise ValueError(f"prob {prob.shape}, target {target.shape} and valid must be equal")
    counts = np.ones(prob.shape, np.bool_) if valid is None else valid
    # a rim all round, so that no neighbour is outside
    level = np.pad(rungs.steps(prob), 1)
    kind = np.pad(counts.astype(np.uint8) * (1 + target.astype(np.uint8)), 1)
    steps = np.array(level.strides) // level.itemsize
    around = [np.dot(move, steps) for move in product((-1, 0, 1), repeat=prob.ndim) if any(move)]
    flat = level.ravel().astype(np.int16)
    shown = np.flatnonzero(flat)
    order = shown[np.argsort(flat[shown], kind="stable")[::-1]]
    found = walk(flat, kind.ravel(), order, np.array(around, np.int64), 0)
    return Tree(
        high=found[:, 0].astype(np.uint16),
        low=found[:, 1].astype(np.uint16),
        sums=found[:, 2:5].astype(np.uint32),
        parent=found[:, 5],
        owner=np.zeros(len(found), np.int64),
    )


def join_trees(trees: Sequence[Tree]) -> Tree:
    """Return the trees of cases 0, 1, 2 ... as one."""
    first = np.cumsum([0, *(tree.high.size for tree in trees)])
    return Tree(
        high=np.concatenate([one.high for one in trees]),
        low=np.concatenate([one.low for one in trees]),
        sums=np.concatenate([one.sums for one in trees]),
        parent=np.concatenate(
            [
                np.where(one.parent < 0, -1, one.parent + at)
                for one, at in zip(trees, first[:-1], strict=True)
            ]
        ),
        owner=np.repeat(np.arange(len(trees)), np.diff(first)),
    )
