"""A folder of images and masks with more than forty odd files among a few plain ones.

``python -m tests.odd_files FOLDER`` writes it, for a look by hand. Each odd file says what a single
``lamina check folder-laptop --data FOLDER`` has to name it for; None: it is read, and not named.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pydicom
import tifffile
from PIL import Image
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

SHAPE = (48, 64)
RECIPE = "folder-laptop"


@dataclass(frozen=True)
class Odd:
    """A file below ``images/``; its mask is plain unless ``mask`` writes another one."""

    name: str
    named: str | None
    """Regular expression of what is said in a line with its name; None: nothing is said."""
    write: Callable[[Path], object]
    mask: Callable[[Path], object] | None = None
    """Writes the mask, whose path without suffix it is given; None: a plain one."""
    about: str = "image"
    """Whether the line names the image, the mask or the id."""


def grey(seed: int = 0, shape: tuple[int, int] = SHAPE) -> Any:
    """Return noise of 8 bits."""
    return np.random.default_rng(seed).integers(0, 200, shape).astype(np.uint8)


def disc(on: int = 255, shape: tuple[int, int] = SHAPE) -> Any:
    """Return a mask of 0 and ``on``."""
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return np.asarray(((rows - 20) ** 2 + (columns - 30) ** 2 < 100) * on, np.uint8)


def save(pixels: Any, **how: Any) -> Callable[[Path], object]:
    """Return what writes an array with Pillow."""
    return lambda path: Image.fromarray(pixels).save(path, **how)


def plain_mask(path: Path) -> None:
    """Write the mask of a file."""
    Image.fromarray(disc()).save(path.with_name(f"{path.name}.png"))


def mask_png(pixels: Any) -> Callable[[Path], object]:
    """Return what writes a mask as PNG."""
    return lambda path: Image.fromarray(pixels).save(path.with_name(f"{path.name}.png"))


def cmyk(path: Path) -> None:
    """Write a JPEG in the colours of printers."""
    Image.fromarray(colours(1, 1, 0.5)).convert("CMYK").save(path)


def nothing(path: Path) -> None:
    """Write a mask of no bytes."""
    path.with_name(f"{path.name}.png").touch()


def no_mask(path: Path) -> None:
    """Write nothing."""
    del path


def text(content: bytes) -> Callable[[Path], object]:
    """Return what writes bytes."""
    return lambda path: path.write_bytes(content)


def cut(write: Callable[[Path], object], share: float) -> Callable[[Path], object]:
    """Return what writes the first part of a file."""

    def work(path: Path) -> None:
        write(path)
        data = path.read_bytes()
        path.write_bytes(data[: int(len(data) * share)])

    return work


def palette(colours: list[int]) -> Callable[[Path], object]:
    """Return what writes an image with a palette."""

    def work(path: Path) -> None:
        image = Image.fromarray(grey())
        image.putpalette(colours)
        image.save(path)

    return work


def turned(orientation: int) -> Callable[[Path], object]:
    """Return what writes an image with an EXIF orientation."""

    def work(path: Path) -> None:
        exif = Image.Exif()
        exif[0x0112] = orientation
        Image.fromarray(grey()).save(path, exif=exif)

    return work


def link(to: str) -> Callable[[Path], object]:
    """Return what writes a link, seen from the data folder."""
    return lambda path: path.symlink_to(path.parent.parent / to)


def broken_png(path: Path) -> None:
    """Write a PNG with one byte of its pixels changed."""
    save(grey(3))(path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x10
    path.write_bytes(bytes(data))


def animation(path: Path) -> None:
    """Write a GIF of two frames."""
    Image.fromarray(grey(1)).save(path, save_all=True, append_images=[Image.fromarray(grey(2))])


def dicom(path: Path) -> None:
    """Write a DICOM file whose header is of the wrong type."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = pydicom.uid.SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid(entropy_srcs=["odd"])
    found = pydicom.Dataset()
    found.file_meta = meta
    found.Rows, found.Columns, found.SamplesPerPixel = *SHAPE, 1
    found.BitsAllocated = found.BitsStored = 8
    found.HighBit, found.PixelRepresentation = 7, 0
    found.PhotometricInterpretation = "MONOCHROME2"
    found.add_new(0x00280008, "IS", "1")
    found.PixelData = grey().tobytes()
    found.save_as(path, enforce_file_format=True)
    path.write_bytes(path.read_bytes().replace(b"IS\x02\x001 ", b"IS\x02\x001A"))


