"""Images and masks of equal stems, and what is refused."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from lamina.data.catalogs import Folder
from lamina.data.splits import Folds, check_groups
from lamina.errors import DataError, RecipeError
from lamina.task import Task
from lamina.volume import read_all

BINARY, MULTICLASS = Task(), Task(kind="multiclass")
RAMP = np.arange(12, dtype=np.uint8).reshape(3, 4)


def put(path: Path, pixels: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(pixels, np.uint8)).save(path)


def data(root: Path, **masks: Any) -> Path:
    """Write an image for every mask."""
    for name, mask in masks.items():
        put(root / "images" / f"{name}.jpg", RAMP)
        put(root / "masks" / f"{name}.png", mask)
    return root


def mask(*values: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return a (3, 4) mask that begins with these values and goes on with the last."""
    flat = np.full(12, values[-1], np.uint8)
    flat[: len(values)] = values
    return flat.reshape(3, 4)


def test_a_binary_folder_by_hand(tmp_path: Path) -> None:
    data(tmp_path, b=mask(1, 1, 0), a=mask(0))
    listing = Folder().open(tmp_path, BINARY)
    assert listing.names == ("foreground",)
    assert [case.id for case in listing.cases] == ["a", "b"]
    assert [dict(case.facts) for case in listing.cases] == [
        {"area_0": 0, "classes": ""},
        {"area_0": 2, "classes": "0"},
    ]
    target = listing.cases[1].target
    assert target is not None
    assert read_all(target).tolist() == [mask(1, 1, 0).tolist()]
    assert [Path(file).name for file in listing.cases[1].files] == ["b.jpg"]  # not the mask


def test_folders_within_become_part_of_the_id_and_hidden_files_are_passed_over(
    tmp_path: Path,
) -> None:
    data(tmp_path, a=mask(0))
    for kind in ("images", "masks"):
        put(tmp_path / kind / "deep" / "er" / "a.v2.png", mask(0))
        put(tmp_path / kind / ".thumbs" / "a.png", mask(0))
        (tmp_path / kind / "notes.txt").write_text("nothing")
    put(tmp_path / "images" / "._a.png", mask(0))
    cases = Folder().open(tmp_path, BINARY).cases
    assert [case.id for case in cases] == ["a", "deep/er/a.v2"]


def test_labels_map_values_and_the_ignored_value_does_not_count(tmp_path: Path) -> None:
    data(tmp_path, a=mask(255, 255, 9, 0))
    (case,) = Folder(labels={0: 0, 255: 1}, ignore=9).open(tmp_path, BINARY).cases
    assert case.target is not None
    assert case.valid is not None
    assert read_all(case.target).tolist() == [mask(1, 1, 0).tolist()]
    assert read_all(case.valid).tolist() == [mask(1, 1, 0, 1).tolist()]
    assert case.facts["area_0"] == 2


def test_classes_of_multiclass_are_counted_over_all_masks(tmp_path: Path) -> None:
    data(tmp_path, a=mask(1, 0), b=mask(2, 2, 0))
    listing = Folder().open(tmp_path, MULTICLASS)
    assert listing.names == ("class_0", "class_1", "class_2")
    assert [case.facts["classes"] for case in listing.cases] == ["1", "2"]
    assert dict(listing.cases[1].facts) == {
        "classes": "2",
        "area_0": 0,  # the background tells nothing
        "area_1": 0,
        "area_2": 2,
    }


def test_labels_or_names_say_the_classes_that_the_masks_do_not_show(tmp_path: Path) -> None:
    data(tmp_path, a=mask(50, 0))
    labels = {0: 0, 50: 1, 100: 2}
    assert len(Folder(labels=labels).open(tmp_path, MULTICLASS).names) == 3
    data(tmp_path, a=mask(2, 0))
    named = Task(kind="multiclass", names=("none", "x", "y", "z"))
    listing = Folder().open(tmp_path, named)
    assert listing.names == named.names
    assert listing.cases[0].facts["classes"] == "2"


