"""HD95 and NSD by hand, against brute force over all pairs (and MONAI), and their laws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion

from lamina.errors import RecipeError
from lamina.model.metrics import DiceScore, Hd95, Nsd
from lamina.task import Task

Masks = NDArray[np.bool_]
pairs = arrays(np.bool_, st.sampled_from([(2, 2, 6, 7), (2, 1, 4, 5, 6)]))


def brute(mask: Masks, other: Masks, spacing: list[float]) -> tuple[NDArray[np.float64], ...]:
    """Return the directed distances between surfaces, from all pairs of surface pixels."""
    ends = [np.argwhere(one & ~binary_erosion(one)) * spacing for one in (mask, other)]
    apart = np.linalg.norm(ends[0][:, None] - ends[1][None], axis=-1)
    return apart.min(axis=1), apart.min(axis=0)


@settings(max_examples=40)
@given(pairs, st.sampled_from([None, [2.0, 0.5, 1.0]]))
def test_hd95_and_nsd_agree_with_all_pairs(both: Masks, steps: list[float] | None) -> None:
    answer, truth = both
    spacing = None if steps is None else tuple(steps[: truth.ndim - 1])
    hd95 = Hd95(spacing=spacing).tally(answer, truth)
    nsd = Nsd(spacing=spacing, tolerance=1.5).tally(answer, truth)
    rows = [*zip(answer, truth, strict=True), (answer.any(axis=0), truth.any(axis=0))]
    for row, (mine, true) in enumerate(rows):
        if not mine.any() or not true.any():
            continue
        there, back = brute(mine, true, list(spacing or (1.0,) * mine.ndim))
        wanted = max(np.percentile(there, 95), np.percentile(back, 95))
        assert hd95[row, 0] == pytest.approx(wanted)
        near = (there <= 1.5 + 1e-9).sum() + (back <= 1.5 + 1e-9).sum()
        assert nsd[row].tolist() == [near, len(there) + len(back)]


def test_hd95_and_nsd_agree_with_monai() -> None:
    """MONAI comes with the extra ``bench``."""
    metrics = pytest.importorskip("monai.metrics")
    import torch

    draw = np.random.default_rng(0)
    for shape in ((1, 1, 30, 40), (1, 1, 12, 14, 16)):
        answer, truth = (draw.random((2, *shape)) < 0.2) | (np.indices(shape)[3] > 7)[None]
        pair = [torch.from_numpy(one.astype(np.float32)) for one in (answer, truth)]
        theirs = metrics.compute_hausdorff_distance(*pair, include_background=True, percentile=95)
        mine = Hd95().tally(answer[0], truth[0])
        assert mine[0, 0] == pytest.approx(float(theirs), rel=1e-5)
        theirs = metrics.compute_surface_dice(*pair, [1.0], include_background=True)
        metric = Nsd(tolerance=1.0)
        assert metric.score([metric.tally(answer[0], truth[0])]).value == pytest.approx(
            float(theirs), rel=1e-5
        )


def square(at: int, *, side: int = 4) -> Masks:
    mask = np.zeros((1, 12, 16), np.bool_)
    mask[0, 2 : 2 + side, at : at + side] = True
    return mask


def test_a_square_moved_by_three_columns_by_hand() -> None:
    """The left edge is 3 off, as is the right one; most other surface pixels are nearer."""
    tally = Hd95().tally(square(3), square(6))
    assert tally[0, 0] == tally[1, 0] == 3.0
    near = Nsd(tolerance=0).tally(square(3), square(6))
    assert near[0].tolist() == [8, 24]  # column 6, an edge of both masks
    assert Nsd(tolerance=3).tally(square(3), square(6))[0].tolist() == [24, 24]


def test_nothing_against_nothing_and_against_something() -> None:
    nothing, some = np.zeros((1, 12, 16), np.bool_), square(3)
    diagonal = (11**2 + 15**2) ** 0.5
    hd95, nsd = Hd95(), Nsd()
    for answer, truth in ((nothing, some), (some, nothing)):
        assert hd95.score([hd95.tally(answer, truth)]).value == pytest.approx(diagonal)
        assert nsd.score([nsd.tally(answer, truth)]).value == 0
    empty = [hd95.tally(nothing, nothing), hd95.tally(square(3), square(6))]
    assert hd95.score(empty).value == 1.5
    assert Hd95(empty="skip").score(empty).value == 3.0
    assert nsd.score([nsd.tally(nothing, nothing)]).value == 1
    spaced = Hd95(spacing=(2.0, 1.0))
    assert spaced.score([spaced.tally(nothing, some)]).value == pytest.approx(
        (22**2 + 15**2) ** 0.5
    )


def test_classes_and_their_union_have_values_of_their_own() -> None:
    answer = np.concatenate([square(3), square(9)])
    truth = np.concatenate([square(4), square(9)])
    found = Hd95().score([Hd95().tally(answer, truth)])
    assert found.classes == (1.0, 0.0)
    assert found.value == 0.5
    merged = Hd95(over="image", ignore_first=True)
    assert merged.score([merged.tally(answer, truth)]).value == 0.0
    assert merged.score([merged.tally(answer, truth)]).classes == (None, 0.0)


def test_pixels_that_do_not_count_are_in_neither_mask() -> None:
    valid = np.ones((12, 16), np.bool_)
    valid[:, 8:] = False
    far = square(3) | square(10)
    assert Hd95().tally(far, square(3), valid)[0, 0] == 0
    assert Nsd().tally(far, square(3), valid)[0].tolist() == [24, 24]


def test_tune_searches_for_dice_and_says_why() -> None:
    for metric in (Hd95(), Nsd()):
        aim = metric.aim(2)
        assert aim.instead == "the search counts pixels one by one and measures no distances"
        assert (aim.over, aim.label) == ("case", DiceScore().aim(2).label)
    assert Hd95(over="image").aim(2).over == "case_foreground"
    assert not Hd95().higher_is_better
    assert Nsd().higher_is_better


def test_the_background_of_exclusive_classes_is_left_out() -> None:
    task = Task(kind="multiclass", names=("background", "a"))
    assert Hd95().suited(task).first == Nsd().suited(task).first == 1
    assert Hd95(ignore_first=False).suited(task).first == 0


def test_titles_say_scope_unit_and_rules() -> None:
    assert Hd95().title == (
        "95 % Hausdorff distance in pixels per image and class; empty against empty = 0, "
        "one empty = the image's diagonal"
    )
    assert Nsd(tolerance=2, over="image").title == (
        "Normalized surface distance within 2 pixels per image, any class; empty against empty = 1"
    )


def test_spacing_of_another_number_of_axes_is_refused() -> None:
    with pytest.raises(RecipeError, match="is of 3 axes, the masks have 2"):
        Hd95(spacing=(1.0, 1.0, 1.0)).tally(square(3), square(3))
    with pytest.raises(ValueError, match=r"spacing\.0"):
        Nsd(spacing=(0.0, 1.0))
    with pytest.raises(ValueError, match="at least one tally"):
        Hd95().score([])
