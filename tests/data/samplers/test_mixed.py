"""Mixed batches with the published numbers, and their rules by hand."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lamina.data.case import Case
from lamina.data.network_input.sample import Draw
from lamina.data.samplers import Mixed, RandomCrop
from lamina.data.samplers.mixed import rounded, shares
from lamina.errors import RecipeError
from lamina.seeding import rng
from lamina.volume import ArrayVolume

IMAGE = ArrayVolume(np.zeros((1, 8, 8), np.uint8))


def sourced(train: int, pseudo: int) -> list[Case]:
    made = [Case(f"t{i}", f"t{i}", IMAGE) for i in range(train)]
    return made + [Case(f"p{i}", f"p{i}", IMAGE, facts={"source": "pseudo"}) for i in range(pseudo)]


def draw(sampler: Mixed, cases: list[Case], batch: int, epoch: int = 0) -> list[list[Draw]]:
    found = sampler.draws(
        cases, size=(4, 4), batch=batch, epoch=epoch, rng=rng(0, "main", epoch, "draws")
    )
    return [[found[i] for i in group] for group in sampler.groups(len(found), batch)]


@pytest.mark.parametrize(
    ("batch", "train", "pseudo", "passes"),
    [(16, 14, 2, 0.82), (18, 16, 2, 0.73), (32, 29, 3, 0.62), (36, 32, 4, 0.73)],
)
def test_the_published_mixes(batch: int, train: int, pseudo: int, passes: float) -> None:
    """STEEL-20."""
    labels = ["train"] * 10_054 + ["pseudo"] * 1801
    assert rounded(shares(labels, -0.15), batch) == {"pseudo": pseudo, "train": train}
    assert len(labels) // batch * pseudo / 1801 == pytest.approx(passes, abs=0.005)


def test_every_batch_of_an_epoch_has_the_same_mix_and_cases_come_in_turn() -> None:
    cases = sourced(40, 8)
    batches = draw(Mixed(alpha=0.5), cases, 10)
    assert len(batches) == 4  # 48 // 10
    # shares 0.25 + 0.5 * 40/48 and 0.25 + 0.5 * 8/48
    for one in batches:
        assert sum(d.case >= 40 for d in one) == 3
        assert len(one) == 10
    used = Counter(d.case for batch in batches for d in batch)
    pseudo = [used[k] for k in range(40, 48)]
    assert sorted(pseudo) == [1, 1, 1, 1, 2, 2, 2, 2]  # twelve from a list of eight
    assert max(used[k] for k in range(40)) == 1  # 28 from a list of forty
    assert [d.case >= 40 for d in batches[0]] != [d.case >= 40 for d in batches[1]]  # shuffled


def test_an_epoch_is_the_same_again_and_the_next_is_another() -> None:
    first, again, second = (draw(Mixed(), sourced(20, 5), 5, epoch) for epoch in (0, 0, 1))
    assert first == again
    assert first != second


@pytest.mark.parametrize(
    ("counts", "alpha", "batch", "expected"),
    [
        ((50, 50), 0.0, 5, {"0": 3, "1": 2}),  # 2.5 and 2.5 become 2, one is missing
        ((50, 50), 0.0, 7, {"0": 3, "1": 4}),  # 3.5 and 3.5 become 4, one too many
        ((60, 20, 20), 1.0, 10, {"0": 4, "1": 3, "2": 3}),
        ((90, 10), 0.0, 4, {"0": 4, "1": 0}),
        ((90, 10), 1.5, 10, {"0": 3, "1": 7}),  # beyond even: the rare one leads
    ],
)
def test_compositions_by_hand(
    counts: tuple[int, ...], alpha: float, batch: int, expected: dict[str, int]
) -> None:
    labels = [str(name) for name, count in enumerate(counts) for _ in range(count)]
    assert rounded(shares(labels, alpha), batch) == expected


@settings(max_examples=50)
@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=5),
    st.floats(-0.5, 1.5),
    st.integers(1, 40),
)
def test_shares_sum_to_one_and_compositions_to_the_batch(
    counts: list[int], alpha: float, batch: int
) -> None:
    labels = [str(name) for name, count in enumerate(counts) for _ in range(count)]
    assert sum(shares(labels, alpha).values()) == pytest.approx(1)
    assert sum(rounded(shares(labels, alpha), batch).values()) == batch


def test_random_draws_follow_the_shares() -> None:
    batches = draw(Mixed(how="random", alpha=0.8), sourced(900, 100), 20)
    found = [d.case for batch in batches for d in batch]
    assert len(found) == 1000
    assert sum(case >= 900 for case in found) == pytest.approx(1000 * 0.42, abs=60)
    assert max(Counter(found).values()) > 1


def defects(*classes: str) -> list[Case]:
    return [Case(str(i), str(i), IMAGE, facts={"classes": c}) for i, c in enumerate(classes)]


def test_by_rarest_a_case_belongs_to_its_rarest_class() -> None:
    """STEEL-21: counted over the cases; class 3 is rarer than class 2, and 2 than 0."""
    cases = defects("0,2", "0", "2,3", "", "0", "2", "", "0")
    found = Mixed(by="rarest", alpha=1.0)._labels(cases)
    assert found == ["2", "0", "3", "-1", "0", "2", "-1", "0"]
    used = Counter(d.case for d in draw(Mixed(by="rarest", alpha=1.0), cases, 4)[0])
    assert used[2] == 1  # one of each of the four classes
    assert used[3] + used[6] == 1


def test_where_no_fact_tells_the_classes_the_target_is_read() -> None:
    planes = np.zeros((3, 8, 8), np.uint8)
    planes[1, 0, 0] = 1
    cases = [
        Case("a", "a", IMAGE, ArrayVolume(planes)),
        Case("b", "b", IMAGE, ArrayVolume(np.zeros((3, 8, 8), np.uint8))),
        Case("c", "c", IMAGE, ArrayVolume(np.full((1, 8, 8), 2, np.uint8))),
    ]
    assert Mixed(by="rarest")._labels(cases) == ["1", "-1", "2"]


def test_less_than_nothing_is_refused_with_the_class_and_a_cure() -> None:
    with pytest.raises(RecipeError, match=r"5 of 200 training cases \('pseudo'\).*nearer to 0"):
        draw(Mixed(alpha=-0.9), sourced(195, 5), 40)
    with pytest.raises(RecipeError, match="nearer to 0"):
        draw(Mixed(alpha=-0.9, how="random"), sourced(195, 5), 40)


def test_a_single_class_and_fewer_cases_than_a_batch() -> None:
    (only,) = draw(Mixed(alpha=-0.15), sourced(3, 0), 8)
    assert Counter(Counter(d.case for d in only).values()) == {3: 2, 2: 1}


def test_other_samplers_cut_an_epoch_into_nearly_equal_batches() -> None:
    groups = RandomCrop().groups(17, 8)
    assert [len(group) for group in groups] == [6, 6, 5]
    assert [i for group in groups for i in group] == list(range(17))
    assert RandomCrop().groups(16, 8) == [list(range(8)), list(range(8, 16))]


@pytest.mark.parametrize(
    ("names", "share", "expected"),
    [
        ("tttttttp", {"pseudo": 0.25}, {"pseudo": 0.25, "train": 0.75}),
        ("tp", {"pseudo": 0.12}, {"pseudo": 0.12, "train": 0.88}),
        ("tttooop", {"pseudo": 0.5}, {"other": 0.25, "pseudo": 0.5, "train": 0.25}),
        ("ttt", {"pseudo": 0.5}, {"train": 1.0}),  # none of that name
        ("tp", {"pseudo": 0.2, "train": 0.2}, {"pseudo": 0.5, "train": 0.5}),
    ],
)
def test_shares_by_name_stand_in_place_of_alpha(
    names: str, share: dict[str, float], expected: dict[str, float]
) -> None:
    words = {"t": "train", "p": "pseudo", "o": "other"}
    found = Mixed(share=share).parts([words[name] for name in names])
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("share", [{"pseudo": 1.1}, {"pseudo": -0.1}, {"a": 0.6, "b": 0.6}, {}])
def test_shares_that_cannot_be_are_refused(share: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="shares must be"):
        Mixed(share=share)