def test_a_gap_in_the_classes_is_refused_with_values_and_files(tmp_path: Path) -> None:
    data(tmp_path, a=mask(0), b=mask(255, 0), c=mask(255, 128))
    with pytest.raises(DataError) as caught:
        Folder().open(tmp_path, MULTICLASS)
    for word in ("{0: 0, 128: 1, 255: 2}", "task.names", "255: 2 pixels, first in", "b.png"):
        assert word in str(caught.value)


def test_multilabel_ids_become_channels(tmp_path: Path) -> None:
    data(tmp_path, a=mask(1, 2, 2, 0))
    listing = Folder().open(tmp_path, Task(kind="multilabel"))
    (case,) = listing.cases
    assert listing.names == ("class_1", "class_2")
    assert case.target is not None
    found = read_all(case.target)
    assert found[:, 0].tolist() == [[1, 0, 0, 0], [0, 1, 1, 0]]
    assert dict(case.facts) == {"area_0": 1, "area_1": 2, "classes": "0,1"}


def test_a_stack_of_masks_is_multilabel_that_may_overlap(tmp_path: Path) -> None:
    put(tmp_path / "images" / "a.png", RAMP)
    (tmp_path / "masks").mkdir()
    stack = np.stack([mask(1, 1, 0), mask(0, 1, 1, 0), mask(0)])
    tifffile.imwrite(tmp_path / "masks" / "a.tif", stack, photometric="minisblack")
    listing = Folder().open(tmp_path, Task(kind="multilabel"))
    (case,) = listing.cases
    assert listing.names == ("class_1", "class_2", "class_3")
    assert case.target is not None
    np.testing.assert_array_equal(read_all(case.target), stack)
    assert case.facts["classes"] == "0,1"


def test_values_that_are_no_class_are_told_for_all_files_at_once(tmp_path: Path) -> None:
    data(tmp_path, **{f"m{i:02d}": mask(255, 0) for i in range(12)}, fine=mask(1, 0))
    with pytest.raises(DataError) as caught:
        Folder().open(tmp_path, BINARY)
    text = str(caught.value)
    assert text.startswith("12 of 13 pairs of image and target cannot be used")
    for word in ("m00.png", "m09.png", "255: 1", "... and 2 more"):
        assert word in text
    assert "m10.png" not in text


def test_a_missing_mask_is_refused_or_empty_as_the_recipe_says(tmp_path: Path) -> None:
    """L06."""
    data(tmp_path, a=mask(1, 0))
    put(tmp_path / "images" / "b.png", RAMP)
    with pytest.raises(DataError, match=r"1 of 2 masks are missing(.|\n)*b\.png: no mask"):
        Folder().open(tmp_path, BINARY)
    listing = Folder(missing="empty").open(tmp_path, BINARY)
    target = listing.cases[1].target
    assert target is not None
    assert read_all(target).tolist() == [mask(0).tolist()]
    assert listing.cases[1].facts["classes"] == ""
    listing = Folder(missing="skip").open(tmp_path, BINARY)
    assert [case.id for case in listing.cases] == ["a"]


def test_without_any_mask_classes_must_be_named(tmp_path: Path) -> None:
    put(tmp_path / "images" / "a.png", RAMP)
    put(tmp_path / "masks" / "a.png", mask(0))
    with pytest.raises(DataError, match="do not count 0, 1, 2"):
        Folder().open(tmp_path, MULTICLASS)


def test_a_mask_without_an_image_is_refused(tmp_path: Path) -> None:
    """L06."""
    data(tmp_path, a=mask(0))
    put(tmp_path / "masks" / "b.png", mask(0))
    with pytest.raises(DataError, match=r"1 masks have no image(.|\n)*b\.png"):
        Folder(missing="empty").open(tmp_path, BINARY)


def test_two_files_of_one_stem_are_refused_with_both_paths(tmp_path: Path) -> None:
    """I22."""
    data(tmp_path, a=mask(0))
    put(tmp_path / "images" / "a.png", RAMP)
    with pytest.raises(DataError, match=r"images/a\.jpg and .*images/a\.png"):
        Folder().open(tmp_path, BINARY)


