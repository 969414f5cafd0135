"""Images with the segmentations of COCO files: polygons and run-length codes."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from lamina.data.case import Case
from lamina.data.catalogs.base import Catalog, Listing
from lamina.data.catalogs.inputs import FOLDERS, Input, image_folder
from lamina.data.layouts.patterns import SPLIT
from lamina.data.layouts.proposals import typed
from lamina.data.names import nfc, relative_stem
from lamina.data.readers import PassedOver, images_below, open_volume
from lamina.data.tables.json import read_json
from lamina.data.targets.annotations.annotated import Annotated, annotated_case, outputs_of
from lamina.data.targets.annotations.coco_shapes import polygon, runs
from lamina.data.targets.annotations.shapes import Shape
from lamina.errors import DataError, listed
from lamina.files import safe_join
from lamina.progress import Bar
from lamina.task import Task
from lamina.volume import Volume

_NAMED = 6  # files that a message names


class Coco(Catalog):
    """Images of a folder with the segmentations of a COCO file, pixel for pixel as pycocotools.

    Every image that the file lists is a case, one without annotations is free of every class.
    Segmentations are polygons or run-length codes, compressed or not; those of a crowd count as
    their class. The id of a case is its path below the folder of images, without its suffix.

    With ``{split}`` in ``table`` there is a file for each part, such as
    ``annotations/instances_{split}.json``, and the part stands before the id.
    """

    kind: Literal["coco"] = "coco"

    table: str = "annotations.json"
    """The COCO file below the data folder; or a pattern of several, with {split} for the part."""

    images: str = "images"
    """Folder below the data folder that file names are relative to; may hold {split}, too."""

    classes: tuple[str, ...] | None = None
    """Names of the categories that are taken; null: all that have annotations."""

    def open(self, root: Path, task: Task) -> Listing:
        """List the images of the file with their segmentations; classes in the order of their ids.

        Raises:
            RecipeError: the task is neither multilabel nor binary (any class), or its names are
                not those of the classes.
            DataError: a file is missing or no COCO file; an annotation has no segmentation or a
                broken one; images are missing, of another size, or not readable.
        """
        files = [_File.read(path, part) for path, part in self._there(root)]
        if len(files) > 1 or SPLIT in self.table:
            files = [one.within(one.part) for one in files]
        names = {number: name for file in files for number, name in file.categories.items()}
        ordered = list(dict.fromkeys(names[number] for number in sorted(names)))
        used = {name for one in files for name in one.used}
        outputs = outputs_of(task, [name for name in ordered if name in used], self.classes, root)
        cases, problems = [], []
        entries = [(one, entry) for one in files for entry in one.images]
        with Bar("opening files", len(entries)) as bar:
            for one, entry in entries:
                try:
                    cases.append(self._case(root, one, entry, outputs))
                except DataError as error:
                    problems.append(str(error))
                bar.advance()
        if problems:
            headline = f"{root}: {len(problems)} of {len(entries)} images cannot be used"
            raise DataError(problems[0] if len(problems) == 1 else listed(headline, problems))
        return Listing(tuple(sorted(cases, key=lambda case: case.id)), outputs.names)

    def images_in(self, folder: Path) -> Iterator[Input]:
        """Yield the images in ``images``, or all of a folder without one."""
        for place, part in self._places(folder):
            for path in images_below(place, folder):
                yield Input(_id(self.id_of(path, place), part), path)

    def folders(self, root: Path) -> tuple[Path, ...]:
        """Return the folders of images; ``root`` itself where there are none."""
        return tuple(place for place, _ in self._places(root))

    def passed_over(self, root: Path) -> list[PassedOver]:
        """Return what is not read, and images that no file of annotations lists."""
        tables = {path for path, _ in self._tables(root)}
        found = [one for one in super().passed_over(root) if one.path not in tables]
        listed_here = {
            safe_join(root, self._folder(part)) / entry.file
            for path, part in self._tables(root)
            for entry in _File.read(path, part).images
        }
        for place in self.folders(root):
            others = (path for path in images_below(place, root) if path not in listed_here)
            found += [PassedOver(path, "is in no file of annotations") for path in others]
        return found

    def id_of(self, path: Path, root: Path | None = None) -> str:
        """Return the path below the folder of images, without its suffix."""
        return relative_stem(path, root or path.parent)

    def open_image(self, path: Path, id: str | None = None) -> Volume:
        """Open an image as it is."""
        del id
        return open_volume(path)

    def _folder(self, part: str | None) -> str:
        return self.images if part is None else self.images.replace(SPLIT, part)

    def _places(self, root: Path) -> list[tuple[Path, str | None]]:
        if SPLIT not in self.table:
            return [(image_folder(root, self.images, *FOLDERS), None)]
        places = [(safe_join(root, self._folder(part)), part) for _, part in self._tables(root)]
        return [(place, part) for place, part in places if place.is_dir()] or [(root, None)]

    def _there(self, root: Path) -> list[tuple[Path, str | None]]:
        """Return the files of annotations, at least one that is there.

        Raises:
            DataError: there is none; the message names other JSON files.
        """
        found = [(path, part) for path, part in self._tables(root) if path.is_file()]
        if found:
            return found
        every = sorted(
            path.relative_to(root).as_posix()
            for depth in ("*.json", "*/*.json", "*/*/*.json")
            for path in root.glob(depth)
        )
        named = f"JSON files are {', '.join(every[:_NAMED])}" if every else "there is no JSON file"
        option = f"; set it, as {typed('data.table', every[0])}" if every else "; set data.table"
        raise DataError(f"{root}: no file is called '{self.table}'; {named}{option}")

    def _tables(self, root: Path) -> list[tuple[Path, str | None]]:
        """Return the files of annotations, each with its part."""
        if SPLIT not in self.table:
            return [(safe_join(root, self.table), None)]
        before, _, after = (re.escape(text) for text in self.table.partition(SPLIT))
        name = re.compile(f"{before}([^/]+){after.replace(re.escape(SPLIT), '.+')}")
        found = sorted(root.glob(self.table.replace(SPLIT, "*")))
        hits = [(path, name.fullmatch(path.relative_to(root).as_posix())) for path in found]
        return [(path, hit.group(1)) for path, hit in hits if hit is not None]

    def _case(self, root: Path, file: _File, entry: _Image, outputs: Any) -> Case:
        folder = safe_join(root, self._folder(file.part))
        path = safe_join(folder, entry.file)
        if not path.is_file():
            raise DataError(
                f"{path}: no such image, and {file.path} lists it; add it, or "
                f"{_images_option(root, entry.file)}"
            )
        shapes: dict[str, list[Shape]] = defaultdict(list)
        for one in file.annotations.get(entry.number, ()):
            shapes[file.categories[one["category_id"]]] += _shapes(one, file.path, entry.size)
        found = Annotated(shapes, entry.size)
        id = _id(self.id_of(path, folder), file.prefix)
        return annotated_case(id, path, self.open_image(path), found, outputs)


@dataclass(frozen=True)
class _Image:
    """An image that a file lists."""

    number: int
    file: str
    size: tuple[int, int]


@dataclass(frozen=True)
class _File:
    """A COCO file, checked."""

    path: Path
    part: str | None
    images: list[_Image]
    categories: Mapping[int, str]
    annotations: Mapping[int, list[dict[str, Any]]]
    """By the number of their image."""
    prefix: str | None = field(default=None)

    @property
    def used(self) -> set[str]:
        """Names of the categories that have annotations."""
        return {
            self.categories[one["category_id"]] for all in self.annotations.values() for one in all
        }

    def within(self, part: str | None) -> _File:
        """Return the same with ids that begin with the part."""
        return _File(
            self.path, self.part, self.images, self.categories, self.annotations, prefix=part
        )

    @classmethod
    def read(cls, path: Path, part: str | None) -> _File:
        """Read a file.

        Raises:
            DataError: it is no COCO file, or its parts do not fit each other.
        """
        found = read_json(path)
        try:
            images = [
                _Image(int(one["id"]), nfc(str(one["file_name"])), _size(one))
                for one in found["images"]
            ]
            categories = {int(one["id"]): str(one["name"]) for one in found["categories"]}
            annotations: dict[int, list[dict[str, Any]]] = defaultdict(list)
            for one in found.get("annotations", []):
                annotations[int(one["image_id"])].append(
                    {**one, "category_id": int(one["category_id"])}
                )
        except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
            raise DataError(
                f"{path}: no COCO file of images, annotations and categories "
                f"({type(error).__name__}: {error}); set data.table to one"
            ) from None
        read = cls(path, part, images, categories, annotations)
        read._check()
        return read

    def _check(self) -> None:
        numbers = [image.number for image in self.images]
        if len(set(numbers)) < len(numbers) or len({one.file for one in self.images}) < len(
            numbers
        ):
            raise DataError(f"{self.path}: lists an image twice; keep one of each id and file name")
        odd = [
            f"annotation {one.get('id')}: {problem}"
            for number, all in self.annotations.items()
            for one in all
            for problem in [
                f"of the image {number}, which is not listed" if number not in set(numbers) else "",
                f"of the category {one['category_id']}, which is not listed"
                if one["category_id"] not in self.categories
                else "",
            ]
            if problem
        ]
        if odd:
            raise DataError(
                listed(f"{self.path}: {len(odd)} annotations belong nowhere; delete them", odd)
            )


def _images_option(root: Path, file: str) -> str:
    """Return what to set data.images to, where the image lies in another folder."""
    name = file.rpartition("/")[2]
    for path in images_below(root):
        relative = path.relative_to(root).as_posix()
        if path.name == name and f"/{relative}".endswith(f"/{file}"):
            folder = relative.removesuffix(file).rstrip("/") or "."
            return f"set {typed('data.images', folder)}"
    return "set data.images to the folder that file names are relative to"


def _size(one: Mapping[str, Any]) -> tuple[int, int]:
    return int(one["height"]), int(one["width"])


def _id(id: str, part: str | None) -> str:
    return id if part is None else f"{part}/{id}"


def _shapes(one: Mapping[str, Any], path: Path, size: tuple[int, int]) -> list[Shape]:
    """Return the shapes of an annotation.

    Raises:
        DataError: it has no segmentation, or one that is broken or of another size.
    """
    where = f"{path}: annotation {one.get('id')}"
    found = one.get("segmentation")
    if not found:
        raise DataError(
            f"{where}: has no segmentation (a box is none); add one, or delete the annotation"
        )
    try:
        if isinstance(found, dict):
            code = runs(found.get("counts"), found.get("size"))
            if code.size != size:
                raise DataError(f"a code of {code.size} for an image of {size}")
            return [code]
        return [polygon(numbers) for numbers in found]
    except DataError as error:
        raise DataError(f"{where}: {error}; export it again, or delete it") from None
