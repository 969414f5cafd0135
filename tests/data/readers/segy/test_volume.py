"""SEG-Y as segyio writes it, in every order of traces; and what is no cube."""

from __future__ import annotations

import pickle
import struct
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import segyio
from numpy.typing import NDArray

from lamina.data.readers import Segy, SegyVolume, open_volume
from lamina.errors import DataError, OptionError
from lamina.geometry.region import Region
from lamina.volume import read_all

CUBE = np.random.default_rng(0).normal(0, 1e3, (4, 5, 11)).astype(np.float32)
PLACES = [(i, j) for i in range(4) for j in range(5)]


def put(
    path: Path,
    places: Sequence[tuple[int, int]] = PLACES,
    *,
    kind: int = 5,
    bytes: tuple[int, int] = (189, 193),
    steps: tuple[int, int] = (1, 2),
    cube: NDArray[Any] = CUBE,
    headers: dict[int, int] | None = None,
) -> Path:
    """Write the traces of ``places``, in that order, with their numbers at ``bytes``."""
    spec = segyio.spec()
    spec.format, spec.samples = kind, np.arange(cube.shape[2]) * 4.0
    spec.tracecount = len(places)
    with segyio.create(str(path), spec) as file:
        for number, (i, j) in enumerate(places):
            lines = {bytes[0]: 100 + i * steps[0], bytes[1]: 7 + j * steps[1]}
            file.header[number] = {115: cube.shape[2], 29: 1} | lines | (headers or {})
            file.trace[number] = cube[i, j].copy()  # segyio converts in place
    return path


def orders() -> dict[str, list[tuple[int, int]]]:
    shuffled = [PLACES[k] for k in np.random.default_rng(1).permutation(len(PLACES))]
    return {
        "by inline": PLACES,
        "by crossline": sorted(PLACES, key=lambda place: place[::-1]),
        "from the end": PLACES[::-1],
        "there and back": [(i, j if i % 2 else 4 - j) for i, j in PLACES],
        "in no order": shuffled,
    }


@pytest.mark.parametrize("order", orders())
def test_traces_stand_where_their_numbers_say(tmp_path: Path, order: str) -> None:
    volume = open_volume(put(tmp_path / "a.sgy", orders()[order]))
    assert isinstance(volume, SegyVolume)
    assert (volume.axes, volume.shape, volume.dtype) == ("zyx", CUBE.shape, np.dtype("f4"))
    np.testing.assert_array_equal(read_all(volume)[0], CUBE)
    for box in (
        Region((1, 0, 0), (2, 5, 11)),
        Region((0, 3, 0), (4, 4, 11)),
        Region((0, 0, 6), (4, 5, 7)),
        Region((1, 2, 3), (4, 4, 9)),
    ):
        np.testing.assert_array_equal(volume.read(box)[0], CUBE[box.slices])
    again = pickle.loads(pickle.dumps(volume))
    np.testing.assert_array_equal(read_all(again)[0], CUBE)


def by_hand(word: int) -> float:
    """An IBM float: sign, exponent to the base 16 with a bias of 64, and 24 bits of fraction."""
    sign, power, fraction = word >> 31, (word >> 24) & 0x7F, word & 0xFFFFFF
    return (-1.0) ** sign * fraction / 2**24 * 16.0 ** (power - 64)


def test_ibm_floats_are_what_their_bits_say(tmp_path: Path) -> None:
    path = put(tmp_path / "a.sgy", kind=1)
    words = [0x42640000, 0xC276A000, 0x00000000, 0x41100000, 0x40FFFFFF, 0xBF123456]
    raw = bytearray(path.read_bytes())
    raw[3600 + 240 : 3600 + 240 + 4 * len(words)] = struct.pack(f">{len(words)}I", *words)
    path.write_bytes(raw)
    assert by_hand(0xC276A000) == -118.625  # the example of the standard's textbooks
    found = open_volume(path).read(Region((0, 0, 0), (1, 1, len(words))))
    assert found.dtype == np.float32
    assert found.ravel().tolist() == [np.float32(by_hand(word)) for word in words]


@pytest.mark.parametrize("kind", [2, 3, 5, 8])
def test_other_types_are_read_as_they_are_stored(tmp_path: Path, kind: int) -> None:
    dtype = {2: np.int32, 3: np.int16, 5: np.float32, 8: np.int8}[kind]
    cube = (CUBE.clip(-100, 100) if kind != 5 else CUBE).astype(dtype)
    volume = open_volume(put(tmp_path / "a.sgy", kind=kind, cube=cube))
    assert volume.dtype == dtype
    np.testing.assert_array_equal(read_all(volume)[0], cube)


@pytest.mark.parametrize("pair", [(9, 21), (5, 21), (17, 13)])
def test_numbers_at_other_known_bytes_are_found(tmp_path: Path, pair: tuple[int, int]) -> None:
    volume = open_volume(put(tmp_path / "a.sgy", bytes=pair))
    np.testing.assert_array_equal(read_all(volume)[0], CUBE)


def test_numbers_at_any_bytes_may_be_given(tmp_path: Path) -> None:
    path = put(tmp_path / "a.sgy", bytes=(181, 185))
    with pytest.raises(DataError) as caught:
        open_volume(path)
    first, facts, *tried = str(caught.value).splitlines()
    for word in ("a.sgy: is not a regular cube by bytes 189 and 193", "data.segy.inline"):
        assert word in first
    assert "20 traces of 11 samples, float32, big endian" in facts
    assert "bytes 9 and 21: 1 inlines" in tried[0]
    volume = open_volume(path, segy=Segy(inline=181, crossline=185))
    np.testing.assert_array_equal(read_all(volume)[0], CUBE)
    with pytest.raises(DataError, match=r"no numbers begin at bytes \(190, 194\)"):
        open_volume(path, segy=Segy(inline=190, crossline=194))
    with pytest.raises(OptionError, match="belong together"):
        Segy(inline=189)