def test_two_spellings_of_one_name_are_one_stem(tmp_path: Path) -> None:
    """I22, I21."""
    for form in ("NFC", "NFD"):
        put(tmp_path / "images" / (unicodedata.normalize(form, "é") + ".png"), RAMP)
    put(tmp_path / "masks" / "é.png", mask(0))
    with pytest.raises(DataError, match="1 names are ambiguous"):
        Folder().open(tmp_path, BINARY)


def test_shapes_that_differ_are_told_with_both_files(tmp_path: Path) -> None:
    """L05."""
    data(tmp_path, a=mask(0))
    put(tmp_path / "masks" / "a.png", np.zeros((4, 3)))
    with pytest.raises(DataError) as caught:
        Folder().open(tmp_path, BINARY)
    for word in ("(3, 4)", "(4, 3)", "a.jpg", "a.png"):
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("missing", "option"), [("images", "data.images"), ("masks", "data.masks")]
)
def test_a_missing_or_empty_folder_names_its_option(
    tmp_path: Path, missing: str, option: str
) -> None:
    other = {"images": "masks", "masks": "images"}[missing]
    put(tmp_path / other / "a.png", mask(0))
    with pytest.raises(DataError, match=option):
        Folder().open(tmp_path, BINARY)
    (tmp_path / missing).mkdir()
    with pytest.raises(DataError, match="no image in it"):
        Folder().open(tmp_path, BINARY)


def test_restore_reads_values_and_needs_every_one(tmp_path: Path) -> None:
    data(tmp_path, a=RAMP + 100)
    task = Task(kind="restore")
    listing = Folder().open(tmp_path, task)
    assert listing.names == ("value",)
    target = listing.cases[0].target
    assert target is not None
    np.testing.assert_array_equal(read_all(target)[0], RAMP + 100)
    assert listing.cases[0].facts == {}
    with pytest.raises(RecipeError, match=r"data\.missing is 'empty'"):
        Folder(missing="empty").open(tmp_path, task)
    put(tmp_path / "images" / "b.png", RAMP)
    put(tmp_path / "masks" / "b.png", np.stack([RAMP] * 3, 2) + np.arange(3))
    with pytest.raises(DataError, match="other targets have not"):
        Folder().open(tmp_path, task)


def test_READ_28_image_and_mask_have_a_stem_in_common(tmp_path: Path) -> None:
    for name in ("a", "b_1"):
        put(tmp_path / f"{name}_im.tif", RAMP)
        put(tmp_path / f"{name}_mask.png", mask(1, 0))
    put(tmp_path / "readme.png", RAMP)
    catalog = Folder(images="{id}_im.tif", masks="{id}_mask.png")
    cases = catalog.open(tmp_path, BINARY).cases
    assert [case.id for case in cases] == ["a", "b_1"]
    assert [case.facts["area_0"] for case in cases] == [1, 1]
    assert [input_.id for input_ in catalog.inputs(tmp_path)] == ["a", "b_1"]
    assert [one.id for one in catalog.inputs(tmp_path / "b_1_im.tif")] == ["b_1"]
    assert [
        (one.path.name, "fits none" in one.reason) for one in catalog.passed_over(tmp_path)
    ] == [("readme.png", True)]


def test_READ_28_a_mask_beside_its_image_is_no_image(tmp_path: Path) -> None:
    for name in ("a", "b"):
        put(tmp_path / f"{name}.png", RAMP)
        put(tmp_path / f"{name}_mask.png", mask(1, 0))
    catalog = Folder(images="{id}.png", masks="{id}_mask.png")
    assert [case.id for case in catalog.open(tmp_path, BINARY).cases] == ["a", "b"]
    assert [input_.id for input_ in catalog.inputs(tmp_path)] == ["a", "b"]


