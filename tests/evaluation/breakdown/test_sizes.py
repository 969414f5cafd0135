"""Objects by size, by hand, against scipy's labels, and laws."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy.ndimage import label

from lamina.evaluation.breakdown import SizeScore, SizeTallies
from lamina.task import Task

Masks = NDArray[np.bool_]
TASK = Task(kind="multilabel", names=("a", "b"))
TOUCHING = {2: np.ones((3, 3)), 3: np.ones((3, 3, 3))}


def slow(masks: list[Masks], targets: list[Masks]) -> list[SizeScore]:
    """Go through all objects of all cases one by one."""
    rows = []
    for k, name in enumerate(TASK.names or ()):
        for power in range(6):
            least, most = 10**power, 10 ** (power + 1) - 1
            mine = [(o, t) for m, t in zip(masks, targets, strict=True) for o in _of(m[k], t[k])]
            true = [(o, m) for m, t in zip(masks, targets, strict=True) for o in _of(t[k], m[k])]
            mine = [pair for pair in mine if least <= pair[0].sum() <= most]
            true = [pair for pair in true if least <= pair[0].sum() <= most]
            if not mine and not true:
                continue
            found = [(obj & other[k]).any() for obj, other in true]
            right = [(obj & other[k]).any() for obj, other in mine]
            pixels = sum(int(obj.sum()) for obj, _ in true)
            covered = sum(int((obj & other[k]).sum()) for obj, other in true)
            rows.append(
                SizeScore(
                    name,
                    least,
                    most,
                    len(true),
                    sum(found),
                    covered / pixels if pixels else None,
                    len(mine),
                    sum(right),
                )
            )
    return rows


def _of(mask: Masks, _: Masks) -> list[Masks]:
    labels, count = label(mask, TOUCHING[mask.ndim])
    return [labels == number for number in range(1, count + 1)]


@settings(max_examples=40)
@given(
    st.sampled_from([(2, 2, 2, 6, 9), (2, 1, 2, 3, 4, 5)]).flatmap(lambda s: arrays(np.bool_, s))
)
def test_sizes_agree_with_scipy(both: Masks) -> None:
    masks, targets = list(both[0]), list(both[1])
    tallies = SizeTallies(TASK)
    for mask, target in zip(masks, targets, strict=True):
        tallies.add(mask, target, None)
    assert list(tallies.summary()) == slow(masks, targets)


def test_small_objects_are_told_from_large_ones_by_hand() -> None:
    truth, mask = np.zeros((2, 2, 20, 20), np.bool_)
    truth[0, :5, :5] = True  # 25 pixels, 5 of them predicted
    mask[0, 0, :5] = True  # 5 pixels, right
    truth[0, 10, 10] = True  # missed
    mask[0, 15:18, 15:19] = True  # 12 pixels, wrong
    tallies = SizeTallies(TASK)
    (passed,) = tallies.passing([(mask, mask, truth, None)])
    assert passed[1] is mask
    assert tallies.summary() == (
        SizeScore("a", 1, 9, 1, 0, 0.0, 1, 1),
        SizeScore("a", 10, 99, 1, 1, 0.2, 1, 0),
    )


def test_background_and_pixels_that_do_not_count_have_no_objects() -> None:
    truth = np.zeros((2, 6, 6), np.bool_)
    truth[1, 2:4, 2:4] = True
    truth[0] = ~truth[1]
    valid = np.ones((6, 6), np.bool_)
    valid[:, 3:] = False
    tallies = SizeTallies(Task(kind="multiclass", names=("background", "a")))
    tallies.add(truth, truth, valid)
    assert tallies.summary() == (SizeScore("a", 1, 9, 1, 1, 1.0, 1, 1),)
    assert SizeTallies(TASK).summary() == ()
