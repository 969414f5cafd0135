"""The data of the evidence: what programs learn from, and what they are judged on.

Every data set is written into a folder twice: `data` as people store it, for `lamina plan` and
`lamina train`, and `train` and `test` as one array file for each image, for the other programs.
Whole groups (patients, tiles, blocks of a section) are on one side.
"""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from lamina import rle

SIGMA = 25  # of the noise, on 0..255


@dataclass(frozen=True)
class Dataset:
    """One row of the table."""

    name: str
    title: str
    classes: tuple[str, ...]
    metrics: Mapping[str, Mapping[str, Any]]
    """Options of each metric by its title; the first one counts."""

    hand: str
    """The built-in recipe made for such data."""

    changes: tuple[str, ...]
    """What a person has to tell that recipe of these files."""

    write: Callable[[Path, Path], Iterator[tuple[str, str, NDArray[Any], NDArray[Any]]]]
    """Write the data folder; yield side, name, image and masks (K, rows, columns) of each image."""

    group: Callable[[Path], Mapping[str, str]]
    """The group of each test image."""

    plan: Mapping[str, Any]
    """Options of `lamina plan` that a person would give."""

    blocks: tuple[int, int] = (1, 1)
    """Rows and columns of blocks that a test image is cut into; each place is a group."""

    resize: int | None = None
    """Side that whole images are resized to by the plain loop; None: it learns from crops."""

    mirrored: str = "yx"
    """Axes that the plain loop mirrors along."""

    volume: bool = False
    """Whether images are the sections of one volume."""

    @property
    def restores(self) -> bool:
        return not self.classes


POOLED = {"kind": "dice", "over": "pooled"}
IMAGE = {"kind": "dice", "over": "image", "empty": "one"}
IMAGE_CLASS = {"kind": "dice", "over": "image_class", "empty": "one"}