@pytest.mark.parametrize(
    ("image", "target"),
    [
        ("a.ome.tif", "a.tif"),
        ("a.ome.tif", "a.png"),
        ("a.jpg", "a.jpg.tif"),  # as lamina names masks that it predicts
        ("a.jpg", "a.png"),
        ("a.tif", "a.ome.tiff"),
        ("p1/a.png", "p1/a.png.png"),
    ],
)
def test_READ_28_compound_suffixes_do_not_part_image_and_mask(
    tmp_path: Path, image: str, target: str
) -> None:
    put(tmp_path / "images" / image, RAMP)
    put(tmp_path / "masks" / target, mask(1, 0))
    (case,) = Folder().open(tmp_path, BINARY).cases
    assert case.facts["area_0"] == 1


def test_READ_28_two_images_of_one_bare_name_share_no_mask(tmp_path: Path) -> None:
    put(tmp_path / "images" / "a.ome.tif", RAMP)
    put(tmp_path / "images" / "a.jpg.png", RAMP)
    put(tmp_path / "masks" / "a.png", mask(1, 0))
    with pytest.raises(DataError, match="2 of 2 masks are missing"):
        Folder().open(tmp_path, BINARY)


def classes_of(tmp_path: Path) -> Path:
    for name in ("a", "b"):
        put(tmp_path / "images" / f"{name}.png", RAMP)
    put(tmp_path / "masks" / "road" / "a.png", mask(255, 255, 0))
    put(tmp_path / "masks" / "car" / "a.png", mask(0, 255, 255, 255, 0))
    put(tmp_path / "masks" / "road" / "b.png", mask(0))
    return tmp_path


def test_READ_30_a_mask_for_each_class_is_a_multilabel_target(tmp_path: Path) -> None:
    root = classes_of(tmp_path)
    task = Task(kind="multilabel")
    catalog = Folder(masks="masks/{class}/{id}.png", labels="binary", missing="empty")
    listing = catalog.open(root, task)
    assert listing.names == ("car", "road")
    car, road = mask(0, 1, 1, 1, 0).tolist(), mask(1, 1, 0).tolist()
    assert listing.cases[0].target is not None
    assert read_all(listing.cases[0].target).tolist() == [car, road]  # they overlap
    assert [dict(case.facts) for case in listing.cases] == [
        {"area_0": 3, "area_1": 2, "classes": "0,1"},
        {"area_0": 0, "area_1": 0, "classes": ""},
    ]
    named = catalog.open(root, Task(kind="multilabel", names=("road", "sky", "car")))
    assert [case.facts["classes"] for case in named.cases] == ["0,2", ""]
    union = catalog.open(root, BINARY)
    assert union.names == ("foreground",)
    assert [case.facts["area_0"] for case in union.cases] == [4, 0]


def test_READ_30_masks_for_each_class_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    root = classes_of(tmp_path)
    catalog = Folder(masks="masks/{class}/{id}.png", labels="binary")
    task = Task(kind="multilabel")
    with pytest.raises(
        DataError, match=r"1 of 4 masks are missing(.|\n)*b\.png: no mask of class car"
    ):
        catalog.open(root, task)
    with pytest.raises(RecipeError, match=r"set task\.kind to multilabel"):
        catalog.open(root, MULTICLASS)
    with pytest.raises(RecipeError, match="masks of the class car"):
        catalog.open(root, Task(kind="multilabel", names=("road",)))
    put(root / "masks" / "car" / "b.png", np.zeros((4, 3)))
    with pytest.raises(DataError, match="the mask of another class is"):
        catalog.open(root, task)


@pytest.mark.data
def test_lungs_of_real_xrays_cover_what_their_readme_says(shared_data: Path) -> None:
    root = shared_data / "chest-xray-masks"
    catalog = Folder(masks="masks/lungs", labels={0: 0, 255: 1})
    cases = catalog.open(root, BINARY).cases
    area = sum(float(case.facts["area_0"]) for case in cases)
    pixels = sum(np.prod(case.image.shape) for case in cases)
    assert len(cases) == 44
    assert round(100 * area / pixels, 1) == 39.0
    with pytest.raises(DataError, match="255: 1"):
        Folder(masks="masks/lungs").open(root, BINARY)
    grouped, folds = Folds(groups="index.csv").assign(cases, root)
    assert len({case.group for case in grouped}) == 37
    check_groups(grouped, folds)
