"""The whole examination: faults are planted one by one, and each is found by its own check."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps

from lamina.doctor.run import CHECKS, ExamineResult, examine, write_fixed_recipe
from lamina.doctor.table import summary, table
from lamina.errors import RecipeError
from lamina.recipe.load import load_recipe
from lamina.synthetic.seismic import write_faults
from lamina.synthetic.steel import strip

FOLDER = """
name: tiny
task: {kind: binary}
data: {kind: folder, labels: {0: 0, 255: 1}}
split: {kind: folds, count: 2}
frame: {size: [64, 64], channels: 1}
network:
  {kind: unet, encoder: test_resnet, decoder: {encoder_depth: 3, decoder_channels: [16, 8, 8]}}
loss: [{kind: bce}]
train: {epochs: 1, batch: 4, optimizer: {kind: adamw, lr: 0.003}}
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(FOLDER)
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Six images of 64 x 96 with masks of 0 and 255, none of them empty."""
    root = tmp_path / "data"
    for index in range(6):
        image, masks = strip(index, seed=2, shape=(64, 96))
        mask = masks.any(0).astype(np.uint8) * 255
        mask[5 : 9 + index, 7:20] = 255
        for name, pixels in (("images", image), ("masks", mask)):
            (root / name).mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(root / name / f"{index}.png"), pixels)
    return root


def wrong(report: ExamineResult, *, levels: Sequence[str] = ("warning", "error")) -> dict[str, str]:
    """Return what is not fine with recipe and data, by check."""
    return {
        one.check: f"{one.finding.where}: {one.finding.what}"
        for one in report.said
        if one.finding.level in levels and one.area != "machine"
    }


def test_sound_data_have_nothing_wrong_and_every_check_speaks(data: Path, recipe: Path) -> None:
    report = examine(recipe, root=data)
    assert wrong(report) == {}
    assert report.exit_code == 0
    spoken = {one.check for one in report.said}
    assert spoken == {check.name for check in CHECKS} - {"transposed"} | {"loads", "opens"}


def test_names_of_checks_are_different_and_they_run_by_area() -> None:
    names = [check.name for check in CHECKS]
    assert len(set(names)) == len(names)
    areas = [check.area for check in CHECKS]
    assert areas == sorted(areas, key=["machine", "recipe", "data"].index)


def test_a_constant_image_is_a_warning(data: Path, recipe: Path) -> None:
    cv2.imwrite(str(data / "images" / "3.png"), np.full((64, 96), 9, np.uint8))
    report = examine(recipe, root=data)
    assert wrong(report) == {"flat": "3: 1 of 6 images hold a single value"}
    assert report.exit_code == 0


def test_the_same_pixels_in_two_folds_are_a_leak(data: Path, recipe: Path) -> None:
    """L13."""
    image = cv2.imread(str(data / "images" / "0.png"), cv2.IMREAD_UNCHANGED)
    for name in map(str, range(1, 6)):  # one of them stands in the other fold
        (data / "images" / f"{name}.png").unlink()
        cv2.imwrite(str(data / "images" / f"{name}.tif"), image)
    report = examine(recipe, root=data)
    assert "are the same image in different folds" in wrong(report)["duplicates"]
    assert report.exit_code == 3


def test_the_same_pixels_in_one_fold_are_a_warning(data: Path, recipe: Path) -> None:
    shutil.copy(data / "images" / "0.png", data / "images" / "1.png")
    (data / "groups.csv").write_text(
        "ImageId,Group\n" + "".join(f"{k},{'a' if k < 2 else k}\n" for k in range(6))
    )
    report = examine(recipe, ["split.groups=groups.csv"], root=data)
    assert "2 images are the same" in wrong(report)["duplicates"]
    assert report.exit_code == 0
    (sizes,) = [one.finding.what for one in report.said if one.finding.where == "groups"]
    assert sizes == "6 cases in 5 groups, the largest 'a' of 2"


def test_masks_that_are_all_empty_are_an_error_and_some_a_note(data: Path, recipe: Path) -> None:
    """L07."""
    blank = np.zeros((64, 96), np.uint8)
    cv2.imwrite(str(data / "masks" / "2.png"), blank)
    some = wrong(examine(recipe, root=data), levels=("note",))
    assert some == {"empty": "masks: 1 of 6 cases have no class (16.7%)"}
    for path in (data / "masks").iterdir():
        cv2.imwrite(str(path), blank)
    report = examine(recipe, root=data)
    found = wrong(report)
    assert found["empty"] == "masks: 6 of 6 cases have no class (100.0%)"
    assert found["labels"] == "class foreground: is in no mask"
    assert report.exit_code == 3


def test_a_fold_without_any_class_is_a_warning(data: Path, recipe: Path) -> None:
    """L07."""
    for k in (0, 1, 2):
        cv2.imwrite(str(data / "masks" / f"{k}.png"), np.zeros((64, 96), np.uint8))
    rows = "".join(f"{k},{k},{int(k > 2)}\n" for k in range(6))
    (data / "folds.csv").write_text("case,group,fold\n" + rows)
    report = examine(recipe, ["split.path=folds.csv"], root=data)
    assert wrong(report)["empty"].startswith("fold 0: none of its 3 cases has any class")


def test_masks_that_are_all_alike_are_a_warning(data: Path, recipe: Path) -> None:
    """L08."""
    for k in (1, 2, 3):
        shutil.copy(data / "masks" / "0.png", data / "masks" / f"{k}.png")
    found = wrong(examine(recipe, root=data))
    assert found == {"labels": "case 0: 4 of 6 masks are equal to this one"}


def test_a_broken_file_is_named(data: Path, recipe: Path) -> None:
    path = data / "images" / "4.png"
    path.write_bytes(path.read_bytes()[:-2000])
    report = examine(recipe, root=data)
    assert "4.png" in str(wrong(report))
    assert report.exit_code == 3


def test_values_that_are_no_numbers_are_an_error(tmp_path: Path) -> None:
    write_faults(tmp_path, count=1, seed=1, shape=(24, 16, 32))
    (path,) = (tmp_path / "seismic_00000").glob("seismic*")
    image = np.load(path)
    image[3, 4, 5] = np.nan
    np.save(path, image)
    report = examine("faults-laptop", root=tmp_path)
    assert wrong(report)["damaged"] == "case seismic_00000: 1 values are NaN or infinite"


def test_too_few_groups_for_the_folds_are_an_error(data: Path, recipe: Path) -> None:
    """L14."""
    report = examine(recipe, ["split.count=9"], root=data)
    assert "split.count is 9" in wrong(report)["groups"]
    assert report.exit_code == 3


def test_colour_images_in_a_recipe_for_grey_ones_are_mixed_kinds(data: Path, recipe: Path) -> None:
    """I12."""
    chance = np.random.default_rng(0)
    cv2.imwrite(str(data / "images" / "1.png"), chance.integers(0, 255, (64, 96, 3), np.uint8))
    found = wrong(examine(recipe, root=data))
    assert found["shapes"] == "1 (3): 1 of 6 images have another number of channels than 1"


def test_channels_that_the_frame_does_not_take_are_an_error(data: Path, recipe: Path) -> None:
    for path in (data / "images").iterdir():
        cv2.imwrite(str(path), cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2BGRA))
    report = examine(recipe, ["frame.channels=3"], root=data)
    assert "train with -s frame.channels=4" in wrong(report)["shapes"]


def test_fault_L01_masks_of_255_are_read_as_one_and_written_so(data: Path, recipe: Path) -> None:
    recipe.write_text(FOLDER.replace(", labels: {0: 0, 255: 1}", ""))
    report = examine(recipe, root=data)
    assert report.exit_code == 3
    assert report.fixes == [{"labels": {0: 0, 255: 1}}]
    assert "class foreground" in str([one.finding.where for one in report.said])
    assert write_fixed_recipe(report, recipe, recipe).exit_code == 0
    assert wrong(examine(recipe, root=data)) == {}


def test_labels_of_a_volume_with_one_odd_value_are_mended(tmp_path: Path) -> None:
    write_faults(tmp_path / "data", count=1, seed=1, shape=(40, 24, 32))
    (path,) = (tmp_path / "data" / "seismic_00000").glob("fault*")
    np.save(path, np.load(path) * 7)
    report = examine("faults-laptop", ["split.count=2"], root=tmp_path / "data")
    assert {"labels": {0: 0, 7: 1}} in report.fixes


def test_a_transposed_volume_is_mended_by_the_recipe_that_is_written(
    tmp_path: Path,
) -> None:
    """FAULT-2."""
    data, fixed = tmp_path / "data", tmp_path / "fixed.yaml"
    write_faults(data, count=4, seed=11, shape=(48, 48, 72))
    (path,) = (data / "seismic_00002").glob("seismic*")
    np.save(path, np.ascontiguousarray(np.load(path).transpose(1, 0, 2)))
    report = examine("faults-laptop", root=data)
    assert report.exit_code == 3
    assert write_fixed_recipe(report, "faults-laptop", fixed).exit_code == 0
    assert load_recipe(fixed).data.model_dump()["transpose"] == {"seismic_00002": "yzx"}
    assert wrong(examine(fixed, root=data), levels=("error",)) == {}


def test_fault_I14_sides_and_then_labels_tell_the_order_of_the_axes(tmp_path: Path) -> None:
    """Two sides are equal: two orders fit the shape, and only the labels tell which it is."""
    data, fixed = tmp_path / "data", tmp_path / "fixed.yaml"
    write_faults(data, count=4, seed=11, shape=(48, 48, 72))
    (path,) = (data / "seismic_00002").glob("seismic*")
    image = np.load(path)
    for stored, order in (("xzy", (2, 0, 1)), ("xyz", (2, 1, 0))):
        np.save(path, np.ascontiguousarray(image.transpose(order)))
        report = examine("faults-laptop", root=data)
        assert report.exit_code == 3
        assert write_fixed_recipe(report, "faults-laptop", fixed).exit_code == 0
        assert load_recipe(fixed).data.model_dump()["transpose"] == {"seismic_00002": stored}
        fixed.unlink()


def test_a_recipe_that_does_not_load_is_an_error_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "odd.yaml"
    path.write_text(FOLDER + "epochz: 3\n")
    report = examine(path, root=tmp_path / "nowhere")
    assert report.exit_code == 2
    assert "epochz" in wrong(report)["loads"]
    assert "opens" not in wrong(report)


def test_data_that_are_not_there_are_an_error(recipe: Path, tmp_path: Path) -> None:
    report = examine(recipe, root=tmp_path / "nowhere")
    assert "no such folder" in wrong(report)["opens"]
    assert report.exit_code == 3


def test_without_a_recipe_files_are_examined_by_themselves(data: Path) -> None:
    (data / "images" / "5.png").write_bytes(b"")
    shutil.copy(data / "images" / "0.png", data / "copy.png")
    report = examine(root=data)
    found = wrong(report)
    assert "is empty (0 bytes)" in found["damaged"]
    assert found["duplicates"] == "copy.png, images/0.png: 2 images are the same"
    assert report.exit_code == 3


def test_without_anything_only_the_machine_is_examined() -> None:
    assert {one.area for one in examine().said} == {"machine"}


def test_a_fix_needs_a_recipe_and_something_to_fix(tmp_path: Path) -> None:
    report = ExamineResult((), 0.0)
    with pytest.raises(RecipeError, match="name the one that is to be fixed"):
        write_fixed_recipe(report, None, tmp_path / "a.yaml")
    assert write_fixed_recipe(report, "steel-laptop", tmp_path / "a.yaml") is report
    assert list(tmp_path.iterdir()) == []


def test_sizes_are_tried_on_the_network(recipe: Path) -> None:
    report = examine(recipe, ["stages=[{name: a, size: [96, 32]}]", "predict.tile=[128, 64]"])
    sizes = [one.finding for one in report.said if one.check == "sizes"]
    assert [size.where for size in sizes[1:]] == [
        "frame.size [64, 64]",
        "stages.a.size [96, 32]",
        "predict.tile [128, 64]",
    ]
    assert {one.level for one in sizes} == {"fine"}


def test_the_table_holds_every_finding_and_fits_its_width(data: Path, recipe: Path) -> None:
    cv2.imwrite(str(data / "images" / "3.png"), np.full((64, 96), 9, np.uint8))
    report = examine(recipe, root=data)
    text = table(report, width=100, colour=False)
    assert max(map(len, text.splitlines())) <= 100
    assert "\x1b" not in text
    assert "\x1b" in table(report, width=100, colour=True)
    for one in report.said:
        assert one.check in text
    assert text.splitlines()[-1] == summary(report)
    assert summary(report).startswith("no errors, ")


def test_values_are_those_of_json(data: Path, recipe: Path) -> None:
    found = examine(recipe, root=data).to_dict()
    assert found["exit_code"] == found["errors"] == 0
    assert {"area", "check", "level", "where", "what", "remedy", "fix", "fixed"} == set(
        found["findings"][0]
    )


def turned(path: Path, orientation: int, *, sideways: bool) -> None:
    """Save an image as a camera does: turned back, with a tag that says how it is upright."""
    upright = Image.open(path)
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = upright.transpose(
        Image.Transpose.ROTATE_90 if sideways else Image.Transpose.ROTATE_180
    )
    stored.save(path, exif=exif)


def test_read_22_images_turned_by_exif_are_named(data: Path, recipe: Path) -> None:
    """READ-22: two of them, upside down, whose masks have no tag."""
    for name in ("1", "4"):
        turned(data / "images" / f"{name}.png", 3, sideways=False)
    with pytest.warns(UserWarning, match="turned upright"):
        found = wrong(examine(recipe, root=data))["exif"]
    assert found.startswith("2 images: turned upright as their EXIF orientation says")
    assert "1.png" in found
    assert "4.png" in found


def test_read_22_a_mask_that_was_not_turned_is_refused_by_the_right_name(
    data: Path, recipe: Path
) -> None:
    """READ-22: the message says EXIF, and its remedy works."""
    turned(data / "images" / "2.png", 6, sideways=True)  # upright it is as it was
    mask = Image.open(data / "masks" / "3.png").transpose(Image.Transpose.ROTATE_90)
    turned(data / "images" / "3.png", 6, sideways=True)
    mask.save(data / "masks" / "3.png")  # drawn on the pixels as they are stored
    with pytest.warns(UserWarning, match="turned upright"):
        said = wrong(examine(recipe, root=data))["opens"]
    assert "case 3: image is yx (64, 96), target is yx (96, 64)" in said
    assert (
        "the image is turned upright, as its EXIF orientation 6 says, and the target is not" in said
    )
    upright = ImageOps.exif_transpose(Image.open(data / "images" / "3.png"))
    upright.save(data / "images" / "3.png")
    mask.transpose(Image.Transpose.ROTATE_270).save(data / "masks" / "3.png")
    with pytest.warns(UserWarning, match="turned upright"):
        assert "opens" not in wrong(examine(recipe, root=data))


def test_data_that_do_not_open_are_examined_as_files_in_the_same_pass(
    data: Path, recipe: Path
) -> None:
    path = data / "images" / "4.png"
    path.write_bytes(path.read_bytes()[:-2000])
    (data / "masks" / "3.png").unlink()
    (data / "images" / "notes.gif").write_bytes(b"GIF89a")
    cv2.imwrite(str(data / "images" / "1.png"), np.full((64, 96), 9, np.uint8))
    found = wrong(examine(recipe, root=data))
    assert "1 of 6 masks are missing" in found["opens"]
    assert "images/4.png" in found["damaged"]
    assert "1.png" in found["flat"]
    assert "notes.gif: not read: 1 file, since each is a GIF image" in found["passed_over"]


def test_a_layout_that_is_plain_is_a_fix_and_the_fixed_recipe_opens(
    data: Path, recipe: Path
) -> None:
    for path in (data / "masks").iterdir():
        path.rename(path.with_name(f"{path.stem}_mask.png"))
    report = examine(recipe, root=data)
    assert report.fixes == [{"images": "images", "masks": "masks/{id}_mask.png"}]
    write_fixed_recipe(report, recipe, recipe)
    assert wrong(examine(recipe, root=data)) == {}
    assert "'masks/{id}_mask.png'" in recipe.read_text()


def test_void_values_are_a_fix(data: Path, recipe: Path) -> None:
    mask = cv2.imread(str(data / "masks" / "2.png"), cv2.IMREAD_UNCHANGED).astype(np.int16)
    mask[:4] = -1
    (data / "masks" / "2.png").unlink()
    tifffile.imwrite(data / "masks" / "2.tif", mask)
    report = examine(recipe, root=data)
    assert report.fixes == [{"ignore": -1}]
    write_fixed_recipe(report, recipe, recipe)
    assert wrong(examine(recipe, root=data)) == {}


def test_cases_that_a_split_leaves_out_are_not_counted(data: Path, recipe: Path) -> None:
    for kind in ("images", "masks"):
        for k, part in enumerate(("train", "train", "train", "val", "val", "test")):
            path = data / kind / part / f"{k}.png"
            path.parent.mkdir(exist_ok=True)
            (data / kind / f"{k}.png").rename(path)
    report = examine(recipe, ["split={kind: folders}"], root=data)
    assert wrong(report) == {}
    (folds,) = [one.finding.what for one in report.said if one.finding.where == "folds"]
    assert folds == "cases by fold -1: 3, 0: 2"
