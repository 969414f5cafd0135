"""Real X-rays by every road: PNG with masks, PNG with the competition's table, DICOM with it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from lamina.data.case import Case
from lamina.data.readers import open_volume
from lamina.recipe.load import load_recipe
from lamina.training.dataset import open_data
from lamina.volume import read_all

CHEST, TABLE = "chest-xray-masks", "train-rle-consolidation.csv"
PNG = ("data.masks=masks/consolidation", "split.groups=index.csv")
CODED = (
    'data={"kind":"csv_rle","dialect":"siim","images":"images"}',
    f"data.table={TABLE}",
    "split.groups=index.csv",
)


def write_dicom(path: Path, pixels: np.ndarray) -> None:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = (
        "1.2.840.10008.5.1.4.1.1.1",
        "1.2",
    )
    data = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME1"
    data.Rows, data.Columns = pixels.shape
    data.BitsAllocated = data.BitsStored = 8
    data.HighBit, data.PixelRepresentation = 7, 0
    data.PixelData = (255 - pixels).tobytes() + b"\0" * (pixels.size % 2)
    path.parent.mkdir(parents=True)
    data.save_as(path, enforce_file_format=True)


@pytest.fixture(scope="module")
def dicom(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same images as inverted DICOM files in nested folders, with the competition's table."""
    root, source = tmp_path_factory.mktemp("dicom"), shared_data / CHEST
    for number, path in enumerate(sorted((source / "images").iterdir())):
        place = root / "images" / f"study{number % 5}" / f"series{number}"
        write_dicom(place / f"{path.stem}.dcm", read_all(open_volume(path))[0])
    for name in (TABLE, "index.csv"):
        shutil.copy(source / name, root / name)
    return root


def opened(root: Path, changes: tuple[str, ...]) -> tuple[Mapping[str, Case], list[int]]:
    found = open_data(load_recipe("xray-laptop", changes), root)
    groups: dict[str, set[int]] = {}
    for case, fold in zip(found.cases, found.folds, strict=True):
        groups.setdefault(case.group, set()).add(fold)
    assert len(groups) == 37
    assert all(len(folds) == 1 for folds in groups.values())  # no patient on both sides
    return {case.id: case for case in found.cases}, list(found.folds)


@pytest.mark.data
def test_masks_and_codes_images_and_dicom_are_the_same_cases_in_the_same_folds(
    shared_data: Path, dicom: Path
) -> None:
    """SIIM-1, SIIM-2."""
    masks, folds = opened(shared_data / CHEST, PNG)
    for root in (shared_data / CHEST, dicom):
        coded, same = opened(root, CODED)
        assert coded.keys() == masks.keys()
        assert same == folds
        for name, case in coded.items():
            other = masks[name]
            assert case.target is not None
            assert other.target is not None
            np.testing.assert_array_equal(read_all(case.image), read_all(other.image))
            np.testing.assert_array_equal(read_all(case.target), read_all(other.target))
    assert sum(case.facts["classes"] == "0" for case in masks.values()) == 15


@pytest.mark.data
def test_lungs_are_in_every_image(shared_data: Path) -> None:
    cases, _ = opened(shared_data / CHEST, ("data.masks=masks/lungs", "split.groups=index.csv"))
    assert {case.facts["classes"] for case in cases.values()} == {"0"}
