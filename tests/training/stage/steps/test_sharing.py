"""Every sample of every step is computed once, in order; what cannot be shared has a cure."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from lamina.errors import RecipeError
from lamina.training.stage.steps.sharing import (
    is_split,
    refuse_sharing,
    refuse_split,
    shares,
    words,
)
from tests.factories.discs import quick


@given(
    sizes=st.lists(st.integers(1, 5), min_size=1, max_size=12),
    accumulate=st.integers(1, 6),
    ranks=st.integers(1, 4),
    done=st.integers(0, 5),
)
def test_ranks_have_all_samples_of_every_step_once_and_in_order(
    sizes: list[int], accumulate: int, ranks: int, done: int
) -> None:
    groups, first = [], 0
    for size in sizes:
        groups.append(list(range(first, first + size)))
        first += size
    begin = min(done * accumulate, len(groups))
    each = [
        shares(groups, accumulate, begin=begin, rank=rank, ranks=ranks) for rank in range(ranks)
    ]
    for steps in zip(*each, strict=True):
        at, count = steps[0].first, steps[0].batches
        wanted = groups[at : at + count]
        found = [numbers for step in steps for _, numbers in step.own]
        assert [n for numbers in found for n in numbers] == [n for group in wanted for n in group]
        assert all(step.samples == sum(map(len, wanted)) for step in steps)
        if accumulate > 1 or ranks == 1:  # whole batches under their own numbers
            assert [number for step in steps for number, _ in step.own] == [*range(at, at + count)]
    starts = [step.first for step in each[0]]
    assert starts == list(range(begin, len(groups), accumulate))


@pytest.mark.parametrize(
    ("changes", "ranks", "why"),
    [
        (("train.accumulate=2",), 3, "accumulate is 2, and there are 3"),
        (("train.mix=[{kind: mixup}]",), 2, "samples of a batch are mixed"),
        (("loss=[{kind: bce}, {kind: lovasz, over: batch}]",), 2, "loss lovasz is of a whole"),
    ],
)
def test_the_cure_of_a_refusal_works(
    tmp_path: Path, changes: tuple[str, ...], ranks: int, why: str
) -> None:
    recipe = quick(tmp_path, *changes)
    with pytest.raises(RecipeError, match=f"cannot be shared by {ranks} processes: {why}") as error:
        refuse_sharing(recipe.stages[0], recipe.loss, ranks)
    cure = re.findall(r"-s (\S+=\d+)", str(error.value))
    assert len(cure) == 2
    cured = quick(tmp_path, *changes, *cure)
    refuse_sharing(cured.stages[0], cured.loss, ranks)
    assert not is_split(cured.stages[0], ranks)
    assert "are shared by" in words(cured.stages[0], ranks)


def test_batches_that_are_too_small_or_normed_are_not_split(tmp_path: Path) -> None:
    stage = quick(tmp_path).stages[0]
    plain, normed = nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1)
    refuse_split(stage, plain, [[0, 1, 2], [3, 4]], 2, "cpu")
    refuse_split(stage, normed, [[0, 1, 2, 3]], 2, "cuda")
    refuse_split(stage, normed, [[0]], 1, "cpu")  # nothing is split
    with pytest.raises(RecipeError, match="a batch has 1 samples, too few for 2 parts; set"):
        refuse_split(stage, plain, [[0, 1, 2], [3]], 2, "cpu")
    with pytest.raises(RecipeError, match=r"3 samples, too few for 2 parts of at least 2 \(batch"):
        refuse_split(stage, normed, [[0, 1, 2]], 2, "cuda")
    with pytest.raises(RecipeError, match="batch norm, which is of a whole batch"):
        refuse_split(stage, normed, [[0, 1, 2, 3]], 2, "cpu")


def test_the_first_line_says_which_case_it_is(tmp_path: Path) -> None:
    stage = quick(tmp_path).stages[0]
    assert words(stage, 2) == "stage main: each batch of 4 is split among 2 processes"
