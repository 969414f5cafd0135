"""TIFF: pages that are missing, axes as the file or the recipe names them, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from lamina.data.readers import TiffVolume, open_volume
from lamina.data.readers.cache import RECENT
from lamina.errors import DataError
from lamina.geometry.region import Region
from lamina.volume import read_all

STACK = np.random.default_rng(3).integers(0, 60000, (8, 64, 48)).astype(np.uint16)


def write(path: Path, array: NDArray[Any] = STACK, **options: Any) -> Path:
    tifffile.imwrite(path, array, **{"photometric": "minisblack", **options})
    return path


@pytest.mark.parametrize("percent", range(2, 100, 7))
@pytest.mark.parametrize(
    "options",
    [
        {"compression": "zlib"},
        {"compression": "zlib", "metadata": None},
        {},
        {"metadata": None},
        {"imagej": True, "metadata": {"axes": "ZYX"}},
        {"ome": True, "metadata": {"axes": "ZYX"}, "compression": "lzw"},
        {"bigtiff": True, "compression": "zlib", "rowsperstrip": 16},
    ],
    ids=["zlib", "zlib_bare", "plain", "bare", "imagej", "ome", "bigtiff"],
)
def test_fault_I04_no_cut_gives_fewer_pages(
    tmp_path: Path, options: dict[str, Any], percent: int
) -> None:
    path = write(tmp_path / "a.tif", **options)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * percent // 100])
    with pytest.raises(DataError, match=r"a.tif: "):
        read_all(open_volume(path))


def test_fault_I04_a_description_that_promises_more_pages_is_believed(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as writer:
        for page in STACK[:5]:
            writer.write(page, description='{"shape": [8, 64, 48]}', metadata=None)
    with pytest.raises(DataError, match="claims 8 pages and holds 5; the file is not whole"):
        open_volume(path)
    write(path, imagej=True, metadata={"axes": "ZYX"})
    path.write_bytes(path.read_bytes().replace(b"images=8", b"images=9"))
    with pytest.raises(DataError, match="claims 9 pages and holds 8"):
        open_volume(path)


def test_pages_saved_one_by_one_by_another_library_are_a_stack(tmp_path: Path) -> None:
    pages = [Image.fromarray((page // 256).astype(np.uint8)) for page in STACK]
    path = tmp_path / "a.tif"
    pages[0].save(path, save_all=True, append_images=pages[1:], compression="tiff_lzw")
    volume = open_volume(path)
    assert (volume.axes, volume.shape) == ("zyx", STACK.shape)
    np.testing.assert_array_equal(read_all(volume)[0], STACK // 256)


def test_axes_may_be_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", compression="zlib")
    assert open_volume(path).axes == "zyx"
    assert open_volume(path, "xyz").axes == "xyz"
    masks = open_volume(path, "cyx")
    assert (masks.axes, masks.channels, masks.shape) == ("yx", 8, (64, 48))
    np.testing.assert_array_equal(read_all(masks), STACK)
    np.testing.assert_array_equal(masks.read(Region((3, 4), (60, 40))), STACK[:, 3:60, 4:40])


def test_a_single_page_may_be_a_stack_of_one(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", STACK[0])
    assert open_volume(path).shape == (64, 48)
    assert open_volume(path, "zyx").shape == (1, 64, 48)


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("order", ["ZCYX", "CZYX"])
def test_channels_and_slices_are_told_apart(
    tmp_path: Path, compression: str | None, order: str
) -> None:
    array = STACK.reshape(4, 2, 64, 48) if order == "ZCYX" else STACK.reshape(2, 4, 64, 48)
    path = write(tmp_path / "a.tif", array, ome=True, metadata={"axes": order},
                 compression=compression)  # fmt: skip
    volume = open_volume(path)
    assert (volume.axes, volume.channels, volume.shape) == ("zyx", 2, (4, 64, 48))
    wanted = array.swapaxes(0, 1) if order == "ZCYX" else array
    region = Region((1, 5, 6), (4, 64, 20))
    np.testing.assert_array_equal(volume.read(region), wanted[:, 1:4, 5:64, 6:20])
    same = open_volume(path, order.lower())
    np.testing.assert_array_equal(read_all(same), wanted)


@pytest.mark.parametrize(
    ("axes", "words"),
    [
        ("yx", r"has axes \(8, 64, 48\) without colours, but 'yx' names 2; set data.axes"),
        ("zzy", "must be two or three different small letters"),
        ("zcx", "makes the wrong axis the channels"),
    ],
)
def test_axes_that_do_not_fit_are_refused(tmp_path: Path, axes: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        open_volume(write(tmp_path / "a.tif"), axes)


def test_fault_I01_what_programs_read_differently_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="0 means white in it; save it with 0 as black"):
        open_volume(write(tmp_path / "a.tif", STACK.astype("f4"), photometric="miniswhite"))
    with pytest.raises(DataError, match=r"it is to be turned \(EXIF orientation 6\)"):
        open_volume(write(tmp_path / "e.tif", STACK[0], extratags=[(274, 3, 1, 6, True)]))
    cmyk = np.zeros((16, 16, 4), np.uint8)
    with pytest.raises(DataError, match="its colours are SEPARATED; save it as grey or RGB"):
        open_volume(write(tmp_path / "b.tif", cmyk, photometric="separated"))
    with pytest.raises(DataError, match="its pixels are not integers or floats"):
        open_volume(write(tmp_path / "c.tif", np.zeros((4, 4), np.complex64)))
    with pytest.raises(DataError, match=r"stack along 2 axes 'TZ' .* save one stack per file"):
        open_volume(write(tmp_path / "d.tif", STACK.reshape(2, 4, 64, 48), ome=True,
                          metadata={"axes": "TZYX"}))  # fmt: skip


def test_pages_of_different_size_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as writer:
        writer.write(STACK[0])
        writer.write(STACK[0, ::2, ::2])
    with pytest.raises(DataError, match="page 1 differs from page 0"):
        open_volume(path)


def test_a_strip_without_bytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tiles: list[Any] = [np.ones((16, 16), np.uint8), None]  # None: a tile that is not stored
    tifffile.imwrite(path, iter(tiles), shape=(16, 32), dtype=np.uint8, tile=(16, 16),
                     photometric="minisblack", compression="zlib")  # fmt: skip
    with pytest.raises(DataError, match="a strip or tile without bytes; the file was never finish"):
        open_volume(path)


def test_a_damaged_strip_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", compression="zlib", rowsperstrip=16)
    with tifffile.TiffFile(path) as tif:
        page: Any = tif.pages[5]
        place = page.dataoffsets[2] + 40
    data = bytearray(path.read_bytes())
    data[place] ^= 0xFF
    path.write_bytes(data)
    volume = open_volume(path)
    volume.read(Region((5, 0, 0), (6, 32, 48)))  # strips 0 and 1 are whole
    with pytest.raises(DataError, match="page 5, strip 2 is damaged"):
        volume.read(Region((5, 0, 0), (6, 33, 48)))


def test_only_the_strips_of_a_region_are_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume = open_volume(write(tmp_path / "a.tif", compression="zlib", rowsperstrip=16))
    asked: list[Any] = []
    get = RECENT.get

    def listen(key: Any, make: Any) -> Any:
        asked.append(key[-2:])
        return get(key, make)

    monkeypatch.setattr(RECENT, "get", listen)
    volume.read(Region((2, 20, 0), (4, 40, 5)))
    assert asked == [(2, 1), (2, 2), (3, 1), (3, 2)]


def test_an_uncoded_stack_is_mapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    volume = open_volume(write(tmp_path / "a.tif"))
    assert isinstance(volume, TiffVolume)
    monkeypatch.setattr(volume, "_decode", None)
    np.testing.assert_array_equal(read_all(volume)[0], STACK)
    (tmp_path / "a.tif").write_bytes(b"")
    with pytest.raises(DataError, match="is gone or changed while in use"):
        read_all(volume)


def test_big_mapped_files_stay_mapped_and_pickle_without_the_map(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lamina.data.readers.tiff.volume._KEEP_OPEN", 1)
    volume = TiffVolume(write(tmp_path / "a.tif"))
    for _ in range(2):
        np.testing.assert_array_equal(read_all(volume)[0], STACK)
    assert volume.__getstate__()["_kept"] is None


def test_jpeg_pages_give_the_colours_they_show(tmp_path: Path) -> None:
    flat = np.full((32, 32, 3), (200, 30, 90), np.uint8)
    path = write(tmp_path / "a.tif", flat, photometric="rgb", compression="jpeg")
    assert read_all(open_volume(path))[:, 5, 5].tolist() == pytest.approx([200, 30, 90], abs=3)


def test_a_file_read_band_by_band_is_not_charged_to_the_process(tmp_path: Path) -> None:
    """What a map has read stays in the system's cache, and not in the memory of the process."""
    status = Path("/proc/self/status")
    if not status.exists():
        pytest.skip("the system does not say what is mapped")

    def mapped() -> int:
        line = next(row for row in status.read_text().splitlines() if row.startswith("RssFile"))
        return int(line.split()[1]) * 1024

    pixels = np.random.default_rng(0).integers(0, 65536, (4096, 8192)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", pixels)
    volume = open_volume(tmp_path / "a.tif")
    volume.read(Region((0, 0), (1, 1)))
    before = mapped()
    for row in range(0, 4096, 16):
        part = volume.read(Region((row, 0), (row + 16, 8192)))
        np.testing.assert_array_equal(part[0], pixels[row : row + 16])
    assert mapped() - before < 8 << 20  # of 64


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_READ_4_a_palette_page_is_colours_in_an_image_and_classes_in_a_mask(
    tmp_path: Path, compression: str | None
) -> None:
    indices = (np.arange(20 * 30).reshape(20, 30) % 7).astype(np.uint8)
    colours = np.random.default_rng(1).integers(0, 256, (3, 256)).astype(np.uint16) * 257
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, indices, photometric="palette", colormap=colours, compression=compression
    )
    with Image.open(path) as image:
        shown = np.asarray(image.convert("RGB")).transpose(2, 0, 1)
    np.testing.assert_array_equal(read_all(open_volume(path)), shown)
    np.testing.assert_array_equal(read_all(open_volume(path, target=True))[0], indices)
    inside = Region((3, 4), (9, 17))
    np.testing.assert_array_equal(open_volume(path).read(inside), shown[:, 3:9, 4:17])


