"""What every catalog promises."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

from lamina.data.case import Case
from lamina.data.catalogs.inputs import Input, is_table, named_by
from lamina.data.readers import PassedOver, is_image, look_below
from lamina.errors import DataError, RecipeError
from lamina.folders import remote_url
from lamina.spec import Spec, kind_of
from lamina.task import Task
from lamina.volume import Volume


@dataclass(frozen=True)
class Listing:
    """What a catalog found: cases in a stable order, and the names of the task's outputs."""

    cases: tuple[Case, ...]
    names: tuple[str, ...]


@dataclass(frozen=True)
class Survey:
    """What is found where not everything can be used: the good cases, and all that is wrong."""

    cases: tuple[Case, ...] = ()
    problems: tuple[str, ...] = ()
    """Each with its file and what to do, on one line or more."""


class Catalog(Spec):
    """Where cases come from: a layout of files below a folder given on the command line.

    What training lists (``open``) and what prediction lists (``inputs``) are told apart by
    nothing but the targets: the same images, opened alike, by the same ids.
    """

    reads_remote: ClassVar[bool] = False
    """Whether a data folder may be in object storage."""

    @abstractmethod
    def open(self, root: Path, task: Task) -> Listing:
        """List the cases below ``root``; headers only wherever the format allows it.

        Args:
            root: The data folder; never written to.
            task: What targets mean; ``task.names`` may be None, then they are found.

        Raises:
            DataError: a file is missing, double, broken or not what it claims; all problems of
                one kind are listed at once (at most ten), each with its file and remedy.
        """

    def survey(self, root: Path, task: Task) -> Survey:
        """Return what ``open`` would refuse, file by file, and the cases that are good.

        Args:
            root: As for ``open``.
            task: As for ``open``.

        Raises:
            RecipeError: as ``open``.
        """
        try:
            return Survey(cases=self.open(root, task).cases)
        except DataError as error:
            return Survey(problems=(str(error),))

    @abstractmethod
    def images_in(self, folder: Path) -> Iterator[Input]:
        """Yield the images of a folder that is laid out as the data are, with targets or without.

        Args:
            folder: A data folder, or any folder of images.
        """

    @abstractmethod
    def id_of(self, path: Path, root: Path | None = None) -> str:
        """Return the id of the case of an image.

        Args:
            path: The file, or a folder that is one image.
            root: The folder of images that ids are relative to; None: the one it lies in.
        """

    @abstractmethod
    def open_image(self, path: Path, id: str | None = None) -> Volume:
        """Open an image as ``open`` does; no pixel is read yet.

        Args:
            path: As for ``id_of``.
            id: As ``inputs`` called it; None: as ``id_of`` does.

        Raises:
            DataError: it is missing, broken, of another kind, or its axes are not the recipe's.
        """

    def adapt(self, image: Volume) -> Volume:
        """Return an image that is in memory as ``open_image`` would return that of a file."""
        return image

    def inputs(self, path: Path) -> Iterator[Input]:
        """Yield the images to predict at a path of the command line, with ids as of ``open``.

        Args:
            path: An image, a folder of images or of data, a csv table that names images, or the
                address of a Zarr store in object storage.

        Raises:
            DataError: it does not exist, or a row of a table names no image.
        """
        if path.is_dir() and not self.is_one(path):
            yield from self.images_in(path)
        elif is_table(path):
            yield from (Input(self.id_of(one, root), one) for one, root in named_by(path))
        elif path.exists() or remote_url(path) is not None:
            yield Input(self.id_of(path), path)
        else:
            raise DataError(f"{path}: no such file or folder")

    def is_one(self, path: Path) -> bool:
        """Whether a path is an image, rather than a folder of images."""
        return is_image(path)

    def files_of(self, path: Path) -> tuple[Path, ...]:
        """Return all files of the image that ``inputs`` names by one of them."""
        return (path,)

    def folders(self, root: Path) -> tuple[Path, ...]:
        """Return the folders of a data folder in which every file should be an image or a mask.

        What is in them and is not read is told to the user. None: files are found by patterns.
        """
        del root
        return ()

    def passed_over(self, root: Path) -> list[PassedOver]:
        """Return what lies in the folders of images and masks and is not read."""
        return [one for folder in self.folders(root) for one in look_below(folder, root).passed]

    def parts_beside(self, root: Path) -> str | None:
        """Return which folders are other parts of somebody's split and are not read; or None."""
        del root
        return None

    def open_valid(self, path: Path) -> Volume | None:
        """Open what says where pixels of an image count, such as the mask of a fragment.

        Returns:
            One channel, not 0 where a pixel counts; None: there is no such thing, and every pixel
            counts.

        Raises:
            DataError: it is broken, or of another kind.
        """
        del path
        return None

    def corrupted(self, image: Volume, id: str) -> Volume:
        """Return an image with the noise that the recipe declares for its id.

        Raises:
            RecipeError: it declares none.
        """
        del image, id
        raise RecipeError(
            f"--corrupt puts the recipe's noise on images, and data.kind {kind_of(self)} has none; "
            "leave it out"
        )

    def stored(self, image: Volume, task: Task) -> tuple[float, float]:
        """Return offset and span: a restored value v stands for v * span + offset in stored units.

        Args:
            image: As the catalog opened it, or a slice or crop of that.
            task: With its unit.
        """
        del image
        return 0.0, task.unit or 1.0

    def similarities(self, cases: Sequence[Case]) -> Mapping[str, float]:
        """Return how alike image and target of each case are, by id; empty: nobody asks.

        Raises:
            DataError: a case cannot be read.
        """
        del cases
        return {}

    def is_alike(self, similarity: float) -> bool:
        """Whether a case of such a similarity is trained on."""
        del similarity
        return True

    def prepared(self, cases: Sequence[Case], folder: Path) -> tuple[Self, Sequence[Case]]:
        """Return catalog and cases once what is measured or unpacked for training is there.

        Args:
            cases: Those of ``open``, or parts of them.
            folder: A run folder, for what is worth keeping.

        Raises:
            ResourceError: what is written does not fit the disk.
            DataError: a volume cannot be read.
        """
        del folder
        return self, cases
