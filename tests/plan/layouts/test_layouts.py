"""Every layout is recognised from names and first bytes; what can be read in two ways is asked."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from pydantic import TypeAdapter

from lamina.data.catalogs import AnyCatalog
from lamina.errors import LayoutError
from lamina.plan.layouts import LAYOUTS, chosen, matches_of
from lamina.plan.layouts.choice.contents import counted_values
from lamina.plan.tree import Tree
from lamina.task import Task
from tests.factories import data_folders
from tests.factories.data_folders import TREES, picture, save
from tests.factories.dicom import write_slice, write_stack


def layouts(root: Path) -> list[str]:
    return [match.choice for match in matches_of(Tree.of(root)) if match.asked]


@pytest.mark.parametrize("name", TREES)
def test_each_layout_is_recognised(tmp_path: Path, name: str) -> None:
    make, layout = TREES[name]
    make(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    match = chosen(Tree.of(tmp_path), None)
    assert match.layout == layout
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_there_is_a_tree_for_every_layout() -> None:
    assert {layout.name for layout in LAYOUTS} == {layout for _, layout in TREES.values()}


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match="is empty"):
        chosen(Tree.of(tmp_path), None)
    (tmp_path / "notes.docx").write_bytes(b"no image")
    with pytest.raises(LayoutError, match="no layout that is known"):
        chosen(Tree.of(tmp_path), None)


def test_two_sets_of_masks_are_a_question_with_both_commands(tmp_path: Path) -> None:
    data_folders.folder(tmp_path)
    shutil.copytree(tmp_path / "masks", tmp_path / "labels")
    with pytest.raises(LayoutError, match="can be read in 2 ways") as caught:
        chosen(Tree.of(tmp_path), None)
    commands = [line.strip() for line in str(caught.value).splitlines() if "--layout" in line]
    choices = [line.rpartition(" ")[2] for line in commands]
    assert sorted(choices) == ["folder/labels", "folder/masks"]
    for choice in choices:
        assert chosen(Tree.of(tmp_path), choice).data["masks"] == choice.partition("/")[2]


def test_several_suffixes_are_a_question(tmp_path: Path) -> None:
    for k in range(4):
        image, mask = picture(k)
        save(tmp_path / f"{k}.png", image)
        save(tmp_path / f"{k}_mask.png", mask)
        save(tmp_path / f"{k}_seg.png", mask)
    assert layouts(tmp_path) == ["folder/{id}_mask.*", "folder/{id}_seg.*"]
    match = chosen(Tree.of(tmp_path), "folder/{id}_seg.*")
    listing = TypeAdapter(AnyCatalog).validate_python(match.data).open(tmp_path, Task())
    assert [case.id for case in listing.cases] == ["0", "1", "2", "3"]
    with pytest.raises(LayoutError, match="2 ways"):
        chosen(Tree.of(tmp_path), None)


def test_jpeg_masks_are_refused(tmp_path: Path) -> None:
    for k in range(4):
        image, mask = picture(k)
        save(tmp_path / f"images/{k}.png", image)
        save(tmp_path / f"masks/{k}.jpg", mask * 255)
    with pytest.raises(LayoutError, match=r"masks/0.jpg and 3 more masks are JPEG.*save them"):
        chosen(Tree.of(tmp_path), None)


def test_images_without_masks_are_a_question(tmp_path: Path) -> None:
    data_folders.folder(tmp_path)
    (tmp_path / "masks" / "00.png").unlink()
    assert layouts(tmp_path) == ["folder/masks/empty", "folder/masks/skip"]
    tree = Tree.of(tmp_path)
    assert chosen(tree, "folder/masks/empty").data["missing"] == "empty"
    assert chosen(tree, "folder/masks/skip").data["missing"] == "skip"


def test_masks_of_another_size_are_no_way_where_there_is_another(tmp_path: Path) -> None:
    """As the sections that a volume was made from, beside the volume."""
    data_folders.tiff_volume(tmp_path)
    for k in range(4):
        image, mask = picture(k)
        save(tmp_path / f"png/section_{k}.png", np.kron(image, np.ones((2, 2), np.uint8)))
        save(tmp_path / f"png/mask_{k}.png", mask * 255)
    match = chosen(Tree.of(tmp_path), None)
    assert match.layout == "volumes"
    (note,) = match.notes
    assert note.startswith("not read as folder/png/mask_{id}.png: masks are not of the size of")
    assert "mask_0.png of 72 x 72 pixels and section_0.png of 144 x 144" in note
    with pytest.raises(LayoutError, match=r"masks are not of the size.*save masks in the size"):
        chosen(Tree.of(tmp_path), "folder/png/mask_{id}.png")
    for path in (tmp_path / "raw.tif", tmp_path / "rods.tif"):
        path.unlink()
    with pytest.raises(LayoutError, match="masks are not of the size"):
        chosen(Tree.of(tmp_path), None)


def test_the_first_of_several_frames_is_taken_of_images_without_labels(tmp_path: Path) -> None:
    cube = np.arange(5 * 40 * 40, dtype=np.int16).reshape(5, 40, 40) % 400
    for k in range(3):
        write_slice(tmp_path / f"s{k}.dcm", cube[k], k)
    assert "dicom" not in chosen(Tree.of(tmp_path), None).data
    (tmp_path / "about.csv").write_text("a,b")  # else the folder is a series
    write_stack(tmp_path / "stack.dcm", cube, range(5))
    match = chosen(Tree.of(tmp_path), None)
    assert match.data == {"kind": "corrupt", "dicom": {"frame": 0}}
    assert match.notes == (
        "stack.dcm holds 5 frames; data.dicom.frame says which of them is taken",
    )
    listing = (
        TypeAdapter(AnyCatalog)
        .validate_python(match.data)
        .open(tmp_path, Task(kind="restore", names=("clean",)))
    )
    assert [case.image.axes for case in listing.cases] == ["yx"] * 4


def test_masks_without_images_are_no_pairs(tmp_path: Path) -> None:
    data_folders.folder(tmp_path)
    for k in range(3):
        (tmp_path / "images" / f"{k:02d}.png").unlink()
    assert layouts(tmp_path) == ["corrupt"]


def test_a_choice_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    data_folders.folder(tmp_path)
    with pytest.raises(LayoutError, match="--layout is 'coco', and the folder can be read as fold"):
        chosen(Tree.of(tmp_path), "coco")


def test_regions_of_nnunet_are_outputs_that_overlap(tmp_path: Path) -> None:
    data_folders.nnunet(tmp_path)
    labels = {"background": 0, "whole": [1, 2], "core": [2], "ignore": 3}
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": labels}))
    match = chosen(Tree.of(tmp_path), None)
    assert match.task == {"kind": "multilabel", "names": ["whole", "core"]}


def test_folds_of_nnunet_are_used(tmp_path: Path) -> None:
    data_folders.nnunet(tmp_path)
    parts = [{"train": ["c2", "c3"], "val": ["c0", "c1"]}, {"train": ["c0"], "val": ["c2", "c3"]}]
    (tmp_path / "splits_final.json").write_text(json.dumps(parts))
    match = chosen(Tree.of(tmp_path), None)
    assert match.split == {"kind": "folds", "path": "splits_final.json", "count": 2}


def test_masks_of_class_and_table_are_a_question(tmp_path: Path) -> None:
    data_folders.class_folders(tmp_path)
    rows = ["ImageId, EncodedPixels", *(f"{k:02d}, 10 4 70 6" for k in range(6))]
    (tmp_path / "rle.csv").write_text("\n".join(rows))
    assert layouts(tmp_path)[1:] == ["folder/masks/{class}/{id}.png"]
    inner = [match.choice for match in matches_of(Tree.of(tmp_path)) if not match.asked]
    assert inner == ["folder/masks/disc", "folder/masks/ring"]


def table(root: Path, header: str, code: str) -> Path:
    for k in range(4):
        save(root / f"images/{k}.png", picture(k)[0])
    one = "1," if "ClassId" in header else ""
    (root / "t.csv").write_text("\n".join([header, *(f"{k}.png,{one}{code}" for k in range(4))]))
    return root


def test_the_dialect_is_told_by_the_codes(tmp_path: Path) -> None:
    relative, absolute = "900 5 67 5 68 4", "900 5 972 5 1044 4"
    match = chosen(Tree.of(table(tmp_path / "a", "ImageId,EncodedPixels", relative)), None)
    assert match.data["dialect"] == "siim"
    match = chosen(Tree.of(table(tmp_path / "b", "ImageId,ClassId,EncodedPixels", absolute)), None)
    assert match.data["dialect"] == "severstal"
    with pytest.raises(LayoutError, match=r"count from the first pixel.*add a column ClassId"):
        chosen(Tree.of(table(tmp_path / "c", "ImageId,EncodedPixels", absolute)), None)
    with pytest.raises(LayoutError, match="do not rise"):
        chosen(Tree.of(table(tmp_path / "d", "ImageId,ClassId,EncodedPixels", relative)), None)


def test_coco_files_of_a_split_are_one(tmp_path: Path) -> None:
    data_folders.coco(tmp_path)
    text = (tmp_path / "annotations.json").read_text()
    for part in ("train", "val"):
        shutil.copytree(tmp_path / "images", tmp_path / part)
        (tmp_path / f"instances_{part}.json").write_text(text)
    (tmp_path / "annotations.json").unlink()
    shutil.rmtree(tmp_path / "images")
    match = chosen(Tree.of(tmp_path), None)
    assert match.data == {"kind": "coco", "table": "instances_{split}.json", "images": "{split}"}


def test_coco_without_its_images_is_refused(tmp_path: Path) -> None:
    data_folders.coco(tmp_path)
    shutil.rmtree(tmp_path / "images")
    with pytest.raises(LayoutError, match="images that it names are not below"):
        chosen(Tree.of(tmp_path), None)


def test_labelme_with_images_without_a_file_is_a_question(tmp_path: Path) -> None:
    data_folders.labelme(tmp_path)
    (tmp_path / "00.json").unlink()
    with pytest.raises(LayoutError, match=r"1 images have no JSON file.*labelme/empty"):
        chosen(Tree.of(tmp_path), "labelme")
    assert chosen(Tree.of(tmp_path), "labelme/empty").data["missing"] == "empty"


def test_voc_masks_that_are_no_palettes_are_plain_pairs(tmp_path: Path) -> None:
    data_folders.voc(tmp_path)
    shutil.rmtree(tmp_path / "SegmentationObject")
    for path in (tmp_path / "SegmentationClass").iterdir():
        grey = np.asarray(Image.open(path))
        Image.fromarray(np.where(grey == 255, 0, grey).astype(np.uint8)).save(path)
    assert all(choice.startswith("folder/SegmentationClass") for choice in layouts(tmp_path))


def test_several_label_volumes_are_a_question(tmp_path: Path) -> None:
    data_folders.tiff_volume(tmp_path)
    shutil.copy(tmp_path / "rods.tif", tmp_path / "cells.tif")
    assert layouts(tmp_path) == ["volumes/cells.tif", "volumes/rods.tif"]


def test_the_question_says_what_each_way_holds(tmp_path: Path) -> None:
    data_folders.tiff_volume(tmp_path)
    rods = tifffile.imread(tmp_path / "rods.tif")
    many = (np.arange(rods.size) % 12).astype(np.uint8).reshape(rods.shape)
    tifffile.imwrite(tmp_path / "cells.tif", many)
    with pytest.raises(LayoutError, match="2 ways") as caught:
        chosen(Tree.of(tmp_path), None)
    lines = str(caught.value).splitlines()
    share = (rods > 0).mean()
    assert lines[4].endswith(f"raw.tif; it holds 0 ({1 - share:.2%}), 255 ({share:.2%})")
    assert "it holds 12 values, most of all 0 (8.33%)" in lines[2]


def test_the_question_names_the_classes_of_folders(tmp_path: Path) -> None:
    data_folders.class_folders(tmp_path)
    rows = ["ImageId, EncodedPixels", *(f"{k:02d}, 10 4 70 6" for k in range(6))]
    (tmp_path / "rle.csv").write_text("\n".join(rows))
    with pytest.raises(LayoutError, match=r"\{class\}/\{id\}.png; classes disc, ring"):
        chosen(Tree.of(tmp_path), None)


def test_a_part_of_labels_is_read_and_said(tmp_path: Path) -> None:
    data_folders.tiff_volume(tmp_path)
    match = chosen(Tree.of(tmp_path), None)
    rods = tifffile.imread(tmp_path / "rods.tif")
    counts, colours, share = counted_values(Tree.of(tmp_path), match, rods.size // 4)
    middle = rods[7:12]
    assert (colours, share) == (False, 0.25)
    assert counts == {int(v): int((middle == v).sum()) for v in np.unique(middle)}


def test_the_number_in_names_of_volumes_may_grow(tmp_path: Path) -> None:
    data_folders.faults(tmp_path)
    match = chosen(Tree.of(tmp_path), None)
    assert match.data["image"] == "seismicCubes_*.npy"
    assert match.data["target"] == "fault_*.npy"


def test_labels_beside_the_series_of_each_patient(tmp_path: Path) -> None:
    data_folders.dicom(tmp_path / "made")
    for k in range(3):
        shutil.copytree(tmp_path / f"made/images/p{k}", tmp_path / f"data/p{k}/ct")
        shutil.copy(tmp_path / f"made/labels/p{k}.nii.gz", tmp_path / f"data/p{k}/seg.nii.gz")
    match = chosen(Tree.of(tmp_path / "data"), None)
    assert (match.data["image"], match.data["target"]) == ("{id}/ct", "{id}/seg.nii.gz")


@pytest.mark.data
@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("chest-xray-masks", ["csv", "folder/masks/{class}/{id}.png"]),
        ("denoise-gray", ["corrupt"]),
        (
            "em-drosophila-vnc",
            [f"volumes/{n}.tif" for n in ("labels", "membranes", "mitochondria", "synapses")],
        ),
        ("magnetic-tile-defects", ["csv"]),
        ("seismic-f3-faults", ["volumes", "folder/source_png/mask_inline_{id}.png"]),
        ("surface-volume-standin", ["fragments"]),
    ],
)
def test_real_data_are_recognised(shared_data: Path, folder: str, expected: list[str]) -> None:
    assert layouts(shared_data / folder) == expected