def test_READ_4_a_stack_of_palette_pages_has_its_colours_before_its_slices(
    tmp_path: Path,
) -> None:
    indices = (np.arange(3 * 4 * 5).reshape(3, 4, 5) % 7).astype(np.uint8)
    colours = np.random.default_rng(1).integers(0, 256, (3, 256)).astype(np.uint16) * 257
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, indices, photometric="palette", colormap=colours)
    shown = (colours >> 8).astype(np.uint8)[:, indices]
    np.testing.assert_array_equal(read_all(open_volume(path)), shown)


@pytest.mark.parametrize("bits", [1, 8])
def test_READ_5_where_0_is_white_larger_is_still_brighter(tmp_path: Path, bits: int) -> None:
    mask = (np.arange(64).reshape(8, 8) % 9 == 0).astype(np.uint8)
    path = tmp_path / "a.tif"
    if bits == 1:
        image = Image.fromarray(mask * 255).convert("1")
        image.save(path, compression="group4", tiffinfo={262: 0})
    else:
        tifffile.imwrite(path, 255 - mask * 200, photometric="miniswhite")
    with Image.open(path) as image:
        shown = np.asarray(image).astype(np.uint8)
    np.testing.assert_array_equal(read_all(open_volume(path))[0], shown)


def test_READ_5_booleans_of_tifffile_are_as_they_were(tmp_path: Path) -> None:
    mask = np.arange(64).reshape(8, 8) % 9 == 0
    tifffile.imwrite(tmp_path / "a.tif", mask)
    np.testing.assert_array_equal(read_all(open_volume(tmp_path / "a.tif"))[0], mask)


