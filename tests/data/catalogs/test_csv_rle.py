"""The steel competition's layout in both generations, and every way to get it wrong."""

from __future__ import annotations

import unicodedata
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lamina.data.catalogs import CsvRle, Listing
from lamina.data.catalogs.csv_rle import Second
from lamina.data.splits import Folds, check_groups, warnings_of
from lamina.errors import DataError, RecipeError
from lamina.rle.codec import encode
from lamina.task import Task
from lamina.volume import read_all

MULTILABEL, BINARY = Task(kind="multilabel"), Task(kind="binary")
FIRST = np.array([[1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1]], bool)
THIRD = np.array([[0, 1, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]], bool)
CODES = {"first": encode(FIRST, "severstal"), "third": encode(THIRD, "severstal")}

NEW = "ImageId,ClassId,EncodedPixels\nb.png,1,{first}\nb.png,3,{third}\nc.png,3,{third}\n"
SWAPPED = "ImageId,EncodedPixels,ClassId\nb.png,{first},1\nb.png,{third},3\nc.png,{third},3\n"
OLD = (
    "ImageId_ClassId,EncodedPixels\n"
    "a.png_1,\na.png_2,\na.png_3,\n"
    "b.png_1,{first}\nb.png_2,\nb.png_3,{third}\n"
    "c.png_1,\nc.png_2,\nc.png_3,{third}\n"
)


def data(root: Path, table: str, names: str = "abc", folder: str = "train_images") -> Path:
    (root / folder).mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        pixels = np.full((3, 4), number, np.uint8)
        Image.fromarray(pixels).save(root / folder / f"{name}.png")
    (root / "train.csv").write_text(table.format(**CODES))
    return root


def masks(listing: Listing) -> dict[str, list[list[list[int]]]]:
    found = {}
    for case in listing.cases:
        assert case.target is not None
        found[case.id] = read_all(case.target).tolist()
    return found


@pytest.mark.parametrize(
    "table", [NEW, SWAPPED, OLD, "\ufeff" + NEW, NEW.replace(",", ";"), OLD.replace("\n", "\r\n")]
)
def test_every_generation_gives_the_same_masks_and_images_without_a_row_stay(
    tmp_path: Path, table: str
) -> None:
    listing = CsvRle().open(data(tmp_path, table), MULTILABEL)
    none = np.zeros((3, 4), int).tolist()
    first, third = FIRST.astype(int).tolist(), THIRD.astype(int).tolist()
    assert listing.names == ("class_1", "class_2", "class_3")  # a gap in the numbers is kept
    assert masks(listing) == {
        "a.png": [none, none, none],
        "b.png": [first, none, third],
        "c.png": [none, none, third],
    }
    assert [case.facts["classes"] for case in listing.cases] == ["", "0,2", "2"]
    assert [case.facts["area_0"] for case in listing.cases] == [0, 3, 0]
    assert [read_all(case.image).max() for case in listing.cases] == [0, 1, 2]


def test_a_binary_task_sees_any_defect(tmp_path: Path) -> None:
    listing = CsvRle().open(data(tmp_path, NEW), BINARY)
    assert listing.names == ("defect",)
    assert masks(listing)["b.png"] == [(FIRST | THIRD).astype(int).tolist()]
    assert dict(listing.cases[1].facts) == {"area_0": 4, "classes": "0"}


def test_the_recipe_may_name_more_classes_than_the_table_holds_but_not_fewer(
    tmp_path: Path,
) -> None:
    data(tmp_path, NEW)
    listing = CsvRle().open(tmp_path, Task(kind="multilabel", names=tuple("wxyz")))
    assert listing.names == ("w", "x", "y", "z")
    assert {case.target.channels for case in listing.cases if case.target} == {4}
    with pytest.raises(RecipeError, match="lists 2 classes"):
        CsvRle().open(tmp_path, Task(kind="multilabel", names=("w", "x")))


