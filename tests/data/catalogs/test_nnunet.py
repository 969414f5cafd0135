"""READ-26: one file per channel with dataset.json, as nnU-Net and the Decathlon lay scans out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from numpy.typing import NDArray

from lamina.data.catalogs import Folder, Nnunet, VolumePairs
from lamina.data.catalogs.inputs import Input
from lamina.errors import DataError, RecipeError
from lamina.seeding import rng
from lamina.task import Task
from lamina.volume import read_all

AFFINE = np.diag([-1.0, -1, 2, 1])
LABELS = {"background": 0, "edema": 1, "core": 2}
SHAPE = (5, 6, 4)


def scan(case: str, channel: int) -> NDArray[np.int16]:
    return rng(channel, case).integers(0, 999, SHAPE).astype(np.int16)


def label(case: str) -> NDArray[np.uint8]:
    return rng(9, case).integers(0, 3, SHAPE).astype(np.uint8)


def save(path: Path, array: NDArray[Any], codes: Any = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nibabel.Nifti1Image(array, AFFINE)
    nibabel.save(image if codes is None else image.as_reoriented(np.array(codes, float)), path)


def write(root: Path, *, channels: int = 2, **about: Any) -> Path:
    for case in ("a", "b_01"):
        for channel in range(channels):
            turned = None if channel == 0 else [[1, -1], [0, 1], [2, 1]]
            save(root / f"imagesTr/{case}_{channel:04d}.nii.gz", scan(case, channel), turned)
        save(root / f"labelsTr/{case}.nii.gz", label(case), [[2, 1], [0, -1], [1, 1]])
    said = {"channel_names": {str(k): f"m{k}" for k in range(channels)}, "labels": LABELS}
    (root / "dataset.json").write_text(json.dumps(said | {"file_ending": ".nii.gz"} | about))
    return root


def canonical(array: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(nibabel.as_closest_canonical(nibabel.Nifti1Image(array, AFFINE)).dataobj)


def test_read_26_files_of_channels_are_one_image_in_one_orientation(tmp_path: Path) -> None:
    """READ-26: channel 1 and the labels are stored in other orientations than channel 0."""
    listing = Nnunet().open(write(tmp_path), Task(kind="multiclass"))
    assert listing.names == ("background", "edema", "core")
    assert [case.id for case in listing.cases] == ["a", "b_01"]
    for case in listing.cases:
        wanted = np.stack([canonical(scan(case.id, channel)) for channel in (0, 1)])
        np.testing.assert_array_equal(read_all(case.image), wanted)
        assert case.target is not None
        np.testing.assert_array_equal(read_all(case.target)[0], canonical(label(case.id)))
        assert [Path(file).name for file in case.files] == [
            f"{case.id}_0000.nii.gz",
            f"{case.id}_0001.nii.gz",
        ]


def test_read_26_images_to_predict_are_laid_out_alike(tmp_path: Path) -> None:
    """READ-26: imagesTs, and any channel's file alone."""
    write(tmp_path)
    (tmp_path / "imagesTr").rename(tmp_path / "imagesTs")
    data, folder = Nnunet(), tmp_path / "imagesTs"
    first = Input("a", folder / "a_0000.nii.gz")
    assert next(iter(data.inputs(folder))) == first
    for channel in (0, 1):
        assert list(data.inputs(folder / f"a_000{channel}.nii.gz")) == [first]
        image = data.open_image(folder / f"a_000{channel}.nii.gz")
        np.testing.assert_array_equal(read_all(image)[1], canonical(scan("a", 1)))
    assert data.files_of(first.path) == (first.path, folder / "a_0001.nii.gz")


