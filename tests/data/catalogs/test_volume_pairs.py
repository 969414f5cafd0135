"""Volumes beside their label volumes, in one folder or one folder each."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import h5py
import nibabel
import numpy as np
import pytest
import segyio
import tifffile
import zarr
from numpy.typing import NDArray

from lamina.data.catalogs import VolumePairs
from lamina.data.readers import Segy
from lamina.data.splits import Sections
from lamina.data.views.rescaled import Stretch
from lamina.errors import DataError, OptionError, RecipeError
from lamina.task import Task
from lamina.volume import Transposed, read_all

BINARY = Task()
RAW = np.arange(2 * 3 * 4, dtype=np.float32).reshape(2, 3, 4)
LABELS = (RAW > 20).astype(np.uint8)


def put(path: Path, array: NDArray[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npy":
        np.save(path, array)
    elif path.suffix == ".zarr":
        zarr.create_array(path, shape=array.shape, chunks=(1, 2, 3), dtype=array.dtype)[...] = array
    elif path.suffix == ".h5":
        with h5py.File(path, "w") as file:
            file["volume"] = array
    elif path.suffix == ".gz":
        nibabel.save(nibabel.Nifti1Image(array, np.eye(4), dtype=array.dtype), path)
    elif path.suffix == ".sgy":
        segyio.tools.from_array3D(str(path), array.astype(np.float32), format=5)
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
    for word in ("2 volumes have no partner", "seismic_b.npy: no 'fault*.npy'", "fault_c.npy: no"):
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (
            ["raw.tif", "labels.tif"],
            "data.target is 'mito.tif', and the folder holds labels.tif, raw.tif; set it, as "
            "-s data.target=labels.tif",
        ),
        (
            ["raw.tif", "a.tif", "b.tif"],
            "the folder holds a.tif, b.tif, raw.tif; set data.target to the name of the target",
        ),
        (
            ["image.tif", "mito.tif"],
            "data.image is 'raw.tif', and neither the folder nor those in it have such a file "
            "(the folder holds image.tif, mito.tif); set data.image to the name of the image",
        ),
        ([], "(the folder holds no volume)"),
    ],
)
def test_files_called_otherwise_are_named_with_the_option_to_set(
    tmp_path: Path, names: list[str], said: str
) -> None:
    for name in names:
        put(tmp_path / name, RAW)
    with pytest.raises(DataError) as caught:
        VolumePairs(target="mito.tif").open(tmp_path, BINARY)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("image", "target", "files"),
    [
        ("{id}_im.tif", "{id}_seg.tif", ["#_im.tif", "#_seg.tif"]),
        ("images/*.tif", "labels/*.npy", ["images/#.tif", "labels/#.npy"]),
        ("raw/{id}.*", "lab/{id}_gt.*", ["raw/#.nii.gz", "lab/#_gt.nii.gz"]),
        ("*/raw.tif", "*/seg.tif", ["#/raw.tif", "#/seg.tif"]),
        ("{id}/{id}_im.npy", "{id}/{id}_seg.npy", ["#/#_im.npy", "#/#_seg.npy"]),
    ],
)
def test_READ_28_pairs_by_patterns_of_paths(
    tmp_path: Path, image: str, target: str, files: list[str]
) -> None:
    for name in ("a", "b"):
        put(tmp_path / files[0].replace("#", name), RAW)
        put(tmp_path / files[1].replace("#", name), LABELS if name == "b" else 0 * LABELS)
    catalog = VolumePairs(image=image, target=target)
    cases = catalog.open(tmp_path, BINARY).cases
    assert [case.id for case in cases] == ["a", "b"]
    assert [bool(read_all(case.target).any()) for case in cases if case.target] == [False, True]
    assert [input_.id for input_ in catalog.inputs(tmp_path)] == ["a", "b"]
    assert [one.id for one in catalog.inputs(tmp_path / files[0].replace("#", "b"))] == ["b"]
    (tmp_path / files[1].replace("#", "b")).unlink()
    with pytest.raises(DataError, match=r"1 volumes have no partner(.|\n)*no .* for it"):
        catalog.open(tmp_path, BINARY)


@pytest.mark.parametrize(
    "files",
    [
        ["imagesTr/#.nii.gz", "labelsTr/#.nii.gz"],
        ["#_raw.tif", "#_labels.tif"],
        ["volumes/#.tif", "volumes/#_seg.npy"],
    ],
)
def test_READ_23_the_options_named_for_volumes_work(tmp_path: Path, files: list[str]) -> None:
    for name in ("case_01", "case_02", "case_12"):
        put(tmp_path / files[0].replace("#", name), RAW)
        put(tmp_path / files[1].replace("#", name), LABELS)
    with pytest.raises(DataError, match="as the files here are called, -s") as caught:
        VolumePairs().open(tmp_path, BINARY)
    typed = shlex.split(str(caught.value).splitlines()[0].partition("are called, ")[2])
    options = dict(word.removeprefix("data.").split("=", 1) for word in typed if word != "-s")
    cases = VolumePairs(**options).open(tmp_path, BINARY).cases
    assert [case.id for case in cases] == ["case_01", "case_02", "case_12"]


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
    said = (
        r"1 folders have only one of image(.|\n)*v1: no 'fault\*\.npy'; the folder holds seismicA"
    )
    with pytest.raises(DataError, match=said):
        catalog.open(tmp_path, BINARY)


def test_shapes_that_differ_are_told_with_both_files(tmp_path: Path) -> None:
    """L05."""
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


CUBE = np.random.default_rng(0).normal(0, 1, (4, 4, 6)).astype(np.float32)
FAULT = (CUBE > 1).astype(np.uint8)


def folders(root: Path, *names: str, **other: NDArray[Any]) -> VolumePairs:
    """Write a folder for each volume, as the faults pipeline has them."""
    for name in names:
        put(root / name / "seismicCubes_RFC.npy", other.get(name, CUBE))
        put(root / name / "fault_segmentations.npy", FAULT)
    return VolumePairs(image="seismicCubes*.npy", target="fault*.npy")


@pytest.mark.parametrize("order", [(1, 0, 2), "yzx"])
def test_images_are_transposed_by_case_and_labels_are_not(tmp_path: Path, order: Any) -> None:
    """FAULT-2: the input of some volumes is transposed by (1, 0, 2), the label is not."""
    turned = CUBE.transpose(1, 0, 2)
    catalog = folders(
        tmp_path, "2024-06-10_a", "2024-06-10_b", "2023_c", **{"2024-06-10_a": turned}
    )
    catalog = catalog.model_copy(update={"transpose": {"2024-06-10_a": order}})
    cases = {case.id: case for case in catalog.open(tmp_path, BINARY).cases}
    for case in cases.values():
        assert case.target is not None
        np.testing.assert_array_equal(read_all(case.image)[0], CUBE)
        np.testing.assert_array_equal(read_all(case.target)[0], FAULT)
    assert isinstance(cases["2024-06-10_a"].image, Transposed)
    assert not isinstance(cases["2023_c"].image, Transposed)
    path = tmp_path / "2024-06-10_a" / "seismicCubes_RFC.npy"
    for id in ("2024-06-10_a", "seismicCubes_RFC"):  # predicted, by whatever name
        np.testing.assert_array_equal(read_all(catalog.open_image(path, id))[0], CUBE)


def test_names_and_numbers_of_a_turn_say_the_same(tmp_path: Path) -> None:
    stored = np.arange(2 * 3 * 4, dtype=np.float32).reshape(2, 3, 4)  # axes x, z, y
    for name, order in (("a", "xzy"), ("b", (1, 2, 0))):
        put(tmp_path / name / "raw.npy", stored)
        put(tmp_path / name / "labels.npy", np.zeros((3, 4, 2), np.uint8))
        catalog = VolumePairs(
            image="raw.npy", target="labels.npy", transpose={"a": "xzy", "b": (1, 2, 0)}
        )
        found = read_all(catalog.open_image(tmp_path / name / "raw.npy", name))[0]
        assert found[2, 3, 1] == stored[1, 2, 3], order
    assert len(catalog.open(tmp_path, BINARY).cases) == 2


def test_turns_that_are_none_are_refused(tmp_path: Path) -> None:
    for order in ("zzx", (0, 2, 3), (1, 1, 0)):
        with pytest.raises(OptionError, match="name each axis once"):
            VolumePairs(transpose={"a": order})
    catalog = folders(tmp_path, "a")
    for order, words in (("xy", "has 3 axes 'zyx', and data.transpose names 2"), ("abc", "'zyx'")):
        turned = catalog.model_copy(update={"transpose": {"*": order}})
        with pytest.raises(DataError, match=words):
            turned.open(tmp_path, BINARY)


def test_volumes_are_left_out_by_name_by_shape_and_where_labels_are_empty(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """FAULT-2: volumes with empty labels are excluded by name; other shapes are skipped."""
    catalog = folders(tmp_path, "2023_a", "2023_b", "2024_c", "2024_d")
    put(tmp_path / "2024_d" / "seismicCubes_RFC.npy", CUBE[:3])
    put(tmp_path / "2024_d" / "fault_segmentations.npy", FAULT[:3])
    put(tmp_path / "2024_c" / "fault_segmentations.npy", FAULT * 0)

    def ids(**options: Any) -> list[str]:
        return [case.id for case in catalog.model_copy(update=options).open(tmp_path, BINARY).cases]

    assert ids() == ["2023_a", "2023_b", "2024_c", "2024_d"]
    assert ids(exclude=("2023_a", "2024*")) == ["2023_b"]
    assert ids(shape=(4, 4, 6)) == ["2023_a", "2023_b", "2024_c"]
    assert "1 volumes left out, not (4, 4, 6)" in capsys.readouterr().err
    assert ids(empty="drop") == ["2023_a", "2023_b", "2024_d"]
    assert "1 volumes left out, their targets are empty" in capsys.readouterr().err
    assert ids(exclude=("2022*",)) == ids()
    assert "data.exclude names 2022*, which matches no volume here" in capsys.readouterr().err
    with pytest.raises(DataError, match=r"data\.exclude leaves none of 4 volumes"):
        ids(exclude=("*",))
    with pytest.raises(DataError, match=r"no volume is \(9, 9, 9\); there are .*set data\.shape"):
        ids(shape=(9, 9, 9))
    with pytest.raises(DataError, match="all 1 targets are empty"):
        ids(exclude=("2023*", "2024_d"), empty="drop")
    with pytest.raises(RecipeError, match=r"data\.empty is 'drop'"):
        catalog.model_copy(update={"empty": "drop"}).open(tmp_path, Task(kind="restore"))


def test_each_volume_is_stretched_to_bytes_by_its_own_range(tmp_path: Path) -> None:
    """FAULT-3: min-max of the whole volume times 255, truncated, in training and prediction."""
    large = (CUBE * 3 + 5).astype(np.float64)
    catalog = folders(tmp_path, "a", "b", b=large).model_copy(update={"stretch": Stretch()})
    for case, stored in zip(catalog.open(tmp_path, BINARY).cases, (CUBE, large), strict=True):
        ratio = (stored - stored.min()) / (stored.max() - stored.min())
        assert case.image.dtype == np.uint8
        np.testing.assert_array_equal(read_all(case.image)[0], (ratio * 255).astype(np.uint8))
        path = tmp_path / case.id / "seismicCubes_RFC.npy"
        np.testing.assert_array_equal(
            read_all(catalog.open_image(path, case.id)), read_all(case.image)
        )


@pytest.mark.parametrize("suffix", [".zarr", ".h5", ".nii.gz", ".sgy"])
@pytest.mark.parametrize("apart", [False, True])
def test_pairs_are_found_in_every_format(tmp_path: Path, suffix: str, apart: bool) -> None:
    for name in ("a", "b"):
        before = f"{name}/" if apart else f"{name}_"
        put(tmp_path / f"{before}seismic{suffix}", CUBE)
        put(tmp_path / f"{before}fault{suffix}", FAULT)
    catalog = VolumePairs(image=f"*seismic{suffix}", target=f"*fault{suffix}", fill="allow")
    cases = catalog.open(tmp_path, BINARY).cases
    assert [case.id for case in cases] == (["a", "b"] if apart else ["a_seismic", "b_seismic"])
    for case in cases:
        assert case.target is not None
        assert case.image.axes == ("xyz" if suffix == ".nii.gz" else "zyx")
        np.testing.assert_array_equal(read_all(case.image)[0], CUBE)
        np.testing.assert_array_equal(read_all(case.target)[0], FAULT)


def test_image_and_target_may_be_two_datasets_of_one_file(tmp_path: Path) -> None:
    for name in ("a", "b"):
        with h5py.File(tmp_path / f"{name}.h5", "w") as file:
            file["volumes/raw"], file["volumes/faults"] = CUBE, FAULT
    catalog = VolumePairs(
        image="*.h5", target="*.h5", dataset="volumes/raw", target_dataset="volumes/faults"
    )
    cases = catalog.open(tmp_path, BINARY).cases
    assert [case.id for case in cases] == ["a", "b"]
    for case in cases:
        assert case.target is not None
        np.testing.assert_array_equal(read_all(case.image)[0], CUBE)
        np.testing.assert_array_equal(read_all(case.target)[0], FAULT)


def test_segy_files_with_numbers_in_other_places(tmp_path: Path) -> None:
    for name, cube in (("seismic", CUBE), ("fault", FAULT)):
        spec = segyio.spec()
        spec.format, spec.samples, spec.tracecount = 5, np.arange(6) * 4.0, 16
        with segyio.create(str(tmp_path / f"{name}.sgy"), spec) as file:
            for number, (i, j) in enumerate(np.ndindex(4, 4)):
                file.header[number] = {181: i + 1, 185: j + 1, 115: 6}
                file.trace[number] = cube[i, j].astype(np.float32)
    options = {"image": "seismic.sgy", "target": "fault.sgy"}
    with pytest.raises(
        DataError, match=r"2 of 2|1 of 1 files cannot be read|is not a regular cube"
    ):
        VolumePairs(**options).open(tmp_path, BINARY)
    catalog = VolumePairs(**options, segy=Segy(inline=181, crossline=185))
    (case,) = catalog.open(tmp_path, BINARY).cases
    np.testing.assert_array_equal(read_all(case.image)[0], CUBE)


RESTORE = Task(kind="restore", names=("clean",))
NOISY = np.random.default_rng(1).normal(3, 2, (4, 5, 6)).astype(np.float32)
CLEAN = np.random.default_rng(2).normal(1, 1, (4, 5, 6)).astype(np.float32)


def noisy_and_clean(folder: Path) -> Path:
    put(folder / "raw.npy", NOISY)
    put(folder / "labels.npy", CLEAN)
    return folder


def unit(values: NDArray[Any], by: NDArray[Any]) -> NDArray[Any]:
    return np.asarray((values - by.min()) / (by.max() - by.min()))


@pytest.mark.parametrize(("how", "by"), [("own", CLEAN), ("shared", NOISY)])
def test_targets_on_their_own_range_or_that_of_the_image(
    tmp_path: Path, how: Any, by: NDArray[Any]
) -> None:
    """NOISE-6: two different maps as released, or one for both, which can be undone."""
    noisy_and_clean(tmp_path)
    catalog = VolumePairs(
        image="raw.npy", target="labels.npy", stretch=Stretch(to="unit"), stretch_target=how
    )
    (case,) = catalog.open(tmp_path, RESTORE).cases
    assert case.target is not None
    np.testing.assert_allclose(read_all(case.image)[0], unit(NOISY, NOISY), atol=1e-6)
    np.testing.assert_allclose(read_all(case.target)[0], unit(CLEAN, by), atol=1e-6)
    offset, span = catalog.stored(case.plane("z", 1).image, RESTORE)
    back = read_all(case.target)[0] * span + offset
    if how == "shared":
        np.testing.assert_allclose(back, CLEAN, atol=1e-5)
    else:  # nobody knows the range of what is restored
        assert (offset, span) == (0, 1)
    opened = catalog.open_image(tmp_path / "raw.npy", "raw")
    assert catalog.stored(opened, RESTORE) == (offset, span)


def test_targets_are_stretched_only_with_their_images_and_only_to_restore(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="stretch is not set"):
        VolumePairs(stretch_target="own")
    with pytest.raises(OptionError, match="shape, the order wanted, is not set"):
        VolumePairs(opposite="transpose")
    noisy_and_clean(tmp_path)
    catalog = VolumePairs(
        image="raw.npy", target="labels.npy", stretch=Stretch(), stretch_target="own"
    )
    with pytest.raises(RecipeError, match="labels have no range"):
        catalog.open(tmp_path, BINARY)


def test_volumes_stored_in_the_opposite_order_are_fully_transposed(tmp_path: Path) -> None:
    """NOISE-1: (300, 300, 1259) or (1259, 300, 300); each file is turned by itself."""
    put(tmp_path / "a" / "raw.npy", NOISY)
    put(tmp_path / "a" / "labels.npy", CLEAN.transpose())
    put(tmp_path / "b" / "raw.npy", NOISY.transpose())
    put(tmp_path / "b" / "labels.npy", CLEAN)
    put(tmp_path / "c" / "raw.npy", NOISY[:2])
    put(tmp_path / "c" / "labels.npy", CLEAN[:2])
    catalog = VolumePairs(
        image="raw.npy", target="labels.npy", shape=(6, 5, 4), opposite="transpose"
    )
    cases = catalog.open(tmp_path, RESTORE).cases
    assert [case.id for case in cases] == ["a", "b"]
    for case in cases:
        assert case.target is not None
        np.testing.assert_array_equal(read_all(case.image)[0], NOISY.transpose())
        np.testing.assert_array_equal(read_all(case.target)[0], CLEAN.transpose())
    assert catalog.open_image(tmp_path / "a" / "raw.npy", "a").shape == (6, 5, 4)
