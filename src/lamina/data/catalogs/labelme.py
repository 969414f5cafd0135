"""Images with a labelme file each: polygons, rectangles, circles and masks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from lamina.data.catalogs.base import Catalog, Listing
from lamina.data.catalogs.inputs import FOLDERS, Input, image_folder
from lamina.data.names import by_stem, nfc, relative_stem
from lamina.data.readers import PassedOver, images_below, open_volume
from lamina.data.tables.case_names import paired
from lamina.data.tables.json import read_json
from lamina.data.targets.annotations.annotated import Annotated, annotated_case, outputs_of
from lamina.data.targets.annotations.drawn_shapes import drawn
from lamina.data.targets.annotations.shapes import Shape
from lamina.errors import DataError, listed
from lamina.files import safe_join
from lamina.progress import Bar
from lamina.task import Task
from lamina.volume import Volume

IGNORED = "__ignore__"
"""Label of areas that do not count, as in labelme's own examples."""


class Labelme(Catalog):
    """Images with a JSON file of labelme of the same name, pixel for pixel as labelme draws them.

    Polygons, rectangles, circles and masks are areas; those with the label ``__ignore__`` do not
    count. The id of a case is its path below the folder of images, without its suffix.
    """

    kind: Literal["labelme"] = "labelme"

    images: str | None = None
    """Folder of the images below the data folder; null: images, or else the data folder."""

    annotations: str | None = None
    """Folder of the JSON files below the data folder; null: beside the images."""

    classes: tuple[str, ...] | None = None
    """Labels that are taken; null: all."""

    missing: Literal["error", "empty"] = "error"
    """An image without a JSON file is refused, or taken as free of every class."""

    def open(self, root: Path, task: Task) -> Listing:
        """List every image with its shapes; classes are the labels in alphabetical order.

        Raises:
            RecipeError: the task is neither multilabel nor binary (any class), or its names are
                not those of the labels.
            DataError: a folder is missing; JSON files or images are missing or broken; shapes
                have no area; an image has another size than its file says.
        """
        folder, places = self._folder(root), self._annotations(root)
        images = by_stem(folder, "data.images", root)
        files = {
            nfc(path.relative_to(places).with_suffix("").as_posix()): path
            for path in _json_below(places)
        }
        of = paired(images, files)
        self._check(places, images, files, of)
        found: dict[str, Annotated] = {}
        problems = []
        for id in images:
            try:
                found[id] = _read(of[id]) if id in of else Annotated({})
            except DataError as error:
                problems.append(str(error))
        _raise(problems, f"{places}: {len(problems)} of {len(of)} files cannot be used")
        labels = sorted({label for one in found.values() for label in one.shapes})
        outputs = outputs_of(task, labels, self.classes, root)
        cases = []
        with Bar("opening files", len(images)) as bar:
            for id, path in images.items():
                try:
                    image = self.open_image(path)
                    cases.append(annotated_case(id, path, image, found[id], outputs))
                except DataError as error:
                    problems.append(str(error))
                bar.advance()
        _raise(problems, f"{folder}: {len(problems)} of {len(images)} images cannot be used")
        return Listing(tuple(cases), outputs.names)

    def images_in(self, folder: Path) -> Iterator[Input]:
        """Yield the images of the folder of images, or all of a folder without one."""
        inside = self._folder(folder) if self.images is None else image_folder(folder, self.images)
        yield from (Input(self.id_of(path, inside), path) for path in images_below(inside, folder))

    def folders(self, root: Path) -> tuple[Path, ...]:
        """Return the folder of images."""
        return (self._folder(root),)

    def passed_over(self, root: Path) -> list[PassedOver]:
        """Return what is not read, without the files of annotations."""
        found = super().passed_over(root)
        return [one for one in found if one.path.suffix.lower() != ".json"]

    def id_of(self, path: Path, root: Path | None = None) -> str:
        """Return the path below the folder of images, without its suffix."""
        return relative_stem(path, root or path.parent)

    def open_image(self, path: Path, id: str | None = None) -> Volume:
        """Open an image as it is."""
        del id
        return open_volume(path)

    def _folder(self, root: Path) -> Path:
        if self.images is not None:
            return safe_join(root, self.images)
        return image_folder(root, *FOLDERS)

    def _annotations(self, root: Path) -> Path:
        if self.annotations is None:
            return self._folder(root)
        return safe_join(root, self.annotations)

    def _check(
        self, places: Path, images: dict[str, Path], files: dict[str, Path], of: dict[str, Path]
    ) -> None:
        lost = [f"{path}: no '{id}.json'" for id, path in images.items() if id not in of]
        if lost and self.missing == "error":
            raise DataError(
                listed(
                    f"{places}: {len(lost)} of {len(images)} images have no JSON file; add them, "
                    "set data.annotations to their folder, or data.missing to empty",
                    lost,
                )
            )
        used = set(of.values())
        extra = [f"{path}: no image '{id}.*'" for id, path in files.items() if path not in used]
        if extra:
            raise DataError(
                listed(
                    f"{places}: {len(extra)} JSON files have no image; add the images (labelme "
                    "can save them out of its files), or take the files away",
                    extra,
                )
            )


def _json_below(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; set data.annotations to that of the JSON files")
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() == ".json")
    return [path for path in found if path.is_file() and not path.name.startswith(".")]


def _raise(problems: list[str], headline: str) -> None:
    if problems:
        raise DataError(problems[0] if len(problems) == 1 else listed(headline, problems))


def _read(path: Path) -> Annotated:
    """Return the shapes of a labelme file.

    Raises:
        DataError: it is no labelme file, or a shape has no area.
    """
    found = read_json(path)
    shapes = found.get("shapes")
    if not isinstance(shapes, list) or not all(isinstance(shape, dict) for shape in shapes):
        raise DataError(f"{path}: has no list of shapes, so it is no file of labelme")
    by_label: dict[str, list[Shape]] = defaultdict(list)
    for number, one in enumerate(shapes, 1):
        label = str(one.get("label"))
        try:
            by_label[label].append(drawn(one))
        except DataError as error:
            raise DataError(f"{path}: shape {number} ({label}): {error}") from None
    ignored = by_label.pop(IGNORED, [])
    return Annotated(by_label, _size(found), (str(path),), ignored)


def _size(found: dict[str, Any]) -> tuple[int, int] | None:
    height, width = found.get("imageHeight"), found.get("imageWidth")
    return (height, width) if isinstance(height, int) and isinstance(width, int) else None