def test_without_any_row_the_classes_must_be_named(tmp_path: Path) -> None:
    data(tmp_path, "ImageId,ClassId,EncodedPixels\n")
    with pytest.raises(DataError, match=r"set task\.names"):
        CsvRle().open(tmp_path, MULTILABEL)
    listing = CsvRle().open(tmp_path, Task(kind="multilabel", names=("w", "x")))
    assert len(listing.cases) == 3


@pytest.mark.parametrize("kind", ["multiclass", "restore"])
def test_other_tasks_are_refused(tmp_path: Path, kind: str) -> None:
    with pytest.raises(RecipeError, match=r"set task\.kind to multilabel"):
        CsvRle().open(tmp_path, Task.model_validate({"kind": kind}))


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("x.png,1,1 1\nb.png,1,\ny.png,2,1 1", ["2 rows", "line 2: 'x.png'", "line 4: 'y.png'"]),
        ("d,1,1 1", ["line 2: 'd'", "called such as 'a.png'"]),
        ("b.png,1,1 1\nb.png,2,\nb.png,1,", ["line 4: 'b.png' class 1, first on line 2"]),
        ("b.png,0,1 1\nb.png,x,\nc.png,999,", ["line 2", "line 3", "class '999'", "1 to 256"]),
        ("b.png,1,1 1 2", ["line 2 (b.png): "]),
        ("b.png,1,\nb.png,2,12 2", ["line 3 (b.png): "]),
        ("b.png,1,1 1;c.png", ["line 2 (b.png): "]),
        ("b.png,1,-2\nc.png,1,nan", ["2 images cannot be used", "line 2 (b.png)", "line 3 (c"]),
        ('b.png,"1,1 1', ["line 2", "quote"]),
    ],
)
def test_rows_that_cannot_be_used_are_refused_with_their_lines(
    tmp_path: Path, rows: str, words: list[str]
) -> None:
    data(tmp_path, "ImageId,ClassId,EncodedPixels\n")
    (tmp_path / "train.csv").write_text(f"ImageId,ClassId,EncodedPixels\n{rows}\n")
    with pytest.raises(DataError) as caught:
        CsvRle().open(tmp_path, MULTILABEL)
    for word in [str(tmp_path / "train.csv"), *words]:
        assert word in str(caught.value)


def test_ten_problems_are_shown_and_the_others_counted(tmp_path: Path) -> None:
    rows = "".join(f"x{i}.png,1,1 1\n" for i in range(25))
    data(tmp_path, f"ImageId,ClassId,EncodedPixels\n{rows}")
    with pytest.raises(DataError) as caught:
        CsvRle().open(tmp_path, MULTILABEL)
    assert str(caught.value).splitlines()[-2:] == ["  line 11: 'x9.png'", "  ... and 15 more"]


@pytest.mark.parametrize("header", ["ImageId,EncodedPixels", "ClassId,EncodedPixels", "a,b"])
def test_missing_columns_are_named(tmp_path: Path, header: str) -> None:
    data(tmp_path, f"{header}\n")
    with pytest.raises(DataError, match=r"line 1: has the columns .* needed are ImageId"):
        CsvRle().open(tmp_path, MULTILABEL)


def test_the_image_folder_is_found_or_named(tmp_path: Path) -> None:
    data(tmp_path, NEW, folder="images")
    assert len(CsvRle().open(tmp_path, MULTILABEL).cases) == 3
    data(tmp_path, NEW, folder="train")
    with pytest.raises(DataError, match=r"has images and train .* data\.images"):
        CsvRle().open(tmp_path, MULTILABEL)
    assert len(CsvRle(images="train").open(tmp_path, MULTILABEL).cases) == 3
    with pytest.raises(DataError, match="no such folder of images"):
        CsvRle(images="pictures").open(tmp_path, MULTILABEL)
    with pytest.raises(DataError, match="leaves the folder"):
        CsvRle(images="../other").open(tmp_path, MULTILABEL)


