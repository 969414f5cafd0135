"""Volumes beside their label volumes, in one folder or one folder each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from lamina.data.catalogs import VolumePairs
from lamina.data.splits import Sections
from lamina.errors import DataError
from lamina.task import Task
from lamina.volume import read_all

BINARY = Task()
RAW = np.arange(2 * 3 * 4, dtype=np.float32).reshape(2, 3, 4)
LABELS = (RAW > 20).astype(np.uint8)


def put(path: Path, array: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npy":
        np.save(path, array)
    else:
        tifffile.imwrite(path, array, photometric="minisblack")


def test_one_pair_in_the_folder_itself(tmp_path: Path) -> None:
    put(tmp_path / "raw.tif", RAW)
    put(tmp_path / "labels.tif", LABELS)
    listing = VolumePairs().open(tmp_path, BINARY)
    (case,) = listing.cases
    assert (case.id, case.group, case.image.axes) == ("raw", "raw", "zyx")
    assert listing.names == ("foreground",)
    assert case.facts == {}
    assert case.target is not None
    np.testing.assert_array_equal(read_all(case.image)[0], RAW)
    np.testing.assert_array_equal(read_all(case.target)[0], LABELS)


def test_several_pairs_in_the_folder_itself_belong_by_what_the_star_stands_for(
    tmp_path: Path,
) -> None:
    for name in ("b", "a"):
        put(tmp_path / f"seismic_{name}.npy", RAW)
        put(tmp_path / f"fault_{name}.npy", LABELS if name == "b" else np.zeros_like(LABELS))
    catalog = VolumePairs(image="seismic*.npy", target="fault*.npy")
    cases = catalog.open(tmp_path, BINARY).cases
    assert [case.id for case in cases] == ["seismic_a", "seismic_b"]
    assert [Path(file).name for case in cases for file in case.files] == [
        "seismic_a.npy",
        "seismic_b.npy",
    ]
    assert [bool(read_all(case.target).any()) for case in cases if case.target] == [False, True]
    (tmp_path / "fault_b.npy").rename(tmp_path / "fault_c.npy")
    with pytest.raises(DataError) as caught:
        catalog.open(tmp_path, BINARY)
    for word in ("2 volumes stand alone", "seismic_b.npy: no 'fault*.npy'", "fault_c.npy: no"):
        assert word in str(caught.value)


def test_a_single_pair_needs_no_equal_names(tmp_path: Path) -> None:
    put(tmp_path / "seismicCubes_RFC.npy", RAW)
    put(tmp_path / "fault_segmentations.npy", LABELS)
    catalog = VolumePairs(image="seismic*.npy", target="fault*.npy")
    assert [case.id for case in catalog.open(tmp_path, BINARY).cases] == ["seismicCubes_RFC"]


def test_one_folder_for_each_volume_takes_the_first_match_after_sorting(tmp_path: Path) -> None:
    for name in ("v2", "v1"):
        put(tmp_path / name / "seismicB.npy", RAW)
        put(tmp_path / name / "seismicA.npy", -RAW)
        put(tmp_path / name / "fault.npy", LABELS)
    (tmp_path / "pictures").mkdir()
    catalog = VolumePairs(image="seismic*.npy", target="fault*.npy", axes="yxz")
    cases = catalog.open(tmp_path, BINARY).cases
    assert [(case.id, case.group, case.image.axes) for case in cases] == [
        ("v1", "v1", "yxz"),
        ("v2", "v2", "yxz"),
    ]
    np.testing.assert_array_equal(read_all(cases[0].image)[0], -RAW)
    (tmp_path / "v1" / "fault.npy").unlink()
    with pytest.raises(DataError, match=r"1 folders hold half a pair(.|\n)*v1: no 'fault"):
        catalog.open(tmp_path, BINARY)


def test_shapes_that_differ_are_told_with_both_files(tmp_path: Path) -> None:
    put(tmp_path / "raw.tif", RAW)
    put(tmp_path / "labels.tif", LABELS[:, :2])
    with pytest.raises(DataError) as caught:
        VolumePairs().open(tmp_path, BINARY)
    for word in ("(2, 3, 4)", "(2, 2, 4)", "raw.tif", "labels.tif"):
        assert word in str(caught.value)


def test_nothing_to_find_names_the_option(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"raw\.tif.*set data\.image"):
        VolumePairs().open(tmp_path, BINARY)
    with pytest.raises(DataError, match="no such folder"):
        VolumePairs().open(tmp_path / "nowhere", BINARY)


def test_classes_come_from_labels_without_reading_or_from_the_values(tmp_path: Path) -> None:
    put(tmp_path / "raw.tif", RAW)
    put(tmp_path / "labels.tif", LABELS * 7)
    task = Task(kind="multiclass")
    listing = VolumePairs(labels={0: 0, 7: 2, 9: 1}).open(tmp_path, task)
    assert listing.names == ("class_0", "class_1", "class_2")
    with pytest.raises(DataError, match="without a gap"):
        VolumePairs().open(tmp_path, task)
    put(tmp_path / "labels.tif", LABELS)
    assert VolumePairs().open(tmp_path, task).names == ("class_0", "class_1")


@pytest.mark.data
def test_real_sections_with_mitochondria(shared_data: Path) -> None:
    root = shared_data / "em-drosophila-vnc"
    catalog = VolumePairs(target="mitochondria.tif", labels={0: 0, 255: 1})
    (case,) = catalog.open(root, BINARY).cases
    assert case.image.shape == (20, 1024, 576)
    assert case.target is not None
    whole = read_all(case.target)
    assert round(100 * float(whole.mean()), 2) == 6.45
    split = Sections(train=((0, 14),), validation=((15, 20),))
    cases, folds = split.assign([case], root)
    assert [part.id for part in cases] == ["raw[z0-14]", "raw[z15-20]"]
    assert folds == [-1, 0]
    assert cases[1].target is not None
    np.testing.assert_array_equal(read_all(cases[1].target), whole[:, 15:])
