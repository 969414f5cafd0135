"""Clean images with a declared corruption: training that needs no noisy ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from lamina.data.case import Case
from lamina.data.catalogs.base import Catalog, Listing
from lamina.data.catalogs.inputs import Input, image_folder
from lamina.data.catalogs.pairs import Meaning, OpenedPair, Pair, open_pairs, read_pairs
from lamina.data.corruptions import AnyCorruption, Gaussian
from lamina.data.names import by_stem, relative_stem
from lamina.data.orientation import Orientation, canonical
from lamina.data.readers import Dicom, images_below, open_volume
from lamina.data.views.corrupted import Corrupted
from lamina.errors import DataError, RecipeError
from lamina.files import safe_join
from lamina.spec import ADDED_LATER
from lamina.task import Task
from lamina.volume import Volume


class Corrupt(Catalog):
    """Clean images or volumes in one folder; each with noise on it is its own input.

    Every training sample gets fresh noise, after it was moved. Whatever is held out, predicted or
    scored has noise that follows from ``seed`` and the id alone. Where ``frame.resize`` resizes
    whole images the noise is on the image before, and training sees that same noise each time.

    The id of a case is the image's path below the folder, without its suffix.
    """

    kind: Literal["corrupt"] = "corrupt"

    images: str | None = None
    """Folder of the clean images below the data folder; null: the data folder itself."""

    pattern: str = "*"
    """Which of its files are taken, by name, such as *.png."""

    values: Annotated[str | None, ADDED_LATER] = None
    """Which of them are taken, by their values: the type, and x and the channels where there are
    several, such as uint8 and uint8x3; null: all."""

    axes: str | None = None
    """Names of the stored axes, first to last; null: as the files say, yx for images and zyx for
    stacks of pages and arrays of three axes."""

    dataset: str | None = None
    """Path of the array within an HDF5 file or a Zarr store; null: the only one."""

    orientation: Annotated[Orientation, ADDED_LATER] = "canonical"
    """canonical: volumes whose file says how they lie in a body are turned to x right, y front,
    z head. as_stored: what files say of their axes and their place is not looked at."""

    dicom: Annotated[Dicom, ADDED_LATER] = Dicom()
    """How the stored numbers of DICOM files become grey values, and which of several frames."""

    noise: tuple[AnyCorruption, ...] = (Gaussian(),)
    """What is done to clean images, in order; in float32, neither clipped nor rounded. []: nothing:
    the images are noisy as they are, and a stage masks pixels by ``mix: blind_spots``."""

    seed: int = Field(default=0, ge=0)
    """Another seed, other noise on what is not trained on."""

    def open(self, root: Path, task: Task) -> Listing:
        """List every image, clean as the target and corrupted as the image.

        Raises:
            RecipeError: the task is not to restore.
            DataError: there is no image, two have one stem, or one cannot be read.
        """
        if task.kind != "restore":
            raise RecipeError(
                f"task.kind is '{task.kind}', and corrupted images are to be restored; set "
                "task.kind to restore"
            )
        folder = root if self.images is None else safe_join(root, self.images)
        found = by_stem(folder, "--data" if self.images is None else "data.images")
        pairs = [
            Pair(id, path, path)
            for id, path in found.items()
            if fnmatchcase(path.name, self.pattern)
        ]
        if not pairs:
            raise DataError(f"{folder}: no file is called '{self.pattern}'; set data.pattern")
        opened = open_pairs(pairs, self._opened)
        if self.values is not None:
            opened = [one for one in opened if values_of(one.image) == self.values]
            if not opened:
                raise DataError(f"{folder}: no image holds {self.values}; set data.values")
        cases, names = read_pairs(opened, task, Meaning())
        return Listing(tuple(self._corrupted(cases)), names)

    def images_in(self, folder: Path) -> Iterator[Input]:
        """Yield the images that ``pattern`` names, in the folder ``images`` if any."""
        inside = folder if self.images is None else image_folder(folder, self.images)
        for path in images_below(inside, folder):
            if fnmatchcase(path.name, self.pattern):
                yield Input(self.id_of(path, inside), path)

    def id_of(self, path: Path, root: Path | None = None) -> str:
        """Return the path below the folder of images, without its suffix."""
        return relative_stem(path, root or path.parent)

    def open_image(self, path: Path, id: str | None = None) -> Volume:
        """Open an image as it is, clean or not; ``corrupted`` puts the noise on it."""
        del id
        as_stored = self.orientation == "as_stored"
        volume = open_volume(
            path, self.axes, dicom=self.dicom, dataset=self.dataset, as_stored=as_stored
        )
        return volume if as_stored else canonical(volume)

    def corrupted(self, image: Volume, id: str) -> Corrupted:
        """Return an image with the noise that belongs to its id."""
        return Corrupted(image, self.noise, self.seed, id)

    def _opened(self, pair: Pair) -> OpenedPair:
        clean = self.open_image(pair.image)
        return OpenedPair(pair, clean, clean)

    def _corrupted(self, cases: Sequence[Case]) -> list[Case]:
        return [replace(case, image=self.corrupted(case.image, case.id)) for case in cases]


def values_of(image: Volume) -> str:
    """Return what ``data.values`` calls the values of an image, such as ``uint8x3``."""
    return f"{image.dtype}x{image.channels}" if image.channels > 1 else str(image.dtype)