def userblock(path: Path) -> None:
    """Write an HDF5 file with a block before its signature, as MATLAB does."""
    with h5py.File(path, "w", userblock_size=512) as file:
        file["image"] = grey()


def nodata(path: Path) -> None:
    """Write a TIFF that declares a value of no data."""
    pixels = grey().astype(np.int16)
    pixels[:4] = -9999
    tifffile.imwrite(path, pixels, extratags=[(42113, "s", 0, "-9999", True)])


def colours(*factors: float) -> Any:
    """Return an image of channels that differ."""
    return np.stack([grey() * factor for factor in factors], 2).astype(np.uint8)


def tiff(pixels: Any, **how: Any) -> Callable[[Path], object]:
    """Return what writes an array as TIFF."""
    return lambda path: tifffile.imwrite(path, pixels, photometric="minisblack", **how)


def nan(path: Path) -> None:
    """Write floats of which some are no numbers."""
    pixels = grey().astype(np.float32)
    pixels[3, 4:9] = np.nan
    tifffile.imwrite(path, pixels)


def jpeg_mask(path: Path) -> None:
    """Write a mask as JPEG, which leaves hundreds of values."""
    Image.fromarray(disc()).save(path.with_name(f"{path.name}.jpg"), quality=60)


def white_is_0(path: Path) -> None:
    """Write a bilevel TIFF of a fax: 0 is white, and 1 in the file is black."""
    image = Image.fromarray(disc()).convert("1")
    name = path.with_name(f"{path.name}.tif")
    image.save(name, compression="group4", tiffinfo={262: 0})


def fractions(path: Path) -> None:
    """Write a mask of floats between 0 and 1."""
    tifffile.imwrite(path.with_name(f"{path.name}.tif"), disc(1).astype(np.float32) * 0.7)


