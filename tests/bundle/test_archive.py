"""W07: hostile zips are refused before anything is read."""

from __future__ import annotations

import stat
import struct
import zipfile
from pathlib import Path

import pytest

from lamina.bundle import archive
from lamina.bundle.archive import Archive
from lamina.errors import BundleError


def write(path: Path, *entries: tuple[zipfile.ZipInfo | str, bytes], pack: int = 0) -> Path:
    with zipfile.ZipFile(path, "w", compression=pack) as opened:
        for name, data in entries:
            opened.writestr(name, data)
    return path


@pytest.mark.parametrize(
    "name",
    ["../x", "a/../../x", "/etc/x", "C:/x", "C:\\x", "..\\x", "a\\..\\..\\x", "//host/share/x"],
)
def test_names_that_leave_the_folder_are_refused(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / "b.zip", ("bundle.json", b"{}"), (name, b"x"))
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(BundleError, match="leaves the folder"):
        Archive(path)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO])
def test_links_and_devices_are_refused(tmp_path: Path, kind: int) -> None:
    info = zipfile.ZipInfo("members/a.safetensors")
    info.external_attr = (kind | 0o777) << 16
    path = write(tmp_path / "b.zip", (info, b"/etc/passwd"))
    with pytest.raises(BundleError, match="link or a device"):
        Archive(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("second", ["bundle.json", "Bundle.json", "BUNDLE.JSON"])
def test_two_entries_that_are_one_file_are_refused(tmp_path: Path, second: str) -> None:
    path = write(tmp_path / "b.zip", ("bundle.json", b"{}"), (second, b"[]"))
    with pytest.raises(BundleError, match="one file"):
        Archive(path)


def test_composed_and_decomposed_letters_are_one_file(tmp_path: Path) -> None:
    path = write(tmp_path / "b.zip", ("caf\u00e9", b"1"), ("cafe\u0301", b"2"))
    with pytest.raises(BundleError, match="one file"):
        Archive(path)


def test_a_bomb_is_refused_by_its_ratio(tmp_path: Path) -> None:
    path = write(tmp_path / "b.zip", ("x", bytes(10**7)), pack=zipfile.ZIP_DEFLATED)
    with pytest.raises(BundleError, match="more than 200:1"):
        Archive(path)


def test_too_many_entries_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "ENTRIES", 3)
    path = write(tmp_path / "b.zip", *((f"{n}", b"") for n in range(4)))
    with pytest.raises(BundleError, match="4 entries"):
        Archive(path)


def test_an_encrypted_entry_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "b.zip", ("x", b"data"))
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\x01\x02")  # the central directory decides
    data[at + 8 : at + 10] = struct.pack("<H", 1)
    path.write_bytes(data)
    with pytest.raises(BundleError, match="encrypted"):
        Archive(path)


def test_a_wrong_checksum_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "b.zip", ("x", b"some data that is stored as it is"))
    data = bytearray(path.read_bytes())
    data[data.index(b"some data")] ^= 1
    path.write_bytes(data)
    with pytest.raises(BundleError, match="damaged"):
        Archive(path).read("x")


def test_an_entry_that_claims_to_be_short_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "b.zip", ("x", b"y" * 1000), pack=zipfile.ZIP_DEFLATED)
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\x01\x02")
    data[at + 24 : at + 28] = struct.pack("<I", 10)
    path.write_bytes(data)
    with pytest.raises(BundleError, match=r"damaged|not as long"):
        Archive(path).read("x")


@pytest.mark.parametrize("cut", [0, 1, 40, 99])
def test_a_cut_zip_is_refused(tmp_path: Path, cut: int) -> None:
    path = write(tmp_path / "b.zip", ("x", b"y" * 1000))
    path.write_bytes(path.read_bytes()[: len(path.read_bytes()) * cut // 100])
    with pytest.raises(BundleError, match="not a readable zip"):
        Archive(path)


def test_a_good_zip_is_read_entry_by_entry(tmp_path: Path) -> None:
    path = write(tmp_path / "b.zip", ("folder/", b""), ("folder/x", b"1"), ("y", b"22"))
    opened = Archive(path)
    assert opened.names == ["folder/x", "y"]
    assert [opened.read(name) for name in opened.names] == [b"1", b"22"]
    with pytest.raises(BundleError, match="no entry 'z'"):
        opened.read("z")


def test_trust_4_a_zip_with_damaged_compressed_data_is_refused(tmp_path: Path) -> None:
    """TRUST-4, W07: zlib's own error is one message, whatever byte is hit."""
    path = tmp_path / "bundle.zip"
    content = bytes(range(256)) * 40
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.bin", content)
    whole = path.read_bytes()
    start = whole.index(b"a.bin") + 5
    seen = set()
    for at in range(start, start + 120):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        with pytest.raises(BundleError, match=r"entry 'a\.bin' is") as caught:
            Archive(path).read("a.bin")
        seen.add(type(caught.value.__cause__).__name__)
    assert "error" in seen  # zlib.error
    for at in (0, 1, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:at])
        with pytest.raises(BundleError, match=r"bundle\.zip: not a readable zip"):
            Archive(path)