def test_READ_10_the_value_of_no_data_is_known(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((4, 4), np.float32), extratags=[(42113, "s", 0, "-9999", True)])
    volume = open_volume(path)
    assert isinstance(volume, TiffVolume)
    assert volume.nodata == -9999


@pytest.mark.parametrize("kind", ["pages", "subifds"])
def test_READ_31_of_a_pyramid_the_full_resolution_is_read(tmp_path: Path, kind: str) -> None:
    full = (np.arange(64 * 64) % 251).reshape(64, 64).astype(np.uint8)
    path = tmp_path / "a.tif"
    plain: dict[str, Any] = {"tile": (16, 16), "photometric": "minisblack", "metadata": None}
    with tifffile.TiffWriter(path) as writer:
        writer.write(full, subifds=2 if kind == "subifds" else None, **plain)
        for level in (2, 4):
            writer.write(full[::level, ::level], subfiletype=1, **plain)
    np.testing.assert_array_equal(read_all(open_volume(path))[0], full)


def test_read_17_a_stack_of_times_says_that_no_name_of_axes_helps(tmp_path: Path) -> None:
    """READ-17: ImageJ's TZCYX has two axes beside channels; the remedy is one file per time."""
    path, stack = tmp_path / "a.tif", np.arange(2 * 3 * 2 * 8 * 9, dtype=np.uint16)
    stack = stack.reshape(2, 3, 2, 8, 9)
    tifffile.imwrite(path, stack, imagej=True, metadata={"axes": "TZCYX"})
    with pytest.raises(DataError, match=r"stack along 2 axes 'TZ'.*one stack per file"):
        open_volume(path)
    tifffile.imwrite(path, stack[1], imagej=True, metadata={"axes": "ZCYX"})
    volume = open_volume(path)
    assert volume.axes == "zyx"
    np.testing.assert_array_equal(read_all(volume), stack[1].transpose(1, 0, 2, 3))
