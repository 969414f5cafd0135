"""Who may label for which fold: by hand, and against the rule itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lamina.bundle import Bundle, KnownCase, Part, join
from lamina.pseudo_labels.eligible_members import labelled, makers, seen_by
from lamina.recipe.recipe import MeanOf


def case(sha256: str, fold: int, labels: Any = "given") -> KnownCase:
    return KnownCase(sha256=(sha256,), fold=fold, labels=labels)


def test_a_run_of_its_own_folds(make: Any) -> None:
    bundle = make.bundle({"a": case("aa", 0), "b": case("bb", 1), "always": case("cc", -1)})
    sets = makers([bundle])
    assert sets == {"all": ((0, 0), (0, 1)), "fold0": ((0, 0),), "fold1": ((0, 1),)}
    seen = {one.id: one.sets for one in seen_by([bundle], sets)}
    assert seen == {
        "a": ("all", "fold1"),
        "b": ("all", "fold0"),
        "always": ("all", "fold0", "fold1"),
    }


def test_members_with_other_folds_help_where_they_never_saw_what_is_held_out(make: Any) -> None:
    one = make.bundle({"a": case("aa", 0), "b": case("bb", 0), "c": case("cc", 1)})
    other = make.bundle({"a": case("aa", 0), "b": case("bb", 1), "x": case("cc", 0)})
    joined = join([Part("one", one, 1.0), Part("other", other, 1.0)], MeanOf())
    for bundles, number in (
        ([one, other], lambda m: (m // 2, m % 2)),
        ([joined], lambda m: (0, m)),
    ):
        sets = makers(bundles)
        assert sets["fold0"] == (number(0),)  # the other's fold 0 saw b, its fold 1 saw a
        assert sets["fold1"] == (number(1), number(2))  # c is x there, held out in fold 0
        assert len(sets["all"]) == 4


def test_a_stranger_helps_with_every_fold(make: Any) -> None:
    one, other = make.bundle({"a": case("aa", 0), "b": case("bb", 1)}), make.bundle()
    sets = makers([one, other])
    assert sets["fold0"] == ((0, 0), (1, 0), (1, 1))


def test_a_fold_without_a_clean_member_has_no_labels(make: Any) -> None:
    sets = makers([make.bundle({"a": case("aa", 0), "third": case("cc", 2)})])
    assert set(sets) == {"all", "fold0"}


@pytest.mark.parametrize("labels", ["pseudo", "behind"])
def test_what_stands_behind_made_labels_counts_as_seen(make: Any, labels: str) -> None:
    one = make.bundle({"a": case("aa", 0), "b": case("bb", 1)})
    other = make.bundle({"a": case("aa", -1, labels)})
    assert makers([one, other])["fold0"] == ((0, 0),)
    assert labelled([one, other]) == {"aa": "a", "bb": "b"}
    assert labelled([other]) == {}


@pytest.fixture(scope="module")
def blank(make: Any) -> Bundle:
    return make.bundle()  # type: ignore[no-any-return]


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_no_maker_of_a_fold_saw_what_the_fold_holds_out(blank: Bundle, data: st.DataObject) -> None:
    folds = st.dictionaries(st.sampled_from("abcdef"), st.integers(-1, 1), min_size=1)
    known = [data.draw(folds) for _ in range(2)]
    bundles = []
    for one in known:
        cases = {id: case(id, fold) for id, fold in one.items()}
        bundles.append(replace(blank, index=blank.index.model_copy(update={"cases": cases})))
    for name, pairs in makers(bundles).items():
        if name == "all":
            continue
        held_out = {id for id, fold in known[0].items() if fold == int(name[4:])}
        assert held_out
        for number, member in pairs:
            trained = {id for id, fold in known[number].items() if fold != member}
            assert not held_out & trained