@pytest.mark.parametrize(
    ("places", "words"),
    [
        (PLACES[:-1], "4 inlines (100 to 103) and 5 crosslines (7 to 15) with 1 traces missing"),
        ([*PLACES, PLACES[0]], "0 traces missing and 1 traces more than one to a place"),
        ([*PLACES[1:], PLACES[1]], "1 traces missing and 1 traces more than one to a place"),
        ([(i, j) for i, j in PLACES if i != 2], "the inlines do not rise in equal steps"),
        (PLACES[:5], "a line, not a cube"),
    ],
)
def test_fault_I18_what_is_no_regular_cube_is_refused_with_its_facts(
    tmp_path: Path, places: list[tuple[int, int]], words: str
) -> None:
    with pytest.raises(DataError) as caught:
        open_volume(put(tmp_path / "a.sgy", places))
    assert words in str(caught.value).splitlines()[0]


def test_a_line_may_be_read_where_its_bytes_are_given(tmp_path: Path) -> None:
    path = put(tmp_path / "a.sgy", PLACES[:5])
    volume = open_volume(path, segy=Segy(inline=189, crossline=193))
    np.testing.assert_array_equal(read_all(volume)[0], CUBE[:1])


def test_fault_I18_dead_traces_and_traces_of_other_lengths_are_refused(tmp_path: Path) -> None:
    dead = put(tmp_path / "a.sgy", headers={29: 2})
    with pytest.raises(DataError, match=r"20 of 20 traces are marked as dead; set data\.segy"):
        open_volume(dead)
    np.testing.assert_array_equal(read_all(open_volume(dead, segy=Segy(dead="keep")))[0], CUBE)
    other = put(tmp_path / "b.sgy")
    with segyio.open(str(other), "r+", ignore_geometry=True) as file:
        file.header[3] = {115: 12}
    with pytest.raises(DataError, match="1 of 20 traces are said to have other than 11 samples"):
        open_volume(other)


def test_READ_14_an_old_count_in_all_trace_headers_is_said_and_not_believed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = put(tmp_path / "a.sgy", headers={115: 12})
    np.testing.assert_array_equal(read_all(open_volume(path))[0], CUBE)
    assert "its trace headers say 12 samples; read are 11" in capsys.readouterr().err


def test_READ_20_a_line_is_read_by_the_bytes_that_the_message_names(tmp_path: Path) -> None:
    path = put(tmp_path / "a.sgy", PLACES[:5])
    with pytest.raises(DataError, match=r"set data\.segy\.inline to 189 and .*crossline to 193"):
        open_volume(path)
    assert open_volume(path, segy=Segy(inline=189, crossline=193)).shape == (1, 5, 11)


def test_fault_I18_an_unknown_format_is_named(tmp_path: Path) -> None:
    path = put(tmp_path / "a.sgy")
    raw = bytearray(path.read_bytes())
    raw[3224:3226] = b"\0\x04"
    path.write_bytes(raw)
    with pytest.raises(DataError, match=r"samples are of format 4; read are 1 \(IBM floats\)"):
        open_volume(path)


def test_fault_I02_a_cut_between_two_traces_is_found(tmp_path: Path) -> None:
    path = put(tmp_path / "a.sgy")
    trace = 240 + 4 * 11
    raw = path.read_bytes()
    path.write_bytes(raw[: -3 * trace])
    with pytest.raises(DataError, match="with 3 traces missing"):
        open_volume(path)
    path.write_bytes(raw[:-7])
    with pytest.raises(DataError, match="is cut off, or not a SEG-Y file"):
        open_volume(path)
    path.write_bytes(raw[:3000])
    with pytest.raises(DataError, match="is cut off within its headers"):
        open_volume(path)


def test_a_file_that_changes_is_noticed(tmp_path: Path) -> None:
    volume = open_volume(put(tmp_path / "a.sgy"))
    put(tmp_path / "a.sgy", PLACES[:5])
    with pytest.raises(DataError, match="is gone or changed while in use"):
        read_all(volume)


def test_without_segyio_one_line_says_what_to_install(tmp_path: Path) -> None:
    path = put(tmp_path / "a.sgy")
    code = (
        "import sys; sys.modules['segyio'] = None\n"
        "from lamina.data.readers import open_volume\n"
        f"open_volume({str(path)!r})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "pip install 'lamina[segy]'" in done.stderr.splitlines()[-1]


@pytest.mark.data
@pytest.mark.parametrize("kind", [1, 5])
def test_real_amplitudes_survive_both_kinds_of_float(
    shared_data: Path, tmp_path: Path, kind: int
) -> None:
    field = np.load(shared_data / "seismic-f3-faults" / "field3d.npy")
    places = list(np.ndindex(*field.shape[:2]))
    path = put(tmp_path / "a.sgy", places, kind=kind, cube=field)
    found = read_all(open_volume(path))[0]
    with segyio.open(str(path), strict=False) as file:
        np.testing.assert_array_equal(found, segyio.tools.cube(file))
    np.testing.assert_allclose(found, field, rtol=0 if kind == 5 else 2**-20, atol=0)