Rows = Iterator[tuple[str, str, NDArray[Any], NDArray[Any]]]


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def held_groups(groups: Mapping[str, str], share: int, draw: int = 0) -> set[str]:
    """Return one of `share` groups, drawn once for all programs and seeds."""
    names = sorted(set(groups.values()))
    order = np.random.default_rng(draw).permutation(len(names))
    return {names[i] for i in order[: len(names) // share]}


def em(shared: Path, data: Path) -> Rows:
    """Sections 0 to 13 to learn from, 15 to 19 to be judged on."""
    source = shared / "em-drosophila-vnc"
    raw, mask = (tifffile.imread(source / f"{name}.tif") for name in ("raw", "mitochondria"))
    for name, voxels in (("raw", raw), ("mitochondria", mask)):
        tifffile.imwrite(data / f"{name}.tif", voxels[:14], photometric="minisblack")
    for z in (*range(14), *range(15, 20)):
        yield ("train" if z < 14 else "test"), f"section{z:02d}", raw[z], mask[z][None] > 127


def tile_groups(shared: Path) -> Mapping[str, str]:
    rows = table(shared / "magnetic-tile-defects" / "groups.csv")
    return {Path(row["ImageId"]).stem: row["Group"] for row in rows}


def tiles(shared: Path, data: Path) -> Rows:
    """Two thirds of the groups to learn from."""
    source = shared / "magnetic-tile-defects"
    groups = tile_groups(shared)
    held = held_groups(groups, 3, draw=2)  # the first that has every class on both sides
    (data / "images").mkdir()
    runs = {(row["ImageId"], int(row["ClassId"])): row for row in table(source / "train.csv")}
    for row in table(source / "groups.csv"):
        name = row["ImageId"]
        id = Path(name).stem
        image = np.asarray(Image.open(source / "images" / name).convert("L"))
        masks = np.zeros((5, *image.shape), bool)
        for k in range(5):
            if (name, k + 1) in runs:
                masks[k] = rle.decode(runs[name, k + 1]["EncodedPixels"], image.shape, "severstal")
        side = "test" if groups[id] in held else "train"
        if side == "train":
            shutil.copy(source / "images" / name, data / "images" / name)
        yield side, id, image, masks
    for name in ("train.csv", "groups.csv"):
        rows = [
            row for row in table(source / name) if groups[Path(row["ImageId"]).stem] not in held
        ]
        with (data / name).open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)


def patients(shared: Path) -> Mapping[str, str]:
    rows = table(shared / "chest-xray-masks" / "index.csv")
    return {row["ImageId"]: row["Patient"] for row in rows}


def chest(target: str) -> Callable[[Path, Path], Rows]:
    """Half of the patients to learn from."""

    def write(shared: Path, data: Path) -> Rows:
        source = shared / "chest-xray-masks"
        groups = patients(shared)
        held = held_groups(groups, 2)
        for name in ("images", "masks"):
            (data / name).mkdir()
        kept = []
        for id in sorted(groups):
            picture, mask = source / "images" / f"{id}.png", source / "masks" / target / f"{id}.png"
            side = "test" if groups[id] in held else "train"
            if side == "train":
                shutil.copy(picture, data / "images" / picture.name)
                shutil.copy(mask, data / "masks" / mask.name)
                kept.append(f"{id},{groups[id]}\n")
            yield (
                side,
                id,
                np.asarray(Image.open(picture)),
                np.asarray(Image.open(mask))[None] > 127,
            )
        (data / "patients.csv").write_text("ImageId,Patient\n" + "".join(kept), encoding="utf-8")

    return write


def f3(shared: Path, data: Path) -> Rows:
    """Three sections to learn from, inline 200 to be judged on."""
    source = shared / "seismic-f3-faults"
    images, faults = np.load(source / "seismic.npy"), np.load(source / "faults.npy")
    for name in ("images", "masks"):
        (data / name).mkdir()
    for number, image, fault in zip(np.load(source / "inlines.npy"), images, faults, strict=True):
        id = f"inline{number}"
        if number != 200:
            Image.fromarray(image).save(data / "images" / f"{id}.png")
            Image.fromarray((fault > 0).astype(np.uint8) * 255).save(data / "masks" / f"{id}.png")
        yield ("test" if number == 200 else "train"), id, image, fault[None] > 0


def bsd(shared: Path, data: Path) -> Rows:
    """The 200 images of Train400 to learn from, BSD68 with noise of sigma 25 to be judged on.

    The noisy images have 8 bits, as those that were learnt from: lamina refuses others.
    """
    source = shared / "denoise-gray"
    for path in sorted((source / "Train400").glob("*.png")):
        shutil.copy(path, data / path.name)
        image = np.asarray(Image.open(path))
        yield "train", path.stem, image, image[None]
    for number, path in enumerate(sorted((source / "BSD68").glob("*.png"))):
        clean = np.asarray(Image.open(path))
        noise = np.random.default_rng(number).normal(0, SIGMA, clean.shape)
        noisy = np.clip(np.rint(clean + noise), 0, 255).astype(np.uint8)  # as files hold images
        yield "test", path.stem, noisy, clean[None]


CHEST = ("split.groups=patients.csv", "split.stratify=none")
FOLDER = "data={kind: folder, images: images, masks: masks, labels: binary}"
DATASETS: tuple[Dataset, ...] = (
    Dataset(
        "em",
        "EM mitochondria",
        ("mitochondria",),
        {"Dice, pooled": POOLED},
        "volume-laptop",
        ("split={kind: sections, axis: z, train: [[0, 14]], validate: []}",),
        em,
        lambda shared: {},
        {"spacing": (50, 4.6, 4.6)},
        blocks=(4, 2),
        volume=True,
    ),
    Dataset(
        "tiles",
        "magnetic tiles",
        ("blowhole", "break", "crack", "fray", "uneven"),
        {"Dice, pooled": POOLED, "Dice of images and classes": IMAGE_CLASS},
        "steel-laptop",
        (
            "split.groups=groups.csv",
            "task.names=[blowhole, break, crack, fray, uneven]",
        ),
        tiles,
        tile_groups,
        {"groups": "groups.csv"},
    ),
    Dataset(
        "lungs",
        "chest X-rays, lungs",
        ("lungs",),
        {"Dice of images": IMAGE, "Dice, pooled": POOLED},
        "xray-laptop",
        CHEST,
        chest("lungs"),
        patients,
        {"groups": "patients.csv"},
        resize=256,
        mirrored="x",
    ),
    Dataset(
        "consolidation",
        "chest X-rays, consolidation",
        ("consolidation",),
        {"Dice, pooled": POOLED, "Dice of images": IMAGE},
        "xray-laptop",
        CHEST,
        chest("consolidation"),
        patients,
        {"groups": "patients.csv"},
        resize=256,
        mirrored="x",
    ),
    Dataset(
        "f3",
        "F3 sections, faults",
        ("fault",),
        {"Dice, pooled": POOLED},
        "faults-laptop",
        (FOLDER, "frame.slices=null", "metric={kind: dice, over: pooled}"),
        f3,
        lambda shared: {},
        {},
        blocks=(1, 8),
        mirrored="x",
    ),
    Dataset(
        "bsd68",
        "BSD68, noise of 25",
        (),
        {"PSNR, dB": {"kind": "psnr"}},
        "denoise-gray-laptop",
        (),
        bsd,
        lambda shared: {},
        {},
    ),
)
BY_NAME = {one.name: one for one in DATASETS}


def prepare(dataset: Dataset, shared: Path, out: Path) -> Path:
    """Write the data of a row once; return its folder."""
    folder = out / dataset.name
    if (folder / "done").is_file():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("data", "train", "test"):
        (folder / name).mkdir(parents=True)
    for side, id, image, masks in dataset.write(shared, folder / "data"):
        np.savez(folder / side / f"{id}.npz", image=image, masks=masks)
    (folder / "done").touch()
    return folder


def images(folder: Path) -> list[tuple[str, NDArray[Any], NDArray[Any]]]:
    """Return name, image and masks of all images of a side."""
    found = []
    for path in sorted(folder.glob("*.npz")):
        with np.load(path) as arrays:
            found.append((path.stem, arrays["image"], arrays["masks"]))
    return found
