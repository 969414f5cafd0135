"""Data made up on the spot, for demos and tests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from lamina.data.case import Case
from lamina.data.catalogs.base import Catalog, Listing
from lamina.data.catalogs.inputs import FOLDERS, Input, image_folder
from lamina.data.names import relative_stem
from lamina.data.readers import images_below, open_volume
from lamina.errors import RecipeError
from lamina.geometry.region import Region
from lamina.synthetic.steel import CLASSES, strip
from lamina.task import Task
from lamina.volume import Volume, check_within

Side = Annotated[int, Field(ge=32)]


@lru_cache(maxsize=32)
def _made(
    index: int, seed: int, shape: tuple[int, int]
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    # kept for a while, since image and target of a sample are read one after the other
    return strip(index, seed=seed, shape=shape)


@dataclass(frozen=True)
class Strip:
    """Image (1 channel) or masks (``channels`` of 0/1) of one synthetic strip, made when read."""

    index: int
    seed: int
    shape: tuple[int, int]
    role: Literal["image", "masks"]
    channels: int = 1

    @property
    def name(self) -> str:
        """Number and seed."""
        return f"synthetic steel {self.index} of seed {self.seed}, {self.role}"

    @property
    def axes(self) -> str:
        """Rows, then columns."""
        return "yx"

    @property
    def dtype(self) -> np.dtype[Any]:
        """One byte a pixel."""
        return np.dtype(np.uint8)

    def read(self, region: Region) -> NDArray[np.uint8]:
        """Return ``(channels, *region.shape)``; a binary task sees the union of the masks."""
        check_within(self, region)
        image, masks = _made(self.index, self.seed, self.shape)
        if self.role == "image":
            return np.array(image[region.slices], np.uint8)[None]
        part = masks[(slice(None), *region.slices)]
        if self.channels == 1:
            part = np.logical_or.reduce(part, axis=0, keepdims=True)
        return part.astype(np.uint8)


class Synthetic(Catalog):
    """Cases that are computed when they are read; the data folder is not read.

    The same seed gives the same images on every machine. Facts of a case: ``classes`` and, for
    each class, ``area_<index>`` in pixels.
    """

    kind: Literal["synthetic"] = "synthetic"

    job: Literal["steel"] = "steel"
    """What is made: grey strips with four overlapping classes of defects."""

    count: int = Field(default=60, ge=1)
    """Number of images."""

    shape: tuple[Side, Side] = (128, 800)
    """Rows and columns of an image, in pixels."""

    seed: int = Field(default=0, ge=0)
    """Another seed, other images."""

    def open(self, root: Path, task: Task) -> Listing:
        """List ``count`` cases; each is made once to learn its classes.

        Raises:
            RecipeError: the task is neither binary (any defect) nor multilabel, or names another
                number of classes than four.
        """
        if task.kind == "binary":
            names = task.names or ("defect",)
        elif task.kind == "multilabel":
            made = tuple(f"class_{k + 1}" for k in range(CLASSES))
            names = task.found(made).names or made
        else:
            raise RecipeError(
                f"task.kind is '{task.kind}', but synthetic defects overlap; set task.kind to "
                "multilabel, or to binary for any defect"
            )
        return Listing(tuple(self._case(index, len(names)) for index in range(self.count)), names)

    def images_in(self, folder: Path) -> Iterator[Input]:
        """Yield the images of a folder; none of them is one of the cases, which lie nowhere."""
        inside = image_folder(folder, *FOLDERS)
        yield from (Input(self.id_of(path, inside), path) for path in images_below(inside, folder))

    def id_of(self, path: Path, root: Path | None = None) -> str:
        """Return the path below the folder of images, without its suffix."""
        return relative_stem(path, root or path.parent)

    def open_image(self, path: Path, id: str | None = None) -> Volume:
        """Open an image file."""
        del id
        return open_volume(path)

    def _case(self, index: int, outputs: int) -> Case:
        image = Strip(index, self.seed, self.shape, "image")
        target = Strip(index, self.seed, self.shape, "masks", outputs)
        areas = target.read(Region.whole(self.shape)).sum((1, 2), dtype=int).tolist()
        facts: dict[str, float | str] = {f"area_{k}": area for k, area in enumerate(areas)}
        facts["classes"] = ",".join(str(k) for k, area in enumerate(areas) if area)
        name = f"steel_{index:05d}"
        return Case(name, name, image, target, facts=facts)
