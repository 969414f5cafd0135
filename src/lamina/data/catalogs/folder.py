"""Images in one folder, masks of equal stems in another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import field_validator

from lamina.data.case import Case
from lamina.data.catalogs.base import Catalog, Listing, Survey
from lamina.data.catalogs.inputs import Input, image_folder
from lamina.data.catalogs.pairs import (
    Meaning,
    OpenedPair,
    Pair,
    ambiguous,
    of_target,
    open_pairs,
    read_pairs,
)
from lamina.data.index.index import fill
from lamina.data.layouts.dataset_json import is_dataset
from lamina.data.layouts.files import (
    MaskFiles,
    files,
    files_and_doubles,
    has_class,
    mask_files,
    not_matched,
)
from lamina.data.layouts.patterns import CLASS, Pattern, check_pattern, is_pattern
from lamina.data.layouts.proposals import proposed
from lamina.data.layouts.split_folders import beside, test_without_masks, together
from lamina.data.names import relative_stem
from lamina.data.orientation import Orientation, aligned, canonical
from lamina.data.readers import Dicom, Options, PassedOver, images_below, open_with
from lamina.data.tables.case_names import paired
from lamina.data.targets.annotations.class_masks import class_masks
from lamina.data.targets.label_table import LabelTable
from lamina.errors import DataError, LayoutError, RecipeError, listed
from lamina.files import safe_join
from lamina.progress import say
from lamina.spec import ADDED_LATER
from lamina.task import Task
from lamina.volume import Volume


class Folder(Catalog):
    """Pairs of an image and a mask with equal names, the suffixes apart.

    The id of a case is the image's path below the folder of images, without its suffix. Where
    names differ by more, ``images`` and ``masks`` are patterns of paths below the data folder:

    =========== ==================================================================
    ``{id}``    the id of the case, which may hold folders
    ``{class}`` in masks: the class; there is a mask for each class of an image
    ``{split}`` a folder such as train or val, which comes before the id
    ``*``       any part of a name; alone it is the id
    ``.*``      at the end: any suffix
    =========== ==================================================================

    Masks are read once when the folder is opened, so that every odd value is known before
    training; facts of a case: ``classes`` (without the background of a multiclass task) and, for
    each class, ``area_<index>`` in pixels.
    """

    kind: Literal["folder"] = "folder"

    images: str = "images"
    """Folder of the images below the data folder, where folders within it become part of the ids;
    or a pattern of their paths, such as 'train/{id}_im.tif'."""

    masks: str = "masks"
    """Folder of the masks (for restore: of the wanted images) below the data folder; or a pattern
    of their paths, such as 'masks/{id}_mask.png', or 'masks/{class}/{id}.png' with a mask for each
    class."""

    labels: LabelTable | None = None
    """Stored value to class, such as {0: 0, 255: 1}; `others` names all values that are not
    listed, and colours such as '#ff0000' may stand for values. binary: 1 or 255, whichever the
    masks use, is the class. null: stored values are classes."""

    ignore: int | None = None
    """Stored value of pixels that must not count; null: all count."""

    missing: Literal["error", "empty", "skip"] = "error"
    """An image without a mask is refused (error), taken as free of every class (empty), or left out
    (skip). With a mask for each class it is the class that is refused or taken as absent, and
    left out is an image without any mask."""

    dicom: Dicom = Dicom()
    """How the values of DICOM images are meant."""

    axes: Annotated[str | None, ADDED_LATER] = None
    """Names of the stored axes of images, first to last, with c for channels, such as yxc for
    arrays of rows, columns and colours; null: as files say, yx, and zyx for three axes."""

    target_axes: Annotated[str | None, ADDED_LATER] = None
    """Names of the stored axes of masks; null: as files say, yx, and zyx for three axes."""

    dataset: Annotated[str | None, ADDED_LATER] = None
    """Path of the image within an HDF5 file or a Zarr store; null: the only array there."""

    target_dataset: Annotated[str | None, ADDED_LATER] = None
    """Path of the mask within its file; null: the same as dataset."""

    orientation: Annotated[Orientation, ADDED_LATER] = "canonical"
    """canonical: volumes whose file says how they lie in a body are turned to x right, y front,
    z head, and masks are brought to their images. as_stored: what files say of their axes and
    their place is not looked at."""

    @field_validator("images", "masks")
    @classmethod
    def _patterns_can_be_read(cls, text: str) -> str:
        return check_pattern(text)

    @field_validator("images")
    @classmethod
    def _an_image_is_of_all_classes(cls, text: str) -> str:
        if CLASS in text:
            raise ValueError(f"'{text}' has {CLASS}, which is for masks; leave it out")
        return text

    def open(self, root: Path, task: Task) -> Listing:
        """List every image with its mask.

        Raises:
            RecipeError: ``missing: empty`` in a restore task, where nothing is empty; there is a
                mask for each class, and the task is neither multilabel nor binary (any class).
            DataError: a folder is missing; two files have one stem; a mask or an image is
                missing; shapes differ; a mask holds a value that is not a class.
        """
        if task.kind == "restore" and self.missing == "empty":
            raise RecipeError("data.missing is 'empty', but a restore task needs every target")
        try:
            images = files(root, self.images, "data.images")
            found = mask_files(root, self.masks, task)
            layout = self._layout(images, found)
            self._check(layout)
            if layout.unlabelled:
                place = "" if self.missing == "skip" else " of a test folder"
                say(
                    f"{root}: {len(layout.unlabelled)} images{place} without a mask are left out, "
                    f"such as {layout.unlabelled[0]}"
                )
        except DataError as error:
            raise self._with_layout(error, root, task) from None
        return self._read(layout, found.known_to(task))

    def survey(self, root: Path, task: Task) -> Survey:
        """Return what ``open`` would refuse, file by file, and the cases that are good."""
        images, problems = files_and_doubles(root, self.images)
        asked = task
        if task.names is None and task.kind in ("multiclass", "multilabel") and not self.labels:
            first = int(task.kind == "multilabel")  # which classes there are is said by open
            task = task.found(tuple(f"class_{k}" for k in range(first, 256)))
        try:
            found = mask_files(root, self.masks, task)
        except DataError as error:
            found, doubles = MaskFiles({}), [str(error)]
            if not has_class(self.masks):
                masks, doubles = files_and_doubles(root, self.masks)
                found = MaskFiles({id: (path,) for id, path in masks.items()})
            problems += doubles
        layout = self._layout(images, found)
        lost, extra = self._unmatched(layout)
        if self.missing == "error":
            problems += [f"{line}; add it, or set data.missing to empty" for line in lost]
        problems += [f"{line}; add the image, or take the mask away" for line in extra]
        cases = list[Case]()
        for id in layout.images:
            try:
                cases += self._read(layout.only(id), found.known_to(task)).cases
            except DataError as error:
                problems.append(str(error))
        question = ambiguous(cases, asked, Meaning(self.labels, self.ignore))
        return Survey(tuple(cases), (*problems, *([] if question is None else [question])))

    def _layout(self, images: Mapping[str, Path], found: MaskFiles) -> _Layout:
        """Return which masks belong to which images."""
        if self.images != self.masks:  # a mask beside its image may fit its pattern, too
            taken = {str(path) for of in found.of.values() for path in of}
            images = {id: path for id, path in images.items() if str(path) not in taken}
        masks = paired(images, found.of)
        unlabelled = test_without_masks(images, masks)
        if self.missing == "skip":
            unlabelled = [id for id in images if id not in masks]
        return _Layout(
            {id: path for id, path in images.items() if id not in unlabelled},
            masks,
            found,
            tuple(unlabelled),
        )

    def _read(self, layout: _Layout, task: Task) -> Listing:
        """Open all pairs and read the masks."""
        meaning, classes = Meaning(self.labels, self.ignore), layout.found.classes
        indices = task.kind != "restore" and not meaning.colours
        masks = [path for of in layout.masks.values() for path in of if path is not None]
        images = [*layout.images.values(), *(() if indices else masks)]
        fill(image=images, target=masks if indices else ())
        union = task.kind == "binary" and bool(classes)
        of_images, of_masks = self._of_images(), self._of_masks(indices=indices)

        def opened(pair: Pair) -> OpenedPair:
            stored = open_with(pair.image, of_images)
            there = [
                None if path is None else self._mask(stored, path, pair.id, of_masks)
                for path in layout.masks.get(pair.id, ())
            ]
            image = self._as_read(stored)
            if not classes or pair.target is None:
                return OpenedPair(pair, image, there[0] if there else None)
            return OpenedPair(pair, image, class_masks(pair.id, there, union=union))

        pairs = [
            Pair(id, path, _first(layout.masks.get(id, ()))) for id, path in layout.images.items()
        ]
        cases, names = read_pairs(open_pairs(pairs, opened), task, meaning)
        if classes:
            cases = tuple(_with_all_masks(case, layout) for case in cases)
        return Listing(cases, names)

    def images_in(self, folder: Path) -> Iterator[Input]:
        """Yield the images that ``images`` names, or all of a folder without one."""
        if is_pattern(self.images) and (found := Pattern(self.images).find(folder)):
            masks = Pattern(self.masks)
            taken = {one.path for one in masks.find(folder)} if is_pattern(self.masks) else ()
            yield from (Input(one.id, one.path) for one in found if one.path not in taken)
            return
        inside = folder if is_pattern(self.images) else image_folder(folder, self.images)
        yield from (Input(self.id_of(path, inside), path) for path in images_below(inside, folder))

    def folders(self, root: Path) -> tuple[Path, ...]:
        """Return the folders of images and masks; ``root`` itself where there are none."""
        inside = image_folder(root, self.images)
        masks = safe_join(root, self.masks)
        return (inside, masks) if inside != root and masks.is_dir() else (inside,)

    def passed_over(self, root: Path) -> list[PassedOver]:
        """Return what is not read in the folders of images and masks, or fits no pattern."""
        if is_pattern(self.images) or is_pattern(self.masks):
            return not_matched(root, self.images, self.masks)
        return super().passed_over(root)

    def parts_beside(self, root: Path) -> str | None:
        """Return which folders lie beside that of the images, and the options that take them."""
        others = beside(root, self.images)
        if not others:
            return None
        options = together(self.images, self.masks)
        said = f"{' and '.join(others)} beside {self.images} is not read"
        return said if options is None else f"{said}; to hold it out: {options}"

    def id_of(self, path: Path, root: Path | None = None) -> str:
        """Return the id in the pattern, or the path below the folder of images without suffix."""
        if is_pattern(self.images) and (id := Pattern(self.images).id_of(path)) is not None:
            return id
        return relative_stem(path, root or path.parent)

    def open_image(self, path: Path, id: str | None = None) -> Volume:
        """Open an image, of DICOM files with the values that ``dicom`` says."""
        del id
        return self._as_read(open_with(path, self._of_images()))

    def _as_read(self, image: Volume) -> Volume:
        return canonical(image) if self.orientation == "canonical" else image

    def _of_images(self) -> Options:
        """Return how images are opened."""
        return Options(
            axes=self.axes,
            dicom=self.dicom,
            dataset=self.dataset,
            as_stored=self.orientation == "as_stored",
        )

    def _of_masks(self, *, indices: bool) -> Options:
        """Return how masks are opened."""
        return Options(
            axes=self.target_axes,
            dataset=self.target_dataset or self.dataset,
            as_stored=self.orientation == "as_stored",
            target=indices,
        )

    def _mask(self, image: Volume, path: Path, id: str, options: Options) -> Volume:
        """Open a mask in the orientation in which ``open_image`` opens its image."""
        try:
            mask = open_with(path, options)
        except DataError as error:
            raise of_target(error) from error
        return mask if options.as_stored else aligned(image, mask, id)

    def _unmatched(self, layout: _Layout) -> tuple[list[str], list[str]]:
        """Return the images without a mask and the masks without an image, in words."""
        images, found = layout.images, layout.found
        lost = [
            f"{path}: no mask '{id}.*'" for id, path in images.items() if id not in layout.masks
        ]
        lost += [
            f"{images[id]}: no mask of class {label}"
            for id, of in layout.masks.items()
            for label, mask in zip(found.classes, of, strict=False)
            if mask is None
        ]
        used = {str(_first(of)) for of in layout.masks.values()}
        extra = [
            f"{_first(of)}: no image '{id}.*'"
            for id, of in found.of.items()
            if str(_first(of)) not in used
        ]
        return lost, extra

    def _check(self, layout: _Layout) -> None:
        lost, extra = self._unmatched(layout)
        classes = layout.found.classes
        if lost and self.missing == "error":
            meant = "it means no such class" if classes else "no mask means no class"
            raise DataError(
                listed(
                    f"{self.masks}: {len(lost)} of {len(layout.images) * max(len(classes), 1)} "
                    f"masks are missing; add them, or set data.missing to empty where {meant}",
                    lost,
                )
            )
        if extra:
            raise DataError(
                listed(
                    f"{self.images}: {len(extra)} masks have no image; add the images or take the "
                    "masks away",
                    extra,
                )
            )

    def _other_layout(self, root: Path, task: Task) -> str | None:
        """Return the options that would suit the files, where these are plain and others."""
        if is_dataset(root):
            return "-s data.kind=nnunet"
        found = proposed(root) if root.is_dir() else None
        if found is None or not (options := found.changes(self.images, self.masks)):
            return None
        several = has_class(found.masks) and task.kind != "multilabel"
        return f"{options} -s task.kind=multilabel" if several else options

    def _with_layout(self, error: DataError, root: Path, task: Task) -> DataError:
        """Return an error with the options that would suit the files."""
        options = self._other_layout(root, task)
        if options is None:
            return error
        first, *rest = str(error).splitlines()
        said = f"{first}; or, as the files here are called, {options}"
        return LayoutError("\n".join([said, *rest]))


@dataclass(frozen=True)
class _Layout:
    """Files by id: images, and the masks of each."""

    images: Mapping[str, Path]
    masks: Mapping[str, tuple[Path | None, ...]]
    found: MaskFiles
    unlabelled: tuple[str, ...] = ()
    """Ids of a test folder without a single mask; they are left out."""

    def only(self, id: str) -> _Layout:
        """Return one image with its masks."""
        masks = {id: self.masks[id]} if id in self.masks else {}
        return _Layout({id: self.images[id]}, masks, self.found)


def _with_all_masks(case: Case, layout: _Layout) -> Case:
    """Return a case that names the masks of all its classes, for digests."""
    files = tuple(str(path) for path in layout.masks.get(case.id, ()) if path is not None)
    return replace(case, label_files=files)


def _first(files: Sequence[Path | None]) -> Path | None:
    if len(files) == 1:
        return files[0]
    return next((path for path in files if path is not None), None)