def test_a_missing_table_and_an_empty_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    with pytest.raises(DataError, match="no image in it"):
        CsvRle().open(tmp_path, MULTILABEL)
    data(tmp_path, NEW, folder="train")
    with pytest.raises(DataError, match=r"other\.csv: no such table.*train\.csv"):
        CsvRle(table="other.csv").open(tmp_path, MULTILABEL)


def test_names_match_however_unicode_spells_them(tmp_path: Path) -> None:
    name = "prüfung é 1"
    data(tmp_path, "", [unicodedata.normalize("NFD", name)])  # type: ignore[arg-type]
    spelt = unicodedata.normalize("NFC", f"{name}.png")
    (tmp_path / "train.csv").write_text(f"ImageId,ClassId,EncodedPixels\n{spelt},1,1 1\n")
    (case,) = CsvRle().open(tmp_path, MULTILABEL).cases
    assert (case.id, case.facts["classes"]) == (spelt, "0")


def test_images_that_cannot_be_opened_are_listed_together(tmp_path: Path) -> None:
    data(tmp_path, NEW)
    for name in "ab":
        (tmp_path / "train_images" / f"{name}.png").write_bytes(b"no image")
    with pytest.raises(DataError) as caught:
        CsvRle().open(tmp_path, MULTILABEL)
    for word in ("2 images cannot be used", "a.png", "b.png"):
        assert word in str(caught.value)


@pytest.mark.data
def test_the_magnetic_tiles_are_what_their_readme_says(shared_data: Path) -> None:
    root = shared_data / "magnetic-tile-defects"
    listing = CsvRle().open(root, MULTILABEL)
    assert len(listing.cases) == 313
    classes = Counter(str(case.facts["classes"]) for case in listing.cases)
    assert classes == {"": 153, "0": 42, "1": 38, "2": 24, "3": 14, "4": 42}
    pixels, area = 0, np.zeros(5)
    for case in listing.cases:
        assert case.target is not None
        found = read_all(case.target)
        area += found.sum((1, 2))
        pixels += found[0].size
        assert found.sum((1, 2)).tolist() == [case.facts[f"area_{k}"] for k in range(5)]
    assert (100 * area / pixels).round(3).tolist() == [0.019, 0.731, 0.041, 0.896, 4.482]


@pytest.mark.data
@pytest.mark.parametrize("stratify", ["none", "classes", "count"])
def test_groups_of_the_magnetic_tiles_stay_together_and_folds_are_level(
    shared_data: Path, stratify: str
) -> None:
    root = shared_data / "magnetic-tile-defects"
    split = Folds.model_validate({"groups": "groups.csv", "stratify": stratify})
    cases, folds = split.assign(CsvRle().open(root, MULTILABEL).cases, root)
    assert len({case.group for case in cases}) == 87
    check_groups(cases, folds)
    assert warnings_of(cases, folds) == []
    sizes = Counter(folds)
    assert set(sizes) == set(range(5))
    assert max(sizes.values()) - min(sizes.values()) <= 6
    if stratify == "count":
        clean = Counter(f for c, f in zip(cases, folds, strict=True) if not c.facts["classes"])
        assert max(clean.values()) - min(clean.values()) <= 1


SIIM = "ImageId, EncodedPixels\na, -1\nb, {first}\nb, {second}\nc,{first}\n"


def siim(root: Path, table: str, names: str = "abcd", folder: str = "train") -> Path:
    for number, name in enumerate(names):
        place = root / folder / f"study{number % 2}" / f"series{number}"
        place.mkdir(parents=True)
        Image.fromarray(np.full((3, 4), number, np.uint8)).save(place / f"{name}.png")
    codes = {"first": encode(FIRST, "siim"), "second": encode(THIRD, "siim")}
    (root / f"{folder}.csv").write_text(table.format(**codes))
    return root