def test_read_26_the_older_form_and_images_of_one_file(tmp_path: Path) -> None:
    """READ-26: modality, labels by number, channels along the fourth axis."""
    write(tmp_path, modality={"0": "T1", "1": "T2"}, labels={"0": "background", "2": "core"})
    said = json.loads((tmp_path / "dataset.json").read_text())
    del said["channel_names"]
    (tmp_path / "dataset.json").write_text(json.dumps(said))
    for path in (tmp_path / "imagesTr").iterdir():
        path.unlink()
    for case in ("a", "b_01"):
        both = np.stack([scan(case, 0), scan(case, 1)], -1)
        save(tmp_path / f"imagesTr/{case}.nii.gz", both)
        save(tmp_path / f"labelsTr/{case}.nii.gz", (label(case) // 2 * 2).astype(np.uint8))
    listing = Nnunet().open(tmp_path, Task(kind="multiclass"))
    assert listing.names == ("background", "core")
    (case, _) = listing.cases
    assert case.image.channels == 2
    np.testing.assert_array_equal(read_all(case.image)[1], canonical(scan("a", 1)))
    assert case.target is not None
    np.testing.assert_array_equal(read_all(case.target)[0], canonical(label("a")) // 2)


@pytest.mark.parametrize("kind", ["binary", "multilabel"])
def test_classes_are_those_of_dataset_json(tmp_path: Path, kind: Any) -> None:
    listing = Nnunet().open(write(tmp_path, labels={**LABELS, "ignore": 3}), Task(kind=kind))
    wanted = canonical(label("a"))
    (case, _) = listing.cases
    assert case.valid is not None
    assert case.target is not None
    found = read_all(case.target)
    if kind == "binary":
        assert listing.names == ("foreground",)
        np.testing.assert_array_equal(found[0], wanted > 0)
    else:
        assert listing.names == ("edema", "core")
        np.testing.assert_array_equal(found, np.stack([wanted == 1, wanted == 2]))
    with pytest.raises(RecipeError, match=r"task.names lists 1 classes"):
        Nnunet().open(tmp_path, Task(kind="multilabel", names=("x",)))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda r: (r / "imagesTr/a_0001.nii.gz").unlink(), r"images have 2 .*\n.*a: 1 of 2"),
        (lambda r: (r / "imagesTr/a_0000.nii.gz").unlink(), r"are odd.*\n.*has no a_0000"),
        (lambda r: (r / "labelsTr/a.nii.gz").unlink(), r"stand alone.*\n.*no labels 'a'"),
        (lambda r: save(r / "imagesTr/c.nii.gz", scan("c", 0)), r"c.nii.gz: does not end in the"),
        (lambda r: save(r / "labelsTr/c.nii.gz", label("c")), r"no image 'c_0000'"),
        (lambda r: (r / "dataset.json").unlink(), r"dataset.json: no such file"),
        (lambda r: (r / "labelsTr").rename(r / "labels"), r"labelsTr: no such folder; set data.m"),
        (
            lambda r: write(r, labels={"background": 0, "whole": [1, 2]}),
            r"the labels whole are of several stored values each",
        ),
        (lambda r: write(r, labels={"background": "x"}), r"needed is a whole number for each"),
    ],
)
def test_read_26_what_is_not_whole_is_refused_by_name(
    tmp_path: Path, spoil: Any, words: str
) -> None:
    write(tmp_path)
    spoil(tmp_path)
    with pytest.raises(DataError, match=words):
        Nnunet().open(tmp_path, Task(kind="multiclass"))


def test_regions_are_read_where_the_recipe_says_what_they_are(tmp_path: Path) -> None:
    write(tmp_path, labels={"background": 0, "whole": [1, 2]})
    data = Nnunet(labels={0: 0, "others": 1})
    (case, _) = data.open(tmp_path, Task(kind="binary", names=("whole",))).cases
    assert case.target is not None
    np.testing.assert_array_equal(read_all(case.target)[0], canonical(label("a")) > 0)


def test_regions_that_overlap_are_outputs_of_a_multilabel_task(tmp_path: Path) -> None:
    """Against the formula: an output is where the stored value is one of its own."""
    labels = {"background": 0, "whole": [1, 2], "core": 2}
    write(tmp_path, labels=labels)
    listing = Nnunet().open(tmp_path, Task(kind="multilabel"))
    assert listing.names == ("whole", "core")
    for case in listing.cases:
        stored = canonical(label(case.id))
        assert case.target is not None
        np.testing.assert_array_equal(
            read_all(case.target), np.stack([np.isin(stored, (1, 2)), stored == 2])
        )
        assert case.valid is None


def test_voxels_that_are_ignored_count_in_no_region(tmp_path: Path) -> None:
    write(tmp_path, labels={"background": 0, "whole": [0, 1], "core": [1], "ignore": 2})
    (case, _) = Nnunet().open(tmp_path, Task(kind="multilabel")).cases
    stored = canonical(label("a"))
    assert case.target is not None
    assert case.valid is not None
    np.testing.assert_array_equal(read_all(case.valid)[0], stored != 2)
    np.testing.assert_array_equal(read_all(case.target)[1], stored == 1)


def test_a_value_of_no_region_is_refused(tmp_path: Path) -> None:
    write(tmp_path, labels={"background": 0, "whole": [1]})
    (case, _) = Nnunet().open(tmp_path, Task(kind="multilabel")).cases
    assert case.target is not None
    with pytest.raises(DataError, match="holds the value 2"):
        read_all(case.target)


@pytest.mark.parametrize("catalog", [Folder(), VolumePairs(image="raw.tif", target="labels.tif")])
def test_read_23_other_catalogs_name_this_one_where_the_folder_is_laid_out_so(
    tmp_path: Path, catalog: Any
) -> None:
    """READ-23: the layout is seen, and the option to set is named."""
    with pytest.raises(DataError, match=r"-s data\.kind=nnunet"):
        catalog.open(write(tmp_path), Task())
