"""PNG, JPEG, BMP and WebP: exact values of every kind, EXIF turns, and what is refused."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFile, ImageOps

from lamina.data.readers import open_volume
from lamina.data.readers.images.image import ImageFile as Reader
from lamina.errors import DataError
from lamina.volume import read_all

GREY = (np.arange(20 * 30).reshape(20, 30) % 251).astype(np.uint8)
COLOUR = np.stack([GREY, GREY // 2, 255 - GREY], -1)


def save(path: Path, array: NDArray[Any], mode: str | None = None, **options: Any) -> Path:
    image = Image.fromarray(array)
    (image if mode is None else image.convert(mode)).save(path, **options)
    return path


def test_colours_come_in_the_order_red_green_blue(tmp_path: Path) -> None:
    red = np.zeros((8, 8, 3), np.uint8)
    red[..., 0] = 255
    assert read_all(open_volume(save(tmp_path / "a.png", red)))[:, 0, 0].tolist() == [255, 0, 0]
    jpeg = read_all(open_volume(save(tmp_path / "a.jpg", red, quality=100)))[:, 0, 0]
    assert jpeg.tolist() == pytest.approx([255, 0, 0], abs=2)


PALETTE = [9, 9, 9, 200, 0, 0, 0, 0, 99]
INDICES = np.array([[0, 1, 2], [2, 1, 0]], np.uint8)


def indexed(path: Path, colours: list[int], **options: Any) -> Path:
    image = Image.fromarray(INDICES)
    image.putpalette(colours)
    image.save(path, **options)
    return path


@pytest.mark.parametrize("suffix", ["png", "bmp"])
def test_READ_4_a_palette_is_colours_in_an_image_and_classes_in_a_mask(
    tmp_path: Path, suffix: str
) -> None:
    """I12."""
    path = indexed(tmp_path / f"a.{suffix}", PALETTE)
    with Image.open(path) as image:
        shown = np.asarray(image.convert("RGB")).transpose(2, 0, 1)
    np.testing.assert_array_equal(read_all(open_volume(path)), shown)
    mask = open_volume(path, target=True)
    assert (mask.channels, mask.dtype) == (1, np.dtype("u1"))
    assert read_all(mask).tolist() == [INDICES.tolist()]


def test_READ_4_a_grey_palette_is_a_grey_picture(tmp_path: Path) -> None:
    image = Image.fromarray(255 - GREY, "P")
    image.putpalette([value for k in range(256) for value in [255 - k] * 3])
    image.save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_all(open_volume(tmp_path / "a.png"))[0], GREY)


@pytest.mark.parametrize("suffix", ["png", "bmp"])
def test_READ_4_white_is_1_in_a_mask_of_black_and_white(tmp_path: Path, suffix: str) -> None:
    truth = (np.arange(64).reshape(8, 8) % 9 == 0).astype(np.uint8)
    image = Image.fromarray(1 - truth, "P")
    image.putpalette([255, 255, 255, 0, 0, 0])
    path = tmp_path / f"mask.{suffix}"
    image.save(path, **({"bits": 1} if suffix == "png" else {}))
    stored = read_all(open_volume(path, target=True))[0]
    np.testing.assert_array_equal(stored > 0, truth > 0)


def test_READ_4_transparent_colours_are_a_channel_of_an_image(tmp_path: Path) -> None:
    path = indexed(tmp_path / "a.png", PALETTE, transparency=bytes([255, 0, 128]))
    with Image.open(path) as image:
        shown = np.asarray(image.convert("RGBA")).transpose(2, 0, 1)
    np.testing.assert_array_equal(read_all(open_volume(path)), shown)
    assert open_volume(path, target=True).channels == 1


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "RGBA"])
def test_READ_1_bmp_is_read_as_pillow_reads_it(tmp_path: Path, mode: str) -> None:
    path = save(tmp_path / "a.bmp", COLOUR, mode)
    with Image.open(path) as image:
        shown = np.atleast_3d(np.asarray(image)).transpose(2, 0, 1)
    np.testing.assert_array_equal(read_all(open_volume(path)), shown)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_READ_1_webp_is_read_as_pillow_reads_it(tmp_path: Path, mode: str) -> None:
    path = save(tmp_path / "a.webp", COLOUR, mode, lossless=True, exact=True)
    with Image.open(path) as image:
        shown = np.asarray(image).transpose(2, 0, 1)
    np.testing.assert_array_equal(read_all(open_volume(path)), shown)


@pytest.mark.parametrize("suffix", ["bmp", "webp"])
def test_READ_1_cut_images_are_refused(tmp_path: Path, suffix: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, 50, 3)).astype(np.uint8)
    path = save(tmp_path / f"a.{suffix}", noise)
    data = path.read_bytes()
    for percent in (1, 30, 60, 99):
        path.write_bytes(data[: len(data) * percent // 100])
        with pytest.raises(DataError, match=f"a.{suffix}: "):
            read_all(open_volume(path))


def test_READ_1_animations_are_refused(tmp_path: Path) -> None:
    frames = [Image.fromarray(np.full((8, 8, 3), k, np.uint8)) for k in (0, 200)]
    frames[0].save(tmp_path / "a.webp", save_all=True, append_images=frames[1:])
    with pytest.raises(DataError, match="is an animation; save its pictures one by one"):
        open_volume(tmp_path / "a.webp")


@pytest.mark.parametrize("place", ["IHDR", "PLTE", "IDAT"])
def test_READ_9_a_flipped_bit_of_a_png_is_found_by_its_checksum(tmp_path: Path, place: str) -> None:
    path = indexed(tmp_path / "a.png", PALETTE)
    data = path.read_bytes()
    start = data.index(place.encode()) + 4
    length = int.from_bytes(data[start - 8 : start - 4], "big")
    for at in range(start, start + length):
        path.write_bytes(data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :])
        with pytest.raises(DataError, match=r"a.png: "):
            read_all(open_volume(path, target=True))


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_few_bits_are_not_spread_over_a_byte(tmp_path: Path, bits: int) -> None:
    stored = (np.arange(6 * 7).reshape(6, 7) % 2**bits).astype(np.uint8)
    path = tmp_path / "few.png"
    if bits == 1:
        Image.fromarray(stored.astype(bool)).save(path)
    else:
        write_grey(path, stored, bits)
    assert open_volume(path).dtype == np.uint8
    np.testing.assert_array_equal(read_all(open_volume(path))[0], stored)


def write_grey(path: Path, stored: NDArray[np.uint8], bits: int) -> None:
    """Pillow writes 2 and 4 bits for palettes only; turn such a file into a grey one."""
    image = Image.fromarray(stored)
    image.putpalette(list(range(3 * 2**bits)))
    stream = io.BytesIO()
    image.save(stream, "png", bits=bits)
    path.write_bytes(as_grey(stream.getvalue()))


def as_grey(data: bytes) -> bytes:
    import struct
    import zlib

    parts, place = [data[:8]], 8
    while place < len(data):
        (length,) = struct.unpack(">I", data[place : place + 4])
        body = data[place + 4 : place + 8 + length]
        if body[:4] == b"IHDR":
            body = body[:13] + b"\0" + body[14:]
        if body[:4] != b"PLTE":
            parts += [struct.pack(">I", length), body, struct.pack(">I", zlib.crc32(body))]
        place += 12 + length
    return b"".join(parts)


def test_fault_I12_colours_that_depend_on_a_profile_are_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "print.jpg", COLOUR, "CMYK")
    with pytest.raises(DataError, match=r"print.jpg: is a JPEG in CMYK colours; save it as RGB"):
        open_volume(path)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_fault_I13_an_exif_orientation_is_applied_once(
    tmp_path: Path, orientation: int, suffix: str
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(tmp_path / f"turned.{suffix}", COLOUR, exif=exif)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        volume = open_volume(path)
    assert bool(caught) == (orientation != 1)
    with Image.open(path) as image:
        upright = np.asarray(ImageOps.exif_transpose(image))
    assert volume.shape == upright.shape[:2]
    np.testing.assert_array_equal(read_all(volume), upright.transpose(2, 0, 1))


def test_an_orientation_that_means_nothing_is_none(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 0
    assert open_volume(save(tmp_path / "a.jpg", GREY, exif=exif)).shape == GREY.shape


def test_an_unreadable_exif_part_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", GREY, exif=b"Exif\0\0nonsense")
    with pytest.raises(DataError, match="orientation is not known; save it again without EXIF"):
        open_volume(path)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 4}])
@pytest.mark.parametrize("left", [0.02, 0.3, 0.6, 0.97])
def test_fault_I02_no_kind_of_jpeg_is_filled_up(
    tmp_path: Path, options: dict[str, Any], left: float
) -> None:
    whole = save(tmp_path / "whole.jpg", COLOUR, **options).read_bytes()
    path = tmp_path / "cut.jpg"
    path.write_bytes(whole[: int(len(whole) * left)])
    with pytest.raises(DataError, match=r"cut.jpg: its .* cut off or damaged"):
        read_all(open_volume(path))


def test_a_setting_that_fills_up_cut_files_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume = open_volume(save(tmp_path / "a.jpg", GREY))
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    with pytest.raises(DataError, match="LOAD_TRUNCATED_IMAGES is True"):
        read_all(volume)


def test_damaged_pixels_are_refused(tmp_path: Path) -> None:
    data = bytearray(save(tmp_path / "a.png", COLOUR).read_bytes())
    data[len(data) // 2] ^= 0xFF
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(DataError, match=r"a.png: its part IDAT is damaged"):
        read_all(open_volume(tmp_path / "a.png"))


def test_a_file_that_vanished_is_named(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", GREY)
    volume = open_volume(path)
    path.unlink()
    with pytest.raises(DataError, match=r"a.png: no such file"):
        read_all(volume)


def test_a_file_written_anew_is_not_taken_from_memory(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", GREY)
    read_all(open_volume(path))
    save(path, GREY[:10])
    np.testing.assert_array_equal(read_all(open_volume(path))[0], GREY[:10])


def test_axes_of_an_image_are_two(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", GREY)
    assert open_volume(path, "zx").axes == "zx"
    with pytest.raises(DataError, match=r"is an image, with axes 'yx', not 'zyx'; set data.axes"):
        open_volume(path, "zyx")


def test_another_type_is_not_an_image(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", GREY)
    with pytest.raises(DataError, match=r"a\.npy: is no PNG, JPEG, BMP or WebP image"):
        Reader(tmp_path / "a.npy")
