"""What files say besides pixels: passed over, turned by EXIF, palettes, values of no data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from lamina.doctor.checks.exif import Exif
from lamina.doctor.checks.nodata import NoData
from lamina.doctor.checks.palettes import Palettes
from lamina.doctor.checks.passed_over import PassedOverFiles
from lamina.doctor.finding import Check
from tests.factories.patients import patient, said, texture, write

ALL = ("note", "warning", "error")
CHECKS: tuple[Check, ...] = (Exif(), Palettes(), NoData(), PassedOverFiles())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write(tmp_path, {f"{k}.png": texture(k) for k in range(4)})


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_plain_files_are_fine(root: Path, check: Check) -> None:
    found = list(check(patient(root)))
    assert [one.level for one in found] == ["fine"]


def test_files_that_are_not_read_are_named_by_reason(root: Path) -> None:
    for name in ("a.gif", "b.gif", "notes.txt"):
        (root / "images" / name).write_bytes(b"GIF89a")
    (root / "masks" / "c.npz").write_bytes(b"PK")
    found = {one.what.partition("each ")[2]: one for one in said(PassedOverFiles(), patient(root))}
    assert found.keys() == {
        "is a GIF image",
        "is an archive of NumPy arrays",
        "has a suffix of no type that is read",
    }
    gif = found["is a GIF image"]
    assert gif.where == f"{root / 'images' / 'a.gif'}, {root / 'images' / 'b.gif'}"
    assert gif.remedy == "save each of its frames as PNG"


def turned(path: Path, pixels: Any, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(path, exif=exif)


@pytest.mark.filterwarnings("ignore:images are turned upright")
def test_images_turned_by_exif_are_named_and_masks_that_are_not(root: Path) -> None:
    turned(root / "images" / "1.png", texture(1), 3)
    turned(root / "images" / "2.png", texture(2), 6)
    mask = np.asarray(Image.open(root / "masks" / "2.png"))
    turned(root / "masks" / "2.png", mask, 6)
    found = said(Exif(), patient(root), ALL)
    assert [(one.level, one.where) for one in found] == [
        ("warning", "1 image"),
        ("note", str(root / "images" / "2.png")),
    ]
    assert found[0].what.endswith(f"the masks are not: {root / 'images' / '1.png'}")


def test_palettes_are_named_with_their_meaning(root: Path) -> None:
    image = Image.fromarray(255 - texture(1))
    image.putpalette([value for k in range(256) for value in [255 - k] * 3])
    image.save(root / "images" / "1.png")
    mask = Image.fromarray(np.asarray(Image.open(root / "masks" / "2.png")))
    mask.putpalette([255, 255, 255, 0, 0, 0])
    mask.save(root / "masks" / "2.png", bits=1)
    found = said(Palettes(), patient(root), ALL)
    assert [(one.level, Path(one.where).name, one.what) for one in found] == [
        (
            "note",
            "1.png",
            "1 image with a palette of grey: read as the grey picture that viewers show",
        ),
        (
            "note",
            "2.png",
            "1 mask with a palette of black and white: read as 0 for black and 1 for white",
        ),
    ]


def test_values_of_no_data_are_named_whether_declared_or_not(tmp_path: Path) -> None:
    pixels = texture(0).astype(np.float32)
    pixels[:9] = -9999
    images = {f"{k}.tif": texture(k).astype(np.float32) for k in range(4)} | {"silent.tif": pixels}
    root = write(tmp_path, images)
    tifffile.imwrite(root / "images" / "2.tif", pixels, extratags=[(42113, "s", 0, "-9999", True)])
    found = said(NoData(), patient(root), ALL)
    assert [(one.level, one.where) for one in found] == [
        ("note", "2 (-9999)"),
        ("warning", "silent (-9999)"),
    ]