@pytest.mark.parametrize("table", [SIIM, SIIM.replace(", ", ",")])
def test_nested_images_leading_blanks_and_several_rows_that_unite(
    tmp_path: Path, table: str
) -> None:
    """SIIM-1, SIIM-2."""
    listing = CsvRle(dialect="siim").open(siim(tmp_path, table), BINARY)
    none = np.zeros((3, 4), int).tolist()
    assert masks(listing) == {
        "a": [none],
        "b": [(FIRST | THIRD).astype(int).tolist()],  # where both are, it is 1, not 2
        "c": [FIRST.astype(int).tolist()],
        "d": [none],  # has no row
    }
    assert [case.facts["classes"] for case in listing.cases] == ["", "0", "0", ""]


def test_images_of_the_second_stage_are_always_trained_on(tmp_path: Path) -> None:
    """SIIM-5."""
    siim(tmp_path, SIIM)
    siim(tmp_path, "ImageId,EncodedPixels\nx,-1\ny,{first}\n", "xy", "later")
    catalog = CsvRle(
        dialect="siim", images="train", second=Second(images="later", table="later.csv")
    )
    listing = catalog.open(tmp_path, BINARY)
    assert [case.part for case in listing.cases] == ["main"] * 4 + ["stage_2"] * 2
    cases, folds = Folds(count=2).assign(listing.cases, tmp_path)
    assert sorted(folds[:4]) == [0, 0, 1, 1]
    assert folds[4:] == [-1, -1]
    assert [case.id for case in cases] == list("abcdxy")


def test_an_image_of_both_parts_is_refused(tmp_path: Path) -> None:
    siim(tmp_path, SIIM)
    siim(tmp_path, "ImageId,EncodedPixels\n", "d", "later")
    catalog = CsvRle(
        dialect="siim", images="train", second=Second(images="later", table="later.csv")
    )
    with pytest.raises(DataError, match="1 images are in both parts"):
        catalog.open(tmp_path, BINARY)


def test_siim_tables_without_their_columns_or_with_lost_images_are_refused(tmp_path: Path) -> None:
    root = siim(tmp_path, "ImageId,Mask\na,-1\n")
    with pytest.raises(DataError, match="needed are ImageId, EncodedPixels"):
        CsvRle(dialect="siim").open(root, BINARY)
    (root / "train.csv").write_text("ImageId,EncodedPixels\nz.png,-1\n")
    with pytest.raises(DataError, match=r"those there are called such as 'a'"):
        CsvRle(dialect="siim").open(root, BINARY)


def test_READ_24_rows_may_name_images_with_or_without_their_suffix(tmp_path: Path) -> None:
    bare = NEW.replace(".png", "")
    assert masks(CsvRle().open(data(tmp_path / "a", bare), MULTILABEL)) == masks(
        CsvRle().open(data(tmp_path / "b", NEW), MULTILABEL)
    )
    root = siim(tmp_path / "c", "ImageId,EncodedPixels\na.dcm,-1\nb.png,0 1\n")
    areas = {c.id: c.facts["area_0"] for c in CsvRle(dialect="siim").open(root, BINARY).cases}
    assert (areas["a"], areas["b"]) == (0, 1)


@pytest.mark.parametrize(
    ("table", "remedies"),
    [
        ("ImageId,ClassId,EncodedPixels\na.png,1,-1\nb.png,1,1 1\n", 2),
        ("ImageId_ClassId,EncodedPixels\na.png_1,-1\nb.png_1,1 1\n", 1),
    ],
)
def test_WORK_20_minus_one_is_no_code_here_and_both_remedies_work(
    tmp_path: Path, table: str, remedies: int
) -> None:
    root = data(tmp_path, table)
    with pytest.raises(DataError, match=r"1 codes are -1; leave the cell empty") as caught:
        CsvRle().open(root, MULTILABEL)
    assert "line 2: 'a.png'" in str(caught.value)
    assert ("data.dialect: siim" in str(caught.value)) == (remedies == 2)
    if remedies == 2:
        listing = CsvRle(dialect="siim").open(root, BINARY)
        assert listing.cases[0].facts["area_0"] == 0
    (root / "train.csv").write_text(table.replace("-1", ""))
    assert CsvRle().open(root, MULTILABEL).cases[0].facts["area_0"] == 0
