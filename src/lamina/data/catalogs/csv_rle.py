"""Images in one folder, masks as run-length codes in one csv."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from lamina.data.case import Case, area_of
from lamina.data.catalogs.base import Catalog, Listing
from lamina.data.catalogs.inputs import FOLDERS, Input, image_folder
from lamina.data.index.index import fill
from lamina.data.names import nfc
from lamina.data.readers import (
    SUFFIXES,
    Dicom,
    Options,
    PassedOver,
    images_below,
    open_with,
    stem_of,
)
from lamina.data.tables.csv import read_table
from lamina.data.tables.rle import (
    Entry,
    for_images,
    refuse_double,
    refuse_lost,
    severstal_entries,
    siim_entries,
)
from lamina.data.targets.rle import CodedMask, RleTarget
from lamina.errors import DataError, RecipeError, listed
from lamina.files import safe_join
from lamina.spec import Spec
from lamina.task import Task
from lamina.volume import Volume

SECOND_STAGE = "stage_2"
"""The part that images of ``second`` belong to."""

_FOLDERS = ("train_images", "images", "train")


class Second(Spec):  # SIIM-5
    """Images that came later, such as the test set of a competition's first stage."""

    images: str
    """Their folder below the data folder."""

    table: str
    """Their table below the data folder."""


class CsvRle(Catalog):  # STEEL-2, SIIM-1, SIIM-2
    """One folder of images and one table of run-length codes, as competitions publish them.

    ``severstal``, the steel competition in both generations of its table: the older has
    the columns ``ImageId_ClassId`` ("name.jpg_3") and ``EncodedPixels``, a row for each class of
    each image and an empty cell for none; the newer has ``ImageId``, ``ClassId`` and
    ``EncodedPixels`` in any order, and rows only for defects. The file name is the id.

    ``siim``, the X-ray competition: one class, columns ``ImageId`` and
    ``EncodedPixels``, any number of rows for an image, whose masks unite, and -1 for none. Images
    (DICOM, PNG …) may lie in folders within the folder; the file name without suffix is the id.

    Every image of the folder is a case, whether it has a row or not. Facts of a case: ``classes``
    and, for each class, ``area_<index>`` in pixels; ``part`` is stage_2 for images of ``second``.
    """

    kind: Literal["csv_rle"] = "csv_rle"

    dialect: Literal["severstal", "siim"] = "severstal"
    """How the table and its run-length code are written."""

    table: str = "train.csv"
    """The table of masks, below the data folder."""

    images: str | None = None
    """Folder of the images below the data folder; null: train_images, images or train."""

    second: Second | None = None
    """More images, of the part stage_2, that every fold learns from and none holds out; null:
    there are none. Stages name the parts they learn from."""

    dicom: Dicom = Dicom()
    """How the values of DICOM images are meant."""

    def open(self, root: Path, task: Task) -> Listing:
        """List every image of the folder with its masks; classes are 1 to the largest ClassId.

        Raises:
            RecipeError: the task is neither binary (any class) nor multilabel, or names fewer
                classes than the table holds.
            DataError: folder or table are missing; rows name no image, stand twice (severstal
                only), or hold what is no class or no run-length code; images are not readable.
        """
        if task.kind not in ("binary", "multilabel"):
            raise RecipeError(
                f"task.kind is '{task.kind}', but masks of a csv_rle table may overlap; "
                "set task.kind to multilabel, or to binary for any defect"
            )
        found = self._read(root, self._folder(root), safe_join(root, self.table))
        names = _names(found.entries, task, found.table)
        cases = _cases(found, len(names), self)
        if self.second is not None:
            later = self._read(
                root, safe_join(root, self.second.images), safe_join(root, self.second.table)
            )
            both = sorted(found.images.keys() & later.images.keys())
            if both:
                raise DataError(
                    listed(f"{root}: {len(both)} images are in both parts; keep them in one", both)
                )
            cases += tuple(
                replace(case, facts={**case.facts, "part": SECOND_STAGE})
                for case in _cases(later, len(names), self)
            )
        return Listing(cases, names)

    def images_in(self, folder: Path) -> Iterator[Input]:
        """Yield the images of the image folder of ``folder``, or all of a folder without one."""
        for place in self.folders(folder):
            yield from (Input(self.id_of(path), path) for path in images_below(place, folder))

    def folders(self, root: Path) -> tuple[Path, ...]:
        """Return the folders of images, or ``root`` itself where there are none."""
        names = (*_FOLDERS, *FOLDERS) if self.images is None else (self.images,)
        places = [image_folder(root, *names)]
        if self.second is not None and (later := safe_join(root, self.second.images)).is_dir():
            places.append(later)
        return tuple(dict.fromkeys(places))

    def passed_over(self, root: Path) -> list[PassedOver]:
        """Return what is not read; but in the siim dialect, images in folders of their own too."""
        found = super().passed_over(root)
        if self.dialect != "siim":
            for folder in self.folders(root):
                nested = [path for path in images_below(folder, root) if path.parent != folder]
                found += [PassedOver(path, f"is not directly in {folder}") for path in nested]
        return found

    def id_of(self, path: Path, root: Path | None = None) -> str:
        """Return the name of an image file, without its suffix in the siim dialect."""
        del root
        return nfc(stem_of(path) if self.dialect == "siim" else path.name)

    def open_image(self, path: Path, id: str | None = None) -> Volume:
        """Open an image, of DICOM files with the values that ``dicom`` says."""
        del id
        return open_with(path, Options(dicom=self.dicom))

    def _read(self, root: Path, folder: Path, path: Path) -> _Found:
        images, table = self._images(root, folder), read_table(path)
        entries = siim_entries(table) if self.dialect == "siim" else severstal_entries(table)
        entries = for_images(entries, images)
        if self.dialect == "severstal":
            refuse_double(entries, table.path)
        refuse_lost(entries, images, table.path)
        return _Found(images, entries, table.path)

    def _folder(self, root: Path) -> Path:
        if self.images is not None:
            return safe_join(root, self.images)
        found = [name for name in _FOLDERS if (root / name).is_dir()]
        if len(found) != 1:
            raise DataError(
                f"{root}: has {' and '.join(found) or 'none'} of the image folders "
                f"{', '.join(_FOLDERS)}; name the right one with data.images"
            )
        return root / found[0]

    def _images(self, root: Path, folder: Path) -> dict[str, Path]:
        """Return the images of a folder by id (in Unicode's composed form), in order."""
        if not folder.is_dir():
            raise DataError(f"{folder}: no such folder of images; set data.images")
        found: dict[str, Path] = {}
        for path in images_below(folder, root):
            if self.dialect != "siim" and path.parent != folder:
                continue  # only the folder itself
            name = self.id_of(path)
            if name in found:
                raise DataError(f"{path}: the same name as {found[name]}; rename one of them")
            found[name] = path
        if not found:
            raise DataError(f"{folder}: no image in it; read are {', '.join(sorted(SUFFIXES))}")
        return dict(sorted(found.items()))


