"""Copies of packed volumes: equal values, made once, and only where they are worth it."""

from __future__ import annotations

import multiprocessing
import pickle
import signal
from pathlib import Path
from typing import Any

import h5py
import nibabel
import numpy as np
import pytest
import tifffile
import zarr
from numpy.typing import NDArray

from lamina.data.case import Case
from lamina.data.catalogs import VolumePairs
from lamina.data.prepare.unpack import UnpackedVolume, unpacked
from lamina.data.readers import open_volume
from lamina.data.views.rescaled import Stretch
from lamina.errors import ResourceError
from lamina.geometry.region import Region
from lamina.task import Task
from lamina.volume import Crop, Plane, Transposed, Volume, read_all

CUBE = np.random.default_rng(0).normal(0, 9, (6, 7, 8)).astype(np.float32)
FAULT = (CUBE > 9).astype(np.uint8)


def store(path: Path, array: NDArray[Any] = CUBE, **options: Any) -> Path:
    options = {"chunks": (2, 3, 4)[-array.ndim :]} | options
    zarr.create_array(path, shape=array.shape, dtype=array.dtype, **options)[...] = array
    return path


def only(volume: Volume, folder: Path) -> Volume:
    (case,) = unpacked([Case("a", "a", volume)], folder)
    return case.image


def files(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir()) if folder.is_dir() else []


def test_a_packed_volume_is_read_from_a_copy_under_its_own_name(tmp_path: Path) -> None:
    volume = open_volume(store(tmp_path / "a.zarr"))
    copy = only(volume, tmp_path / "run")
    assert isinstance(copy, UnpackedVolume)
    assert isinstance(copy, Volume)
    assert (copy.name, copy.axes, copy.shape) == (volume.name, volume.axes, volume.shape)
    assert (copy.channels, copy.dtype) == (volume.channels, volume.dtype)
    (file,) = files(tmp_path / "run")
    assert file.startswith("a.zarr.")
    np.testing.assert_array_equal(np.load(tmp_path / "run" / file), CUBE)
    np.testing.assert_array_equal(read_all(pickle.loads(pickle.dumps(copy)))[0], CUBE)


def test_one_copy_serves_all_views_and_is_made_once(tmp_path: Path) -> None:
    store(tmp_path / "data" / "raw.zarr")
    store(tmp_path / "data" / "labels.zarr", FAULT, fill_value=9)
    catalog = VolumePairs(image="raw.zarr", target="labels.zarr", ignore=7)
    (case,) = catalog.open(tmp_path / "data", Task()).cases
    parts = [
        case.crop(Region((0, 0, 0), (3, 7, 8)), "a"),
        case.crop(Region((3, 0, 0), (6, 7, 8)), "b"),
    ]
    first = unpacked(parts, tmp_path / "run")
    assert len(files(tmp_path / "run")) == 2  # image and target; the valid area is a view of it
    times = [(tmp_path / "run" / name).stat().st_mtime_ns for name in files(tmp_path / "run")]
    again = unpacked(parts, tmp_path / "run")
    assert times == [
        (tmp_path / "run" / name).stat().st_mtime_ns for name in files(tmp_path / "run")
    ]
    for cases in (first, again):
        for one, span in zip(cases, (slice(0, 3), slice(3, 6)), strict=True):
            assert one.target is not None
            assert one.valid is not None
            np.testing.assert_array_equal(read_all(one.image)[0], CUBE[span])
            np.testing.assert_array_equal(read_all(one.target)[0], FAULT[span])
            assert read_all(one.valid).all()
            assert isinstance(one.image, Crop)
            assert isinstance(one.image.source, UnpackedVolume)


def test_a_changed_source_gets_a_copy_of_its_own(tmp_path: Path) -> None:
    """B08."""
    only(open_volume(store(tmp_path / "a.zarr")), tmp_path / "run")
    (tmp_path / "a.zarr" / "c/0/0/0").unlink()
    zarr.open_array(tmp_path / "a.zarr")[...] = CUBE + 1
    copy = only(open_volume(tmp_path / "a.zarr"), tmp_path / "run")
    np.testing.assert_array_equal(read_all(copy)[0], CUBE + 1)
    assert len(files(tmp_path / "run")) == 2


