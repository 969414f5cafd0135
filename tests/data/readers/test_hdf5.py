"""HDF5 files of one and of several datasets; those that point elsewhere, or are not whole."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from lamina.data.readers import Hdf5Volume, open_volume
from lamina.errors import DataError
from lamina.geometry.region import Region
from lamina.volume import Chunked, read_all

CUBE = np.arange(5 * 6 * 7, dtype=np.uint16).reshape(5, 6, 7)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.h5"


def test_the_only_dataset_of_two_or_more_axes_needs_no_name(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["volumes/raw"] = CUBE
        file["spacing"] = np.ones(3)
        file["note"] = "text"
    volume = open_volume(path)
    assert isinstance(volume, Hdf5Volume)
    assert volume.name == f"{path}:volumes/raw"
    np.testing.assert_array_equal(read_all(volume)[0], CUBE)


def test_of_several_datasets_one_must_be_named(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["raw"], file["deep/labels"] = CUBE, CUBE % 2
    with pytest.raises(DataError, match=r"holds 2 datasets; .* data\.dataset: deep/labels, raw"):
        open_volume(path)
    for name in ("deep/labels", "/deep/labels"):
        np.testing.assert_array_equal(read_all(open_volume(path, dataset=name))[0], CUBE % 2)
    for wrong in ("mask", "deep/mask", "raw/mask"):
        with pytest.raises(DataError, match=rf"no dataset '{wrong}'; it holds deep/labels, raw"):
            open_volume(path, dataset=wrong)
    with pytest.raises(DataError, match="'deep' is not a dataset"):
        open_volume(path, dataset="deep")


def test_half_floats_with_lzf_are_read_as_they_are(path: Path) -> None:
    """NOISE-2: 16-bit floats in a dataset called volume, packed with LZF."""
    stored = np.random.default_rng(0).normal(size=(9, 10, 11)).astype(np.float16)
    with h5py.File(path, "w") as file:
        file.create_dataset("volume", data=stored, chunks=(2, 3, 11), compression="lzf")
    volume = open_volume(path, dataset="volume")
    assert isinstance(volume, Chunked)
    assert (volume.dtype, volume.chunk_shape) == (np.dtype("f2"), (2, 3, 11))
    np.testing.assert_array_equal(read_all(volume)[0], stored)


def test_axes_are_those_named(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["a"] = np.stack([CUBE, CUBE + 500], -1)
    volume = open_volume(path, "xyzc")
    assert (volume.axes, volume.channels) == ("xyz", 2)
    np.testing.assert_array_equal(read_all(volume)[1], CUBE + 500)
    with pytest.raises(DataError, match=r"has 4 axes .* set data\.axes"):
        open_volume(path)


def test_fault_I19_numbers_of_another_file_are_never_read(tmp_path: Path, path: Path) -> None:
    secret = tmp_path / "secret.bin"
    secret.write_bytes(CUBE.tobytes())
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["raw"] = CUBE
    with h5py.File(path, "w") as file:
        file.create_dataset("outside", CUBE.shape, "u2", external=[(str(secret), 0, CUBE.nbytes)])
        layout = h5py.VirtualLayout(CUBE.shape, "u2")
        layout[...] = h5py.VirtualSource(tmp_path / "other.h5", "raw", CUBE.shape)
        file.create_virtual_dataset("virtual", layout)
        file["link"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/raw")
        file["soft"] = h5py.SoftLink("/link")
    for name in ("outside", "virtual"):
        with pytest.raises(DataError, match=rf"a\.h5:{name}: its numbers lie in another file"):
            open_volume(path, dataset=name)
    for name in ("link", "soft"):
        with pytest.raises(DataError, match=rf"'{name}' of '{name}' is a link to '/"):
            open_volume(path, dataset=name)
    with pytest.raises(DataError, match="holds 2 datasets"):  # what links lead to is not listed
        open_volume(path)


def test_chunks_that_were_never_written_are_refused_unless_they_are_meant(path: Path) -> None:
    with h5py.File(path, "w") as file:
        data = file.create_dataset("part", CUBE.shape, "u2", chunks=(2, 3, 7), fillvalue=9)
        data[:2] = CUBE[:2]
        file.create_dataset("none", CUBE.shape, "u2")
    with pytest.raises(DataError, match=r"4 of its 6 chunks were never written; .* data\.fill"):
        open_volume(path, dataset="part")
    with pytest.raises(DataError, match="1 of its 1 chunks were never written"):
        open_volume(path, dataset="none")
    filled = read_all(open_volume(path, dataset="part", fill="allow"))[0]
    np.testing.assert_array_equal(filled[:2], CUBE[:2])
    assert (filled[2:] == 9).all()


def test_a_damaged_chunk_is_named(path: Path) -> None:
    with h5py.File(path, "w") as file:
        data = file.create_dataset("a", data=CUBE, chunks=(5, 6, 7), compression="gzip")
        where = data.id.get_chunk_info(0)
    raw = bytearray(path.read_bytes())
    raw[where.byte_offset : where.byte_offset + where.size] = b"\xff" * where.size
    path.write_bytes(raw)
    with pytest.raises(DataError, match=r"a\.h5:a: .* is damaged, or packed with a filter"):
        read_all(open_volume(path))


def test_what_is_no_array_of_numbers_is_refused(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["text"] = np.array([[b"a", b"b"]])
    with pytest.raises(DataError, match=r"holds .*, not numbers"):
        open_volume(path)
    with h5py.File(path, "w") as file:
        file["line"] = np.ones(4)
    with pytest.raises(DataError, match="holds no dataset of two or more axes"):
        open_volume(path)


def test_a_file_that_changes_is_noticed(path: Path) -> None:
    for value in (CUBE, CUBE.astype(np.float64)):
        before = open_volume(path) if path.exists() else None
        with h5py.File(path, "w") as file:
            file["a"] = value
        if before is not None:
            with pytest.raises(DataError, match="is gone or changed"):
                before.read(Region((0, 0, 0), (1, 1, 1)))


def test_without_h5py_one_line_says_what_to_install(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["a"] = CUBE
    code = (
        "import sys; sys.modules['h5py'] = None\n"
        "from lamina.data.readers import open_volume\n"
        f"open_volume({str(path)!r})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "pip install 'lamina[volumes]'" in done.stderr.splitlines()[-1]


def test_opening_other_files_imports_none_of_the_extras() -> None:
    code = (
        "import lamina.data.readers, sys\n"
        "raise SystemExit(len({'h5py', 'nibabel', 'segyio'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("block", [512, 1024, 4096])
def test_READ_15_a_user_block_may_come_first(tmp_path: Path, block: int) -> None:
    """MATLAB 7.3 files begin with a block of 512 bytes of text."""
    path = tmp_path / "a.mat.h5"
    array = np.arange(24).reshape(4, 6)
    with h5py.File(path, "w", userblock_size=block) as file:
        file["x"] = array
    with path.open("r+b") as stream:
        stream.write(b"MATLAB 7.3 MAT-file")
    np.testing.assert_array_equal(read_all(open_volume(path))[0], array)


def test_READ_12_a_group_that_contains_itself_is_entered_once(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        group = file.create_group("group")
        group["x"] = np.arange(24).reshape(4, 6)
        group["again"] = group
    assert open_volume(path).shape == (4, 6)
