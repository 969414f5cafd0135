"""Folds: complete, level, grouped, and the same again."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lamina import seeding
from lamina.data.case import Case
from lamina.data.splits import Folds, check_groups, write_folds
from lamina.errors import DataError, LeakError, OptionError
from lamina.volume import ArrayVolume

IMAGE = ArrayVolume(np.zeros((1, 2, 2), np.uint8))
HERE = Path()


def case(name: str, group: str | None = None, classes: str | None = None) -> Case:
    facts = {} if classes is None else {"classes": classes}
    return Case(name, group or name, IMAGE, facts=facts)


def spread(numbers: Counter[int], count: int) -> int:
    held = [numbers[fold] for fold in range(count)]
    return max(held) - min(held)


class_sets = st.sampled_from(["", "0", "1", "2", "0,1", "1,2", "0,1,2"])


@settings(max_examples=40, deadline=None)
@given(
    st.lists(class_sets, min_size=5, max_size=60),
    st.integers(2, 5),
    st.sampled_from(["none", "classes", "count"]),
)
def test_sizes_in_all_and_of_each_stratum_differ_by_one_at_most(
    sets: list[str], count: int, stratify: str
) -> None:
    cases = [case(f"{i}", classes=classes) for i, classes in enumerate(sets)]
    split = Folds.model_validate({"count": count, "stratify": stratify})
    same, folds = split.assign(cases, HERE)
    assert same == cases
    assert spread(Counter(folds), count) <= 1
    strata: dict[str, Counter[int]] = defaultdict(Counter)
    for classes, fold in zip(sets, folds, strict=True):
        number = str(len(classes.split(","))) if classes else ""
        strata[{"none": "", "classes": classes, "count": number}[stratify]][fold] += 1
    for numbers in strata.values():
        assert spread(numbers, count) <= 1


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=30, max_size=80), st.integers(2, 4))
def test_a_group_stays_in_one_fold_and_every_fold_holds_something(
    groups: list[int], count: int
) -> None:
    cases = [case(f"{i}", f"{group}") for i, group in enumerate(groups)]
    if len(set(groups)) < count:
        return
    _, folds = Folds(count=count).assign(cases, HERE)
    check_groups(cases, folds)
    assert set(folds) == set(range(count))
    largest = max(Counter(groups).values())
    assert spread(Counter(folds), count) <= largest


def test_the_seed_decides_and_nothing_else() -> None:
    cases = [case(f"{i}") for i in range(50)]
    first = Folds(seed=1).assign(cases, HERE)[1]
    assert Folds(seed=1).assign(cases, HERE)[1] == first
    assert Folds(seed=2).assign(cases, HERE)[1] != first


def test_too_few_groups_name_the_largest_possible_count() -> None:
    """L14."""
    cases = [case(f"{i}", f"{i % 3}") for i in range(20)]
    with pytest.raises(DataError, match=r"only 3 groups; set split\.count to 3 at most"):
        Folds(count=5).assign(cases, HERE)


def test_groups_come_from_a_table(tmp_path: Path) -> None:
    (tmp_path / "groups.csv").write_text("Group;ImageId\nx;a\nx;b\ny;c\ny;d\nz;elsewhere\n")
    cases, folds = Folds(count=2, groups="groups.csv").assign([case(n) for n in "abcd"], tmp_path)
    assert [c.group for c in cases] == ["x", "x", "y", "y"]
    assert folds[0] == folds[1] != folds[2] == folds[3]


@pytest.mark.parametrize(
    "names",
    [
        ["p1/a", "p1/b", "p2/a", "c"],
        ["p1/a.png", "p1/b.png", "p2/a.dcm", "c.PNG"],
        ["p1/a", "b.png", "p2/a.nii.gz", "images/c.tif"],  # there is one b
        ["p1/a", "P\\p1\\b.PNG", "p2/a", "./c"],
    ],
)
def test_READ_24_rows_name_cases_by_id_or_by_file_name(tmp_path: Path, names: list[str]) -> None:
    rows = "".join(f"{name},{group}\n" for name, group in zip(names, "xxyz", strict=True))
    (tmp_path / "groups.csv").write_text(f"ImageId,Group\n{rows}")
    listed = [case("p1/a"), case("p1/b"), case("p2/a"), case("c")]
    cases, folds = Folds(count=2, groups="groups.csv").assign(listed, tmp_path)
    assert [one.group for one in cases] == ["x", "x", "y", "z"]
    table = "".join(f"{name},{fold}\n" for name, fold in zip(names, folds, strict=True))
    (tmp_path / "folds.csv").write_text(f"case,fold\n{table}")
    assert Folds(count=2, path="folds.csv").assign(listed, tmp_path)[1] == folds


@pytest.mark.parametrize(
    "header", ["filename,patient_id", "image,subject", "File,Group", "path,PatientID"]
)
def test_READ_24_columns_have_the_names_that_people_give_them(tmp_path: Path, header: str) -> None:
    (tmp_path / "groups.csv").write_text(f"{header}\nimages/a.png,x\nimages/b.png,y\n")
    cases, _ = Folds(count=2, groups="groups.csv").assign([case("a"), case("b")], tmp_path)
    assert [one.group for one in cases] == ["x", "y"]


def test_READ_24_ids_with_a_suffix_are_found_without_it_and_dots_are_no_suffix(
    tmp_path: Path,
) -> None:
    (tmp_path / "groups.csv").write_text("ImageId,Group\ncxr_001,x\n1.2.840,y\n")
    cases, _ = Folds(count=2, groups="groups.csv").assign(
        [case("cxr_001.png"), case("1.2.840")], tmp_path
    )
    assert [one.group for one in cases] == ["x", "y"]


@pytest.mark.parametrize("rows", ["a,x\nc,y\n", "p1/b,x\np2/b,y\n", "A1,x\nA2,y\n"])
def test_READ_24_a_name_that_may_be_two_cases_is_none_and_both_names_are_shown(
    tmp_path: Path, rows: str
) -> None:
    (tmp_path / "groups.csv").write_text(f"ImageId,Group\n{rows}")
    listed = [case("p1/a"), case("p2/a")]
    with pytest.raises(DataError) as caught:
        Folds(count=2, groups="groups.csv").assign(listed, tmp_path)
    said = str(caught.value)
    assert "2 cases have no group" in said
    assert f"called 'p1/a', 'p2/a', rows '{rows.split(',')[0]}'" in said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ImageId,Group\na,x\n", ["1 cases have no group", "\n  b"]),
        ("ImageId,Group\na,x\nb,\n", ["1 cases have no group", "\n  b"]),
        ("ImageId,Group\na,x\nb,x\na,y\n", ["two groups", "line 4: 'a' in 'y', before in 'x'"]),
        ("ImageId,Tile\na,x\n", ["line 1", "ImageId, Tile", "Group"]),
    ],
)
def test_broken_groups_are_refused(tmp_path: Path, text: str, words: list[str]) -> None:
    (tmp_path / "groups.csv").write_text(text)
    with pytest.raises(DataError) as caught:
        Folds(count=2, groups="groups.csv").assign([case("a"), case("b")], tmp_path)
    for word in words:
        assert word in str(caught.value)


def test_given_folds_are_taken_as_they_are(tmp_path: Path) -> None:
    cases = [case(name) for name in "abcd"]
    write_folds(tmp_path / "folds.csv", cases, [1, 0, -1, 1])
    split = Folds(count=2, path="folds.csv")
    assert split.assign(cases[::-1], tmp_path)[1] == [1, -1, 0, 1]
    with pytest.raises(DataError, match="1 cases have no fold"):
        split.assign([*cases, case("e")], tmp_path)
    write_folds(tmp_path / "folds.csv", cases, [1, 0, -1, 2])
    with pytest.raises(DataError, match=r"fold 2, but split\.count is 2"):
        split.assign(cases, tmp_path)


def test_given_folds_that_leak_are_refused(tmp_path: Path) -> None:
    """L12."""
    cases = [case("a", "x"), case("b", "x"), case("c", "y")]
    write_folds(tmp_path / "folds.csv", cases, [0, 1, 1])
    with pytest.raises(LeakError, match="group x"):
        Folds(count=2, path="folds.csv").assign(cases, tmp_path)


def test_strata_need_known_classes() -> None:
    with pytest.raises(DataError, match=r"case a.*set split\.stratify to none"):
        Folds(count=2, stratify="count").assign([case("a"), case("b")], HERE)


def test_work_11_a_count_of_one_holds_nothing_out() -> None:
    cases = [case(name) for name in "abc"]
    assert Folds(count=1).assign(cases, HERE) == (cases, [-1, -1, -1])


def test_work_12_images_of_one_group_are_told_of_sections_that_fit_the_shortest() -> None:
    """The longest axis of the first case is cut, and the range ends with the shortest one."""
    images = [ArrayVolume(np.zeros((1, 8, length), np.uint8)) for length in (40, 21)]
    cases = [Case(f"{n}", "one", image) for n, image in enumerate(images)]
    with pytest.raises(DataError, match="2 cases form only 1 group") as caught:
        Folds(count=2).assign(cases, HERE)
    option = "axis: x, train: [[0, 15]], validate: [[15, 21]]"
    assert option in str(caught.value)


def test_a_part_of_the_id_is_the_group() -> None:
    cases = [case(name) for name in ("p1_s0", "p1_s1", "p2_s0", "p2_s1", "odd")]
    optional, _ = Folds(count=2, group_by="(p[0-9]+)?").assign(cases, HERE)
    assert [one.group for one in optional] == ["p1", "p1", "p2", "p2", "odd"]
    grouped, folds = Folds(count=2, group_by="(p[0-9]+)_s").assign(cases, HERE)
    assert [one.group for one in grouped] == ["p1", "p1", "p2", "p2", "odd"]
    assert folds[0] == folds[1]
    assert folds[2] == folds[3]
    with pytest.raises(OptionError, match="0 parts in brackets"):
        Folds(group_by="p[0-9]+")
    with pytest.raises(OptionError, match="no regular expression"):
        Folds(group_by="(p[0-9]+")
    with pytest.raises(OptionError, match="leave one out"):
        Folds(group_by="(p)", groups="t.csv")


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.integers(0, 9), max_size=4), max_size=4))
def test_cases_that_belong_together_are_one_group(pairs: list[list[int]]) -> None:
    """Against the transitive closure by brute force."""
    cases = [case(str(k)) for k in range(10)]
    together = tuple(tuple(map(str, one)) for one in pairs)
    grouped, _ = Folds(count=1, together=together).assign(cases, HERE)
    near = np.eye(10, dtype=bool)
    for one in pairs:
        near[np.ix_(one, one)] = True
    for _ in range(10):
        near = near @ near
    groups = np.array([one.group for one in grouped])
    np.testing.assert_array_equal(groups[:, None] == groups[None], near)


def test_ids_that_belong_together_must_be_there() -> None:
    with pytest.raises(DataError, match="cases that are not there"):
        Folds(count=1, together=(("a", "z"),)).assign([case("a")], HERE)


@pytest.mark.parametrize("stratify", ["none", "classes"])
@pytest.mark.parametrize("count", [2, 5])
def test_groups_are_dealt_as_the_formula_says(count: int, stratify: str) -> None:
    """Folds of data that were split before stay what they were, bit by bit."""
    rng = np.random.default_rng(count)
    for many in (*range(count, 60, 7), 640):
        cases = [
            case(f"{i}", f"g{rng.integers(max(many // 2, count))}", ("", "0", "1", "0,1")[i % 4])
            for i in range(many)
        ]
        members = defaultdict(list)
        for index, one in enumerate(cases):
            members[one.group].append(index)
        if len(members) < count:
            continue
        strata = [str(one.facts["classes"]) if stratify == "classes" else "" for one in cases]
        wanted = [0] * many
        dealt = slow_deal(list(members.values()), strata, count)
        for indices, fold in zip(members.values(), dealt, strict=True):
            for index in indices:
                wanted[index] = fold
        split = Folds.model_validate({"count": count, "stratify": stratify})
        assert split.assign(cases, HERE)[1] == wanted


def slow_deal(groups: list[list[int]], strata: list[str], count: int) -> list[int]:
    """Deal groups one after another, as the docstring of ``Folds.assign`` says."""
    column = {stratum: 1 + i for i, stratum in enumerate(sorted(set(strata)))}
    loads = np.zeros((len(groups), 1 + len(column)))
    for load, indices in zip(loads, groups, strict=True):
        load[0] = len(indices)
        for stratum, number in Counter(strata[i] for i in indices).items():
            load[column[stratum]] = number
    shares = loads / loads.sum(0)
    shuffled = seeding.rng(0, "folds").permutation(len(loads))
    rarest = shares[:, 1:].max(1)
    held, folds = np.zeros((count, loads.shape[1])), np.full(len(loads), -1)
    for _ in range(10):
        before = folds.copy()
        for group in shuffled[np.lexsort((-loads[shuffled, 0], -rarest[shuffled]))]:
            if folds[group] >= 0:
                held[folds[group]] -= shares[group]
            folds[group] = (held @ shares[group]).round(12).argmin()
            held[folds[group]] += shares[group]
        if (folds == before).all():
            break
    return folds.tolist()
