"""Images in one folder, masks of equal stems in another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

from lamina.data.catalogs.base import Catalog, Listing
from lamina.data.catalogs.inputs import Input, image_folder
from lamina.data.catalogs.pairs import Meaning, OpenedPair, Pair, open_pairs, read_pairs
from lamina.data.names import by_stem, relative_stem
from lamina.data.readers import Dicom, images_below, open_volume
from lamina.data.targets.label_table import LabelTable
from lamina.errors import DataError, RecipeError, listed
from lamina.files import safe_join
from lamina.task import Task
from lamina.volume import Volume


class Folder(Catalog):
    """Pairs of an image and a mask with equal names, the suffix apart.

    The id of a case is the image's path below the folder of images, without its suffix. Masks
    are read once when the folder is opened, so that every odd value is known before training;
    facts of a case: ``classes`` (without the background of a multiclass task) and, for each
    class, ``area_<index>`` in pixels.
    """

    kind: Literal["folder"] = "folder"

    images: str = "images"
    """Folder of the images below the data folder; folders within it become part of the ids."""

    masks: str = "masks"
    """Folder of the masks (for restore: of the wanted images) below the data folder."""

    labels: LabelTable | None = None
    """Stored value to class, such as {0: 0, 255: 1}; `others` names all values that are not
    listed, and colours such as '#ff0000' may stand for values. binary: 1 or 255, whichever the
    masks use, is the class. null: stored values are classes."""

    ignore: int | None = None
    """Stored value of pixels that must not count; null: all count."""

    missing: Literal["error", "empty"] = "error"
    """An image without a mask is refused, or taken as free of every class."""

    dicom: Dicom = Dicom()
    """How the values of DICOM images are meant."""

    def open(self, root: Path, task: Task) -> Listing:
        """List every image with its mask.

        Raises:
            RecipeError: ``missing: empty`` in a restore task, where nothing is empty.
            DataError: a folder is missing; two files have one stem; a mask or an image is
                missing; shapes differ; a mask holds a value that is not a class.
        """
        if task.kind == "restore" and self.missing == "empty":
            raise RecipeError("data.missing is 'empty', but a restore task needs every target")
        images = by_stem(safe_join(root, self.images), "data.images", root)
        masks = by_stem(safe_join(root, self.masks), "data.masks", root)
        self._check(images, masks)
        pairs = [Pair(stem, path, masks.get(stem)) for stem, path in images.items()]
        meaning = Meaning(self.labels, self.ignore)
        indices = task.kind != "restore" and not meaning.colours
        opened = open_pairs(pairs, lambda pair: self._opened(pair, target=indices))
        cases, names = read_pairs(opened, task, meaning)
        return Listing(cases, names)

    def images_in(self, folder: Path) -> Iterator[Input]:
        """Yield the images in ``data.images``, or all of a folder without one."""
        inside = image_folder(folder, self.images)
        yield from (Input(self.id_of(path, inside), path) for path in images_below(inside, folder))

    def folders(self, root: Path) -> tuple[Path, ...]:
        """Return the folders of images and masks; ``root`` itself where there are none."""
        inside = image_folder(root, self.images)
        masks = safe_join(root, self.masks)
        return (inside, masks) if inside != root and masks.is_dir() else (inside,)

    def id_of(self, path: Path, root: Path | None = None) -> str:
        """Return the path below the folder of images, without its suffix."""
        return relative_stem(path, root or path.parent)

    def open_image(self, path: Path, id: str | None = None) -> Volume:
        """Open an image, of DICOM files with the values that ``dicom`` says."""
        del id
        return open_volume(path, dicom=self.dicom)

    def _opened(self, pair: Pair, *, target: bool) -> OpenedPair:
        image = self.open_image(pair.image)
        if pair.target is None:
            return OpenedPair(pair, image, None)
        return OpenedPair(pair, image, open_volume(pair.target, target=target))

    def _check(self, images: Mapping[str, Path], masks: Mapping[str, Path]) -> None:
        lost = [f"{path}: no mask '{stem}.*'" for stem, path in images.items() if stem not in masks]
        if lost and self.missing == "error":
            raise DataError(
                listed(
                    f"{self.masks}: {len(lost)} of {len(images)} masks are missing; add them, or "
                    "set data.missing to empty where no mask means no class",
                    lost,
                )
            )
        extra = [
            f"{path}: no image '{stem}.*'" for stem, path in masks.items() if stem not in images
        ]
        if extra:
            raise DataError(
                listed(
                    f"{self.images}: {len(extra)} masks have no image; add the images or take the "
                    "masks away",
                    extra,
                )
            )
