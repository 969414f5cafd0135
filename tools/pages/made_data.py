"""Small data for the documents, made on the spot: each name is a layout that some page shows."""

from __future__ import annotations

import contextlib
import io
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import numpy as np
import tifffile

import lamina
from lamina.synthetic.scroll import write_fragments
from lamina.synthetic.seismic import write_faults, write_pairs
from lamina.synthetic.steel import strip, write_severstal
from lamina.synthetic.xray import xray

SEED = 7
SMALL = "network={kind: drunet, widths: [8, 16], blocks: 1, residual: false}"
"""A network that trains in a moment; for what is tried, not shown."""


def make(names: Iterable[str], folder: Path) -> None:
    """Make the data of these names in a folder.

    Raises:
        KeyError: there is no data of that name.
    """
    for name in names:
        MADE[name](folder)


def _tiles(folder: Path) -> None:
    """``tiles/`` in the layout of the steel competition, with ``groups.csv``."""
    write_severstal(folder / "tiles", count=12, seed=SEED, shape=(64, 128))
    rows = [f"steel_{index:05d}.png,{index // 2}" for index in range(12)]
    _lines(folder / "tiles" / "groups.csv", ["ImageId,Group", *rows])


def _images(name: str, first: int) -> Callable[[Path], None]:
    """Return a maker of a folder of strips without masks."""

    def make_images(folder: Path) -> None:
        made = folder / f"{name}-made"
        write_severstal(made, count=8, first=first, seed=SEED, shape=(64, 128))
        (made / "train_images").rename(folder / name)
        shutil.rmtree(made)

    return make_images


def _chest(folder: Path) -> None:
    """``chest/images`` and ``chest/masks``, with ``patients.csv``."""
    made = [xray(index, seed=SEED, shape=(64, 64)) for index in range(60)]
    with_finding = [pair for pair in made if pair[1].any()][:6]
    without = [pair for pair in made if not pair[1].any()][:6]
    for index, (image, mask) in enumerate([*with_finding, *without]):
        _png(folder / "chest" / "images" / f"{index:03d}.png", image)
        _png(folder / "chest" / "masks" / f"{index:03d}.png", mask.astype(np.uint8) * 255)
    rows = [f"{index:03d},{index % 6}" for index in range(12)]
    _lines(folder / "chest" / "patients.csv", ["ImageId,Patient", *rows])


def _strips(name: str, *, masks: bool, count: int = 10, first: int = 0) -> Callable[[Path], None]:
    """Return a maker of grey images, with masks in folders of equal names or without."""

    def make_strips(folder: Path) -> None:
        for index in range(first, first + count):
            image, classes = strip(index, seed=SEED, shape=(64, 96))
            if masks:
                found = np.where(classes.any(0), np.uint8(255), np.uint8(0))
                _png(folder / name / "images" / f"{index:03d}.png", image)
                _png(folder / name / "masks" / f"{index:03d}.png", found)
            else:
                _png(folder / name / f"{index:03d}.png", image)

    return make_strips


def _stack(folder: Path) -> None:
    """``stack/raw.tif`` and ``stack/labels.tif``: 20 sections of 64 x 64 pixels."""
    sections = [strip(index, seed=SEED, shape=(64, 64), contrast=2.0) for index in range(20)]
    (folder / "stack").mkdir()
    image = np.stack([image for image, _ in sections])
    labels = np.stack([masks.any(0) for _, masks in sections]).astype(np.uint8) * 255
    labels[:, 20:30, 20:30] = 255  # something in every section
    tifffile.imwrite(folder / "stack" / "raw.tif", image, photometric="minisblack")
    tifffile.imwrite(folder / "stack" / "labels.tif", labels, photometric="minisblack")


def _faults(name: str, count: int, first: int) -> Callable[[Path], None]:
    def make_faults(folder: Path) -> None:
        write_faults(folder / name, count=count, first=first, seed=SEED, shape=(32, 32, 32))

    return make_faults


def _pairs(name: str, count: int) -> Callable[[Path], None]:
    def make_pairs(folder: Path) -> None:
        write_pairs(folder / name, count=count, seed=SEED, shape=(32, 32, 32))

    return make_pairs


def _fragments(name: str, count: int, first: int) -> Callable[[Path], None]:
    def make_fragments(folder: Path) -> None:
        write_fragments(folder / name, count=count, first=first, seed=SEED, shape=(128, 160))

    return make_fragments


def _png(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), pixels)


def _lines(path: Path, lines: Iterable[str]) -> None:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _scratches_run(folder: Path) -> None:
    """``runs/scratches``: a run of ``folder-laptop``, trained as shortly as can be."""
    _strips("scratches", masks=True)(folder)
    _train("folder-laptop", folder / "scratches", folder / "runs" / "scratches", _SHORT)


def _faults_run(folder: Path) -> None:
    """``survey/``, and ``runs/faults`` trained on it."""
    _faults("survey", 4, 0)(folder)
    changes = [*_SHORT, "frame.size=[32,32]", "stages.main.sampler.count=16"]
    _train("faults-laptop", folder / "survey", folder / "runs" / "faults", changes)


def _survey_pred(folder: Path) -> None:
    """As ``faults_run``, and ``pred/`` with what it answers for its own data."""
    _faults_run(folder)
    with contextlib.redirect_stderr(io.StringIO()):
        lamina.predict(folder / "runs" / "faults", folder / "survey", folder / "pred")


_SHORT = [
    "split.count=2",
    "frame.size=[64,64]",
    "stages.main.epochs=1",
    "predict.views=as_is",
    SMALL,
]


def _train(recipe: str, data: Path, run: Path, changes: Iterable[str]) -> None:
    with contextlib.redirect_stderr(io.StringIO()):
        lamina.train(lamina.load_recipe(recipe, list(changes)), data=data, out=run, workers=0)


def _faults_recipe(folder: Path) -> None:
    _lines(folder / "mine.yaml", ["extends: faults-laptop", "name: mine"])


MADE: dict[str, Callable[[Path], None]] = {
    "tiles": _tiles,
    "new_images": _images("new_images", first=100),
    "unlabelled": _images("unlabelled", first=200),
    "new_images_as_images": _images("images", first=100),
    "chest": _chest,
    "photos": _strips("photos", masks=True),
    "photos_without_masks": _strips("photos", masks=False),
    "new_photos": _strips("new_photos", masks=False, count=2, first=50),
    "noisy_photos": _strips("noisy_photos", masks=False, count=2, first=50),
    "Train400": _strips("Train400", masks=False),
    "BSD68": _strips("BSD68", masks=False, count=3, first=60),
    "stack": _stack,
    "survey": _faults("survey", 4, 0),
    "new_survey": _faults("new_survey", 1, 10),
    "survey_pairs": _pairs("survey", 4),
    "survey_pred": _survey_pred,
    "faults_run": _faults_run,
    "faults_recipe": _faults_recipe,
    "photos_in_folder": _strips("folder", masks=True),
    "scratches_run": _scratches_run,
    "pairs": _pairs("pairs", 4),
    "scroll": _fragments("scroll", 3, 0),
    "fragments": _fragments("fragments", 3, 0),
    "new_fragments": _fragments("new_fragments", 1, 3),
    "new-fragments": _fragments("new-fragments", 1, 3),
}