def test_a_stretched_and_turned_volume_is_copied_as_it_is_seen(tmp_path: Path) -> None:
    turned = Transposed(open_volume(store(tmp_path / "a.zarr")), (1, 0, 2), "zyx")
    seen = Stretch().of(turned)
    copy = only(seen, tmp_path / "run")
    (file,) = files(tmp_path / "run")
    stored = np.load(tmp_path / "run" / file)
    assert (stored.dtype, stored.shape) == (np.dtype("u1"), (7, 6, 8))
    np.testing.assert_array_equal(read_all(copy), read_all(seen))
    other = only(Stretch(low=1, high=99).of(turned), tmp_path / "run")
    assert len(files(tmp_path / "run")) == 2
    assert (read_all(other) != read_all(copy)).any()


def test_channels_are_copied_too(tmp_path: Path) -> None:
    both = np.stack([CUBE, CUBE * 2])
    path = store(tmp_path / "a.zarr", both, chunks=(1, 2, 3, 4), dimension_names=[*"czyx"])
    copy = only(open_volume(path), tmp_path / "run")
    np.testing.assert_array_equal(read_all(copy), both)


def test_only_what_is_packed_is_copied(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", CUBE)
    tifffile.imwrite(tmp_path / "a.tif", CUBE, photometric="minisblack")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["a"] = CUBE
    nibabel.save(nibabel.Nifti1Image(CUBE, np.eye(4)), tmp_path / "a.nii")
    store(tmp_path / "flat.zarr", CUBE[0])
    for name in ("a.npy", "a.tif", "a.h5", "a.nii", "flat.zarr"):
        volume = open_volume(tmp_path / name)
        assert only(volume, tmp_path / "run") is volume
    assert files(tmp_path / "run") == []
    tifffile.imwrite(tmp_path / "b.tif", CUBE, photometric="minisblack", compression="zlib")
    nibabel.save(nibabel.Nifti1Image(CUBE, np.eye(4)), tmp_path / "b.nii.gz")
    for name in ("b.tif", "b.nii.gz"):
        plane = Plane(only(open_volume(tmp_path / name), tmp_path / "run"), "y", 3)
        np.testing.assert_array_equal(read_all(plane)[0], CUBE[:, 3])
    assert len(files(tmp_path / "run")) == 2


def test_a_disk_that_is_too_small_is_told_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """M02."""
    volume = open_volume(store(tmp_path / "a.zarr"))
    usage = type("Usage", (), {"free": CUBE.nbytes - 1})
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    with pytest.raises(ResourceError, match=r"1 packed volumes need .* set data\.unpack to never"):
        only(volume, tmp_path / "run")
    assert files(tmp_path / "run") == []


@pytest.mark.usefixtures("one_thread")  # children are forked
@pytest.mark.parametrize("point", ["file.after_write", "file.before_rename", "file.after_rename"])
def test_b07_killed_midway_finished_copies_are_kept_and_others_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    """B07: two volumes, killed while the second is copied; a part never counts as a copy."""
    cases = [
        Case(name, name, open_volume(store(tmp_path / f"{name}.zarr", CUBE + number)))
        for number, name in enumerate("ab")
    ]
    monkeypatch.setenv("LAMINA_FAULT", f"{point}:2")
    child = multiprocessing.get_context("fork").Process(
        target=unpacked, args=(cases, tmp_path / "run")
    )
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL
    monkeypatch.delenv("LAMINA_FAULT")
    whole = [name for name in files(tmp_path / "run") if not name.startswith(".")]
    assert len(whole) == 1 + (point == "file.after_rename")
    first = (tmp_path / "run" / whole[0]).stat().st_mtime_ns
    found = unpacked(cases, tmp_path / "run")
    assert (tmp_path / "run" / whole[0]).stat().st_mtime_ns == first
    for number, case in enumerate(found):
        np.testing.assert_array_equal(read_all(case.image)[0], CUBE + number)
