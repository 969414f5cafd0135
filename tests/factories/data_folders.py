"""One small data folder in every layout that is known; each can be trained on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import nibabel
import numpy as np
import segyio
import tifffile
import zarr
from numpy.typing import NDArray
from PIL import Image

from lamina.synthetic.scroll import write_fragments
from lamina.synthetic.seismic import write_faults, write_pairs
from lamina.synthetic.steel import write_severstal
from lamina.synthetic.xray import write_siim
from tests.factories.dicom import write_series

COUNT = 6


def picture(seed: int, size: int = 72) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return a grey image with a bright disc, and its mask of 0 and 1."""
    rng = np.random.default_rng(seed)
    rows, columns = np.ogrid[:size, :size]
    row, column = rng.integers(size // 3, 2 * size // 3, 2)
    mask = np.asarray((rows - row) ** 2 + (columns - column) ** 2 < (size // 6) ** 2, np.uint8)
    image = (rng.normal(80, 15, (size, size)) + 90.0 * mask).clip(0, 255)
    return image.astype(np.uint8), mask


def cube(seed: int, depth: int = 12, size: int = 40) -> tuple[NDArray[np.int16], NDArray[np.uint8]]:
    """Return a grey volume (z, y, x) with a bright rod, and its labels of 0 and 1."""
    rng = np.random.default_rng(seed)
    mask = np.zeros((depth, size, size), np.uint8)
    at = rng.integers(size // 4, size // 2)
    mask[2:-2, at : at + 8, at : at + 10] = 1
    image = rng.normal(300, 40, mask.shape) + 400.0 * mask
    return image.astype(np.int16), mask


def save(path: Path, pixels: NDArray[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def folder(root: Path) -> None:
    for k in range(COUNT):
        image, mask = picture(k)
        save(root / f"images/{k:02d}.png", image)
        save(root / f"masks/{k:02d}.png", mask * 255)


def suffixes(root: Path) -> None:
    for k in range(COUNT):
        image, mask = picture(k)
        save(root / f"s{k:02d}.png", image)
        save(root / f"s{k:02d}_mask.png", mask)


def class_folders(root: Path) -> None:
    for k in range(COUNT):
        image, mask = picture(k)
        save(root / f"images/{k:02d}.png", image)
        save(root / f"masks/disc/{k:02d}.png", mask * 255)
        save(root / f"masks/ring/{k:02d}.png", np.roll(mask, 9, 0) * 255)


def classes(root: Path) -> None:
    """Masks of 0, 1 and 2."""
    for k in range(COUNT):
        image, mask = picture(k)
        save(root / f"images/{k:02d}.png", image)
        save(root / f"labels/{k:02d}.png", np.where(np.roll(mask, 20, 0), 2, mask).astype(np.uint8))


def nnunet(root: Path) -> None:
    for k in range(COUNT):
        image, mask = cube(k)
        for name, pixels in ((f"imagesTr/c{k}_0000", image), (f"labelsTr/c{k}", mask)):
            path = root / f"{name}.nii.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            nibabel.save(nibabel.Nifti1Image(pixels.T, np.diag([0.8, 0.8, 3.0, 1])), path)
    about = {"channel_names": {"0": "CT"}, "labels": {"background": 0, "rod": 1}}
    text = json.dumps(about | {"numTraining": COUNT, "file_ending": ".nii.gz"})
    (root / "dataset.json").write_text(text)


def severstal(root: Path) -> None:
    write_severstal(root, count=10, seed=3, shape=(64, 128))


def siim(root: Path) -> None:
    write_siim(root, count=12, seed=3, shape=(96, 96))


def coco(root: Path) -> None:
    images, annotations = [], []
    for k in range(COUNT):
        image, mask = picture(k)
        save(root / f"images/{k:02d}.jpg", image)
        images.append({"id": k, "file_name": f"{k:02d}.jpg", "height": 72, "width": 72})
        rows, columns = np.nonzero(mask)
        y0, y1, x0, x1 = (int(v) for v in (rows.min(), rows.max(), columns.min(), columns.max()))
        polygon = [x0, y0, x1, y0, x1, y1, x0, y1]
        annotations.append(
            {"id": k, "image_id": k, "category_id": 7, "iscrowd": 0, "segmentation": [polygon]}
        )
    about = {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": 7, "name": "disc"}],
    }
    (root / "annotations.json").write_text(json.dumps(about))


def labelme(root: Path) -> None:
    for k in range(COUNT):
        image, mask = picture(k)
        save(root / f"{k:02d}.png", image)
        rows, columns = np.nonzero(mask)
        corners = [[int(columns.min()), int(rows.min())], [int(columns.max()), int(rows.max())]]
        shape = {"label": "disc", "shape_type": "rectangle", "points": corners, "flags": {}}
        about = {
            "version": "5.0.1",
            "flags": {},
            "shapes": [shape],
            "imagePath": f"{k:02d}.png",
            "imageData": None,
            "imageHeight": 72,
            "imageWidth": 72,
        }
        (root / f"{k:02d}.json").write_text(json.dumps(about))


def voc(root: Path) -> None:
    for k in range(COUNT + 2):
        image, mask = picture(k)
        save(root / f"JPEGImages/{k:02d}.jpg", image)
        if k >= COUNT:
            continue  # most images of VOC have boxes only
        values = mask.copy()
        values[np.roll(mask, 2, 1) != mask] = 255
        for place in ("SegmentationClass", "SegmentationObject"):
            palette = Image.fromarray(values, mode="P")
            palette.putpalette([v % 256 for k in range(256) for v in (k * 67, k * 129, k * 31)])
            path = root / place / f"{k:02d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            palette.save(path)


def fragments(root: Path) -> None:
    write_fragments(root, count=3, seed=2, shape=(96, 128))


def tiff_volume(root: Path) -> None:
    image, mask = cube(1, 20, 64)
    root.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(root / "raw.tif", (image // 4).clip(0, 255).astype(np.uint8))
    tifffile.imwrite(root / "rods.tif", mask * 255)


def faults(root: Path) -> None:
    write_faults(root, count=4, seed=1, shape=(24, 32, 40))


def noise(root: Path) -> None:
    write_pairs(root, count=4, seed=1, shape=(24, 32, 40))


def nifti(root: Path) -> None:
    for k in range(COUNT):
        image, mask = cube(k)
        for name, pixels in ((f"images/p{k}", image), (f"labels/p{k}", mask)):
            path = root / f"{name}.nii.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            nibabel.save(nibabel.Nifti1Image(pixels.T, np.diag([0.8, 0.8, 3.0, 1])), path)


def zarr_stores(root: Path) -> None:
    for k in range(COUNT):
        image, mask = cube(k)
        zarr.save_array(str(root / f"p{k}/raw.zarr"), image)
        zarr.save_array(str(root / f"p{k}/labels.zarr"), mask)


def hdf5(root: Path) -> None:
    root.mkdir(parents=True, exist_ok=True)
    for k in range(COUNT):
        image, mask = cube(k)
        with h5py.File(root / f"p{k}.h5", "w") as file:
            file["raw"], file["label"] = image, mask


def zarr_group(root: Path) -> None:
    for k in range(COUNT):
        image, mask = cube(k)
        group: Any = zarr.open_group(str(root / f"p{k}.zarr"), mode="w")
        for name, pixels in (("raw", image), ("labels", mask)):
            group.create_array(name, data=pixels)


def segy(root: Path) -> None:
    root.mkdir(parents=True, exist_ok=True)
    image, mask = cube(5, 20, 48)
    for name, values in (("survey", image), ("faults", mask)):
        segyio.tools.from_array3D(str(root / f"{name}.sgy"), values.astype(np.float32))


def dicom(root: Path) -> None:
    for k in range(3):
        image, mask = cube(k)
        affine = write_series(root / f"images/p{k}", image)
        path = root / f"labels/p{k}.nii.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        order = np.eye(4)[[2, 1, 0, 3]]
        nibabel.save(nibabel.Nifti1Image(mask.T, affine @ order), path)


def images_only(root: Path) -> None:
    for k in range(COUNT):
        save(root / f"{k:02d}.png", picture(k)[0])


TREES: dict[str, tuple[Callable[[Path], None], str]] = {
    "folder": (folder, "folder"),
    "suffixes": (suffixes, "folder"),
    "class_folders": (class_folders, "folder"),
    "classes": (classes, "folder"),
    "nnunet": (nnunet, "nnunet"),
    "severstal": (severstal, "csv"),
    "siim": (siim, "csv"),
    "coco": (coco, "coco"),
    "labelme": (labelme, "labelme"),
    "voc": (voc, "voc"),
    "fragments": (fragments, "fragments"),
    "tiff_volume": (tiff_volume, "volumes"),
    "faults": (faults, "volumes"),
    "noise": (noise, "volumes"),
    "nifti": (nifti, "volumes"),
    "zarr_stores": (zarr_stores, "volumes"),
    "hdf5": (hdf5, "datasets"),
    "zarr_group": (zarr_group, "datasets"),
    "segy": (segy, "volumes"),
    "dicom": (dicom, "dicom"),
    "images_only": (images_only, "corrupt"),
}
"""Maker of each tree, and the layout that it is recognised as."""