LONG = "n" * 200 + ".png"
GREYS = [value for k in range(256) for value in [k] * 3]
RAINBOW = [value for k in range(256) for value in (k, 255 - k, 128)]
ALPHA = np.dstack([grey(), grey(), grey(), np.full(SHAPE, 255, np.uint8)])
SMALL, PAGES = grey(0, (24, 32)), np.stack([grey(k) for k in range(7)])
DEEP = grey().astype(np.uint16) * 300
RED = np.dstack([disc(), disc(0), disc(0)])
GLASS = np.dstack([disc(), disc(), disc(), grey(5)])
IMAGES = (
    Odd("palette_of_greys.png", "palette of grey: read as the grey", palette(GREYS)),
    Odd("palette_of_colours.png", "its 3 channels differ", palette(RAINBOW)),
    Odd("exif_upside_down.png", "turned upright as their EXIF", turned(3)),
    Odd("exif_sideways.jpg", "its EXIF orientation 6 says", turned(6), about="id"),
    Odd("sixteen_bits.png", "of uint16, the others", save(DEEP), about="id"),
    Odd("cut_png.png", "is cut off|cut", cut(save(grey()), 0.6)),
    Odd("cut_jpg.jpg", "is cut off|cut|damaged|decoded", cut(save(grey(), quality=95), 0.5)),
    Odd("cut_tif.tif", "cut|beyond|damaged", cut(tiff(grey()), 0.6)),
    Odd("flipped_bit.png", "checksum|damaged", broken_png),
    Odd("jpeg_called_png.png", None, lambda path: Image.fromarray(grey()).save(path, "JPEG")),
    Odd("page.png", "looks like an HTML", text(b"<!DOCTYPE html><html>404</html>")),
    Odd("pointer.png", "Git LFS pointer", text(b"version https://git-lfs.github.com/spec/v1\n")),
    Odd("empty.png", r"is empty \(0 bytes\)", text(b"")),
    Odd("noise.png", "unknown type", text(b"\x01\x02\x03" * 50)),
    Odd("cmyk.jpg", "CMYK", cmyk),
    Odd("rgba.png", "channels", save(ALPHA)),
    Odd("colours.png", "its 3 channels differ", save(colours(1, 0.5, 0.2))),
    Odd("grey_in_rgb.png", None, save(colours(1, 1, 1))),
    Odd("bitmap.bmp", None, save(grey())),
    Odd("photo.webp", None, save(colours(1, 1, 1), lossless=True)),
    Odd("pages.tif", r"axes 'zyx'", tiff(PAGES), no_mask, about="id"),
    Odd("nan.tif", "not numbers|NaN", nan),
    Odd("nodata.tif", "value of no data", nodata, about="id"),
    Odd("header.dcm", "1A|damaged|frames", dicom),
    Odd("userblock.h5", None, userblock),
    Odd("UPPER.PNG", None, lambda path: Image.fromarray(grey()).save(path, "PNG")),
    Odd(LONG, None, save(grey())),
    Odd("日本語 と é.png", None, save(grey())),
    Odd("two  blanks & (brackets) [1].png", None, save(grey())),
    Odd("interlaced.png", None, save(grey(), interlace=1)),
    Odd("other_size.png", r"yx \(24, 32\), target is yx \(48, 64\)", save(SMALL), about="id"),
    Odd("without_mask.png", "no mask", save(grey()), no_mask),
    Odd("seven.png", "7: ", save(grey()), mask_png(disc(7)), about="mask"),
    Odd("jpeg_mask.png", "values that are no class", save(grey()), jpeg_mask, about="mask"),
    Odd("fractions.png", "not whole numbers", save(grey()), fractions, about="mask"),
    Odd("red_mask.png", "a mask in colours", save(grey()), mask_png(RED), about="mask"),
    Odd("glass_mask.png", "transparent parts", save(grey()), mask_png(GLASS), about="mask"),
    Odd("one_mask.png", "masks hold 1", save(grey()), mask_png(disc(1)), about="mask"),
    Odd("fax_mask.png", "masks hold 1", save(grey()), white_is_0, about="mask"),
    Odd("empty_mask.png", r"is empty \(0 bytes\)", save(grey()), nothing, about="mask"),
    Odd("twice.png", r"twice\.tif: has the id 'twice'", save(grey())),
    Odd("twice.tif", "has the id 'twice'", tiff(grey()), no_mask),
)  # fmt: skip
NOT_READ = (
    Odd("animated.gif", "is a GIF image", animation, no_mask),
    Odd("arrays.npz", "archive of NumPy", lambda path: np.savez(path, a=grey()), no_mask),
    Odd("Thumbs.db", "no type that is read", text(b"\xd0\xcf\x11\xe0"), no_mask),
    Odd("notes.txt", "no type that is read", text(b"x"), no_mask),
    Odd("bad.png", "is a folder without images", lambda path: path.mkdir(), no_mask),
    Odd("leads_out.png", "is a link that leaves", link("../outside.png"), no_mask),
    Odd("leads_nowhere.png", "is a link to nothing", link("images/nothing.png"), no_mask),
    Odd("circle", "is a link in a circle", link("images"), no_mask),
    Odd("leads_in.png", None, link("images/plain0.png")),
    Odd(".hidden.png", None, text(b"x"), no_mask),
    Odd(".DS_Store", None, text(b"x"), no_mask),
)
PIPE = Odd("pipe.png", "is no regular file", os.mkfifo, no_mask)


def every() -> tuple[Odd, ...]:
    """Return all odd files that this system can have."""
    return (*IMAGES, *NOT_READ, *([PIPE] if hasattr(os, "mkfifo") else ()))


def write(root: Path, count: int = 6) -> Path:
    """Write the folder: ``count`` plain images and all that is odd."""
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True)
    Image.fromarray(grey()).save(root.parent / "outside.png")
    for k in range(count):
        Image.fromarray(grey(100 + k)).save(root / "images" / f"plain{k}.png")
        plain_mask(root / "masks" / f"plain{k}")
    for odd in every():
        odd.write(root / "images" / odd.name)
        stem = odd.name.rpartition(".")[0] or odd.name
        (odd.mask or plain_mask)(root / "masks" / stem)
    plain_mask(root / "masks" / "without_image")
    return root


if __name__ == "__main__":
    write(Path(sys.argv[1]))
