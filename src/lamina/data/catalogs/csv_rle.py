"""Images in one folder, masks as run-length codes in one csv."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lamina.data.case import Case
from lamina.data.catalogs.base import Catalog, Listing
from lamina.data.csv_table import Row, Table, read_table
from lamina.data.names import nfc
from lamina.data.problems import listed
from lamina.data.readers import SUFFIXES, open_volume
from lamina.data.rle_target import CodedMask, RleTarget
from lamina.errors import DataError, RecipeError
from lamina.files import safe_join
from lamina.task import Task

_FOLDERS = ("train_images", "images", "train")
_MOST_CLASSES = 256


@dataclass(frozen=True)
class _Entry:
    line: int
    image: str
    index: int  # of the class, from 0
    text: str  # empty: no such defect


class CsvRle(Catalog):
    """The layout of the steel competition, in both generations of its table (STEEL-2).

    The older table has the columns ``ImageId_ClassId`` ("name.jpg_3") and ``EncodedPixels``, a
    row for each class of each image and an empty cell for none; the newer has ``ImageId``,
    ``ClassId`` and ``EncodedPixels`` in any order, and rows only for defects. Every image of the
    folder is a case, whether it has a row or not; its file name is its id. Facts of a case:
    ``classes`` and, for each class, ``area_<index>`` in pixels.
    """

    kind: Literal["csv_rle"] = "csv_rle"

    dialect: Literal["severstal"] = "severstal"
    """How the table and its run-length code are written."""

    table: str = "train.csv"
    """The table of masks, below the data folder."""

    images: str | None = None
    """Folder of the images below the data folder; null: train_images, images or train."""

    def open(self, root: Path, task: Task) -> Listing:
        """List every image of the folder with its masks; classes are 1 to the largest ClassId.

        Raises:
            RecipeError: the task is neither binary (any class) nor multilabel, or names fewer
                classes than the table holds.
            DataError: folder or table are missing; rows name no image, stand twice, or hold what
                is no class or no run-length code; images are not readable.
        """
        if task.kind not in ("binary", "multilabel"):
            raise RecipeError(
                f"task.kind is '{task.kind}', but masks of a csv_rle table may overlap; "
                "set task.kind to multilabel, or to binary for any defect"
            )
        images = _images(self._folder(root))
        table = read_table(safe_join(root, self.table))
        entries = _entries(table)
        _check(entries, images, table.path)
        names = _names(entries, task, table.path)
        return Listing(_cases(images, entries, len(names), table.path), names)

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


def _images(folder: Path) -> dict[str, Path]:
    """Return the images of a folder by name (in Unicode's composed form), in order."""
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder of images; set data.images")
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in SUFFIXES or path.name.startswith("."):
            continue
        name = nfc(path.name)
        if name in found:
            raise DataError(f"{path}: the same name as {found[name]}; rename one of them")
        found[name] = path
    if not found:
        raise DataError(f"{folder}: no image in it; read are {', '.join(sorted(SUFFIXES))}")
    return dict(sorted(found.items()))


def _entries(table: Table) -> list[_Entry]:
    """Return the rows of a table of either generation."""
    joint, pixels = table.column("ImageId_ClassId"), table.column("EncodedPixels")
    image, number = table.column("ImageId"), table.column("ClassId")
    if pixels is None or (joint is None and (image is None or number is None)):
        raise DataError(
            f"{table.path}: line 1: has the columns {', '.join(table.columns)}; needed are "
            "ImageId, ClassId, EncodedPixels, or ImageId_ClassId, EncodedPixels"
        )

    def parts(row: Row) -> tuple[str, str]:
        if image is not None and number is not None:
            return row.cells[image], row.cells[number]
        name, _, last = row.cells[joint or 0].rpartition("_")
        return name, last

    entries, odd = [], []
    for row in table.rows:
        name, text = parts(row)
        if not (text.isascii() and text.isdigit() and 1 <= int(text) <= _MOST_CLASSES):
            odd.append(f"line {row.line}: class '{text}' of image '{name}'")
            continue
        name = nfc(name)
        entries.append(_Entry(row.line, name, int(text) - 1, row.cells[pixels]))
    if odd:
        raise DataError(
            listed(f"{table.path}: classes must be numbers from 1 to {_MOST_CLASSES}", odd)
        )
    return entries


def _check(entries: Sequence[_Entry], images: Mapping[str, Path], table: Path) -> None:
    lost = [f"line {e.line}: '{e.image}'" for e in entries if e.image not in images]
    if lost:
        folder = next(iter(images.values())).parent
        raise DataError(
            listed(
                f"{table}: {len(lost)} rows name images that are not in {folder}; "
                "add the images (names count with their suffix) or delete the rows",
                lost,
            )
        )
    first: dict[tuple[str, int], int] = {}
    double = [
        f"line {entry.line}: '{entry.image}' class {entry.index + 1}, first on line {before}"
        for entry in entries
        if (before := first.setdefault((entry.image, entry.index), entry.line)) != entry.line
    ]
    if double:
        raise DataError(
            listed(f"{table}: {len(double)} rows repeat an image and class; keep one", double)
        )


def _names(entries: Sequence[_Entry], task: Task, table: Path) -> tuple[str, ...]:
    if task.kind == "binary":
        return task.names or ("defect",)
    found = tuple(f"class_{k + 1}" for k in range(1 + max((e.index for e in entries), default=-1)))
    if task.names is not None:
        if len(found) > len(task.names):
            task.found(found)  # raises: the table holds more classes than the recipe names
        return task.names
    if not found:
        raise DataError(f"{table}: no rows, so that the classes are unknown; set task.names")
    return found


def _cases(
    images: Mapping[str, Path], entries: Sequence[_Entry], outputs: int, table: Path
) -> tuple[Case, ...]:
    binary = outputs == 1
    masks: dict[str, dict[int, list[CodedMask]]] = defaultdict(lambda: defaultdict(list))
    for entry in entries:
        if entry.text:
            channel = 0 if binary else entry.index
            place = f"{table}: line {entry.line}"
            masks[entry.image][channel].append(CodedMask(entry.text, place))
    cases, broken = [], []
    for name, path in images.items():
        held = tuple(tuple(masks[name][k]) for k in range(outputs))
        try:
            cases.append(_case(name, path, held))
        except DataError as error:
            broken.append(str(error))
    if len(broken) == 1:
        raise DataError(broken[0])
    if broken:
        raise DataError(listed(f"{table}: {len(broken)} images cannot be used", broken))
    return tuple(cases)


def _case(name: str, path: Path, masks: tuple[tuple[CodedMask, ...], ...]) -> Case:
    image = open_volume(path)
    if len(image.shape) != 2:
        raise DataError(f"{path}: has axes '{image.axes}' {image.shape}; needed is one plane")
    target = RleTarget(name, (image.shape[0], image.shape[1]), masks)
    areas = target.areas()
    facts: dict[str, float | str] = {f"area_{k}": area for k, area in enumerate(areas)}
    facts["classes"] = ",".join(str(k) for k, area in enumerate(areas) if area)
    return Case(name, name, image, target, files=(str(path),), facts=facts)