@dataclass(frozen=True)
class _Found:
    images: dict[str, Path]
    entries: list[Entry]
    table: Path


def _names(entries: Sequence[Entry], task: Task, table: Path) -> tuple[str, ...]:
    if task.kind == "binary":
        return task.names or ("defect",)
    found = tuple(f"class_{k + 1}" for k in range(1 + max((e.index for e in entries), default=-1)))
    if task.names is not None:
        if len(found) > len(task.names):
            task.found(found)  # raises: the table holds more classes than the recipe names
        return task.names
    if not found:
        raise DataError(f"{table}: no rows, so the classes are unknown; set task.names")
    return found


def _cases(read: _Found, outputs: int, catalog: CsvRle) -> tuple[Case, ...]:
    fill(image=read.images.values())
    binary, table = outputs == 1, read.table
    masks: dict[str, dict[int, list[CodedMask]]] = defaultdict(lambda: defaultdict(list))
    for entry in read.entries:
        if entry.text:
            channel = 0 if binary else entry.index
            place = f"{table}: line {entry.line}"
            masks[entry.image][channel].append(CodedMask(entry.text, place))
    cases, broken = [], []
    for name, path in read.images.items():
        held = tuple(tuple(masks[name][k]) for k in range(outputs))
        try:
            cases.append(_case(name, path, held, catalog))
        except DataError as error:
            broken.append(str(error))
    if len(broken) == 1:
        raise DataError(broken[0])
    if broken:
        raise DataError(listed(f"{table}: {len(broken)} images cannot be used", broken))
    return tuple(cases)


def _case(name: str, path: Path, masks: tuple[tuple[CodedMask, ...], ...], catalog: CsvRle) -> Case:
    image = catalog.open_image(path)
    if len(image.shape) != 2:
        raise DataError(f"{path}: has axes '{image.axes}' {image.shape}; needed is one plane")
    target = RleTarget(name, (image.shape[0], image.shape[1]), masks, catalog.dialect)
    areas = target.areas()
    facts: dict[str, float | str] = {area_of(k): area for k, area in enumerate(areas)}
    facts["classes"] = ",".join(str(k) for k, area in enumerate(areas) if area)
    codes = [[mask.text for mask in channel] for channel in masks]
    rows = hashlib.sha256(json.dumps(codes).encode()).hexdigest()
    return Case(name, name, image, target, files=(str(path),), facts=facts, label_digest=rows)
