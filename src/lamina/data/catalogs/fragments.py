"""Fragments of a scroll: a stack of layers each, a mask of the papyrus, and where there is ink."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, field_validator

from lamina.data.case import Case
from lamina.data.catalogs.base import Catalog, Listing
from lamina.data.catalogs.fragment_parts import Parts, parts_of
from lamina.data.catalogs.inputs import Input
from lamina.data.flatten import Flatten, Stack, align, flattened
from lamina.data.flatten.summary import CURVES
from lamina.data.names import nfc
from lamina.data.prepare.unpack import UNPACKED, unpacked
from lamina.data.prepare.value_ranges import RANGES, measure
from lamina.data.readers import SUFFIXES, Fill, is_image, open_volume
from lamina.data.targets.bitmask import Bits, bits_of
from lamina.data.views.layers import Layers, open_layers
from lamina.errors import DataError, RecipeError, listed
from lamina.geometry.region import Region
from lamina.progress import Bar, say
from lamina.task import Task
from lamina.volume import Volume

NAME = r"^[^/\\]+$"


class Fragments(Catalog):  # INK-1
    """Folders with a surface volume, a mask and an image of the ink.

    Each folder below the data folder that holds ``image`` is a fragment, called by the folder's
    name; or the data folder itself is one. Its image has two axes and a channel for each layer of
    ``layers``; what lies outside its mask does not count. Fragments without labels are passed over:
    they can only be predicted. Mask and labels are read once and held as bits.

    A part of a fragment (``parts``) is a case and a group of its own. Facts of a case:
    ``fragment``, ``classes`` ("0" or ""), ``area_0`` (pixels of ink) and ``mask_area`` (of the
    mask).
    """

    kind: Literal["fragments"] = "fragments"

    image: str = Field(default="surface_volume", pattern=NAME)
    """Name of the stack in a fragment's folder: a folder of TIFF files called by the numbers of
    their layers, a Zarr store, or one TIFF, NPY, HDF5 or NIfTI file, with or without its suffix."""

    mask: str = Field(default="mask.png", pattern=NAME)
    """Name of the image whose pixels above 0 are papyrus; a fragment without one counts whole."""

    labels: str = Field(default="inklabels.png", pattern=NAME)
    """Name of the image whose pixels above 0 are ink."""

    layers: tuple[int, int] | None = None  # INK-12: [20, 44]
    """First layer and the one after the last that are read, counted from 0;
    null: all."""

    parts: dict[str, Parts] = Field(default_factory=dict)  # INK-11
    """Fragments to cut, by name: into ``equal_area``, which is three, or by rectangles [first row,
    last row, first column, last column] in shares of the sides or in pixels. The parts of 2 are
    called 2a, 2b ...."""

    dataset: str | None = None
    """Path of the array within a Zarr store or HDF5 file; null: the only one, or the full
    resolution of an OME-Zarr image."""

    fill: Fill = "refuse"
    """Chunks of Zarr and HDF5 arrays that are not stored: refuse, or allow as empty ones."""

    prepare: Flatten | None = None  # INK-2 to INK-7
    """Align the layers of all fragments to those of one of them; null: as they
    are stored."""

    unpack: Literal["once", "never"] = "once"
    """Layers in packed strips or chunks, and aligned ones, are written once into the run folder,
    since crops are drawn in any order; or every crop decodes and moves all that it touches."""

    @field_validator("layers")
    @classmethod
    def _layers_rise(cls, layers: tuple[int, int] | None) -> tuple[int, int] | None:
        if layers is not None and not 0 <= layers[0] < layers[1]:
            raise ValueError(
                f"layers is {list(layers)}; it is the first layer and the one after the last"
            )
        return layers

    def open(self, root: Path, task: Task) -> Listing:
        """List every fragment with labels, cut into its parts.

        Raises:
            RecipeError: the task is not binary, or ``prepare`` names no fragment.
            DataError: there is no fragment, or none with labels; shapes differ; a layer is missing.
        """
        if task.kind != "binary":
            raise RecipeError(
                f"task.kind is '{task.kind}', and fragments show ink or none; set it to binary"
            )
        folders = list(self.fragments(root))
        if not folders:
            raise DataError(
                f"{root}: neither it nor a folder in it has a '{self.image}'; give the folder that "
                "holds the fragments, or set data.image"
            )
        labelled = [folder for folder in folders if (folder / self.labels).is_file()]
        if not labelled:
            raise DataError(
                f"{root}: none of {len(folders)} fragments has a '{self.labels}' to learn from; "
                "set data.labels"
            )
        if len(labelled) < len(folders):
            without = ", ".join(one.name for one in folders if one not in labelled)
            say(f"{root}: {without}: no '{self.labels}'; skipped")
        self._check_parts(root, [name_of(folder) for folder in labelled])
        opened = self._opened(labelled)
        reference: Stack | None = None
        if self.prepare is not None and self.prepare.curve is None:
            reference = self.prepare.reference_of([stack for _, stack in opened])
        cases = [case for path, stack in opened for case in self._cases(path, stack, reference)]
        return Listing(tuple(cases), task.names or ("ink",))

    def fragments(self, root: Path) -> Iterator[Path]:
        """Yield the fragments' folders: ``root`` itself where it is one, or those in it."""
        if self.stack_of(root) is not None:
            yield root
            return
        for path in sorted(root.iterdir()):
            if path.is_dir() and not path.name.startswith(".") and self.stack_of(path) is not None:
                yield path

    def stack_of(self, folder: Path) -> Path | None:
        """Return the stack in a fragment's folder; None where there is none."""
        exact = folder / self.image
        if exact.exists():
            return exact
        found = (folder / f"{self.image}{suffix}" for suffix in SUFFIXES)
        return next((path for path in found if is_image(path)), None)

    def inputs(self, path: Path) -> Iterator[Input]:
        """Yield the stacks of the fragments at ``path``, which may be a stack itself.

        Raises:
            DataError: there is no fragment.
        """
        if not path.exists():
            raise DataError(f"{path}: no such file or folder")
        if self.stack_of(path.parent) == path.parent / path.name:
            yield Input(self.id_of(path), path)
            return
        found = list(self.images_in(path)) if path.is_dir() else []
        if not found:
            raise DataError(
                f"{path}: is not a fragment and contains none; a fragment is a folder with a "
                f"'{self.image}'"
            )
        yield from found

    def images_in(self, folder: Path) -> Iterator[Input]:
        """Yield the stacks of the fragments in ``folder``, with labels or without."""
        for fragment in self.fragments(folder):
            if (stack := self.stack_of(fragment)) is not None:
                yield Input(self.id_of(stack), stack)

    def id_of(self, path: Path, root: Path | None = None) -> str:
        """Return the name of the folder of a stack."""
        del root
        return name_of(path.parent)

    def open_image(self, path: Path, id: str | None = None) -> Layers:
        """Open a stack and return its layers as channels, as for training.

        Args:
            path: What ``stack_of`` returned. Aligned is it only where ``prepare`` has a curve, as
                in the recipe of a bundle.
            id: Not asked for.

        Raises:
            DataError: a layer is missing or broken, or there are fewer than ``layers`` asks for.
        """
        del id
        return self._layers(self.open_stack(path), None)

    def open_valid(self, path: Path) -> Bits | None:
        """Read where the fragment of a stack is papyrus; None where no file says so.

        Raises:
            DataError: the mask cannot be read.
        """
        return self.open_mask(path.parent)

    def open_stack(self, path: Path) -> Stack:
        """Open a stack with the mask and, where there are labels, the ink beside it.

        Args:
            path: What ``stack_of`` returned.

        Raises:
            DataError: a layer is missing or broken, or mask or ink cannot be read.
        """
        folder = path.parent
        labels = folder / self.labels
        ink = bits_of(open_volume(labels, target=True)) if labels.is_file() else None
        return Stack(name_of(folder), self._volume(path), self.open_mask(folder), ink)

    def open_mask(self, folder: Path) -> Bits | None:
        """Read where a fragment is papyrus; None where no file says so.

        Raises:
            DataError: the mask cannot be read.
        """
        path = folder / self.mask
        return bits_of(open_volume(path, target=True)) if path.is_file() else None

    def prepared(self, cases: Sequence[Case], folder: Path) -> tuple[Self, Sequence[Case]]:
        """Return the fragments aligned as ``prepare`` says and unpacked as ``unpack`` says.

        What is measured for the alignment is kept in ``folder``, and the curve of the reference
        goes into the catalog.
        """
        how = align(cases, folder / CURVES)
        data = self if how is None else self.model_copy(update={"prepare": how})
        if self.unpack == "once":
            cases = unpacked(cases, folder / UNPACKED)
        measure(cases, folder / RANGES)
        return data, cases

    def _layers(self, stack: Stack, reference: Stack | None) -> Layers:
        source = stack.volume
        first, stop = self.layers or (0, source.shape[0])
        if stop > source.shape[0]:
            raise DataError(
                f"{source.name}: has {source.shape[0]} layers, and data.layers is "
                f"{[first, stop]}; set it to fit"
            )
        if self.prepare is not None:
            source = flattened(stack, self.prepare, reference)
        return Layers(source, first, stop - first)

    def _volume(self, path: Path) -> Volume:
        if path.is_dir() and not is_image(path):
            return open_layers(path)
        volume = open_volume(path, stack=True, dataset=self.dataset, fill=self.fill)
        if len(volume.axes) != 3:
            raise DataError(f"{path}: has axes '{volume.axes}', and a stack of layers has three")
        return volume

    def _opened(self, folders: Sequence[Path]) -> list[tuple[Path, Stack]]:
        """Return the stacks of all folders and where they lie; all problems are told at once."""
        found: list[tuple[Path, Stack]] = []
        problems: list[str] = []
        with Bar("opening fragments", len(folders)) as bar:
            for folder in folders:
                path = self.stack_of(folder)
                try:
                    if path is not None:
                        found.append((path, self.open_stack(path)))
                except DataError as error:
                    problems.append(str(error))
                bar.advance()
        if len(problems) == 1:
            raise DataError(problems[0])
        if problems:
            raise DataError(
                listed(f"{len(problems)} of {len(folders)} fragments cannot be used", problems)
            )
        return found

    def _cases(self, path: Path, stack: Stack, reference: Stack | None) -> list[Case]:
        name, mask, ink = stack.id, stack.mask, stack.ink
        beside = (path.parent / self.labels, path.parent / self.mask)
        labels = tuple(str(one) for one in beside if one.is_file())
        image = self._layers(stack, reference)
        whole = Case(name, name, image, ink, mask, (str(path),), label_files=labels)
        if name not in self.parts:
            return [replace(whole, facts=_facts(stack, Region.whole(whole.image.shape)))]
        if not isinstance(mask, Bits):
            raise DataError(
                f"{path.parent}: has no '{self.mask}', and data.parts cuts by its area; add it"
            )
        boxes = parts_of(self.parts[name], mask, str(path.parent))
        return [
            replace(whole.crop(box, name + letter), group=name + letter, facts=_facts(stack, box))
            for letter, box in boxes.items()
        ]

    def _check_parts(self, root: Path, names: Sequence[str]) -> None:
        idle = [name for name in self.parts if name not in names]
        if idle:
            say(f"{root}: data.parts names {', '.join(idle)}, which matches no fragment here")


def name_of(folder: Path) -> str:
    """Return what the fragment in a folder is called."""
    return nfc(folder.name or folder.resolve().name)


def _facts(stack: Stack, box: Region) -> Mapping[str, float | str]:
    area = stack.ink.area(box) if isinstance(stack.ink, Bits) else 0
    return {
        "fragment": stack.id,
        "classes": "0" if area else "",
        "area_0": area,
        "mask_area": (
            stack.mask.area(box) if isinstance(stack.mask, Bits) else math.prod(box.shape)
        ),
    }
