"""What the command line named, as images with ids.

Ids follow the recipe's catalog, so that predictions and truth find each other: file names for
csv_rle (without suffix in its siim dialect), names of folders for fragments, paths below the folder
without suffix for the others, and the pair's id for a volume that the catalog would list.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from lamina.data.catalogs import Corrupt, CsvRle, Folder, Fragments, VolumePairs
from lamina.data.catalogs.fragments import name_of
from lamina.data.names import nfc
from lamina.data.readers import SUFFIXES, has_suffix, is_image, open_volume, stem_of
from lamina.data.tables.csv import read_table
from lamina.errors import DataError, RecipeError
from lamina.files import safe_join
from lamina.recipe.recipe import Recipe
from lamina.volume import Volume

_IMAGE_FOLDERS = ("images", "train_images", "test_images", "test")
_ID_COLUMNS = ("image", "imageid", "imageid_classid", "path", "file", "filename", "id")


@dataclass(frozen=True)
class Input:
    """An image to predict; nothing of it is read yet."""

    id: str

    path: Path
    """The file, or a folder that is one image: a Zarr store, or the stack of a fragment."""


def gather(inputs: Sequence[Path], recipe: Recipe) -> list[Input]:
    """Return the images that ``inputs`` name, each file once, in order.

    Args:
        inputs: Files, folders (all readable images below; where a folder is laid out as the
            recipe's data are, only its images) or csv tables that name images. Of fragments: their
            folders, or those that hold them, with labels or without.
        recipe: Its catalog says what ids look like.

    Raises:
        DataError: a path does not exist, or there is no image at all.
    """
    found: dict[Path, Input] = {}
    for path in inputs:
        for one in _expand(path, recipe):
            found.setdefault(one.path.resolve(), one)
    if not found:
        raise DataError(
            f"{', '.join(map(str, inputs))}: no image to predict; "
            f"read are {', '.join(sorted(SUFFIXES))}"
        )
    return list(found.values())


def open_input(
    path: Path, recipe: Recipe, id: str | None = None, *, corrupt: bool = False
) -> Volume:
    """Open an image as the recipe's catalog would.

    Args:
        path: The file, or a Zarr store.
        recipe: Its catalog says how.
        id: As ``gather`` called it; None: as it would if the path were named alone.
        corrupt: Put the noise on it that the recipe's catalog declares.

    Raises:
        RecipeError: it declares none.
        DataError: the file is missing, broken, of another kind, or its axes are not the recipe's.
    """
    data = recipe.data
    if isinstance(data, Corrupt):
        image = data.open_image(path)
        name = _id(path, path.parent, recipe) if id is None else id
        return data.corrupted(image, name) if corrupt else image
    if corrupt:
        raise RecipeError(
            f"--corrupt puts the recipe's noise on images, and data.kind {data.kind} has none; "
            "leave it out"
        )
    if isinstance(data, Fragments):
        return data.open_image(path)
    if isinstance(data, CsvRle | Folder):
        return open_volume(path, dicom=data.dicom)
    if isinstance(data, VolumePairs) and path.suffix.lower() not in _FLAT:
        return data.open_image(path, _id(path, path.parent, recipe) if id is None else id)
    return open_volume(path)


def open_valid(path: Path, recipe: Recipe, id: str | None = None) -> Volume | None:
    """Open what says where pixels of an image count, such as the mask of a fragment.

    Args:
        path: As for ``open_input``.
        recipe: As for ``open_input``.
        id: As for ``open_input``.

    Returns:
        One channel, not 0 where a pixel counts; None: the recipe's catalog knows no such thing,
        or there is none, and every pixel counts.

    Raises:
        DataError: it is broken, or of another kind.
    """
    opens = getattr(recipe.data, "open_valid", None)
    found: Volume | None = None if opens is None else opens(path)
    return found


_FLAT = (".png", ".jpg", ".jpeg")


def _expand(path: Path, recipe: Recipe) -> Iterator[Input]:
    if isinstance(recipe.data, Fragments):
        yield from _fragments(path, recipe.data)
    elif path.is_dir() and not is_image(path):
        yield from _folder(path, recipe)
    elif path.suffix.lower() in (".csv", ".tsv"):
        yield from _table(path, recipe)
    elif path.exists():
        yield Input(_id(path, path.parent, recipe), path)
    else:
        raise DataError(f"{path}: no such file or folder")


def _fragments(path: Path, data: Fragments) -> Iterator[Input]:
    """Yield the stacks of the fragments at ``path``, which may be a stack itself."""
    if not path.exists():
        raise DataError(f"{path}: no such file or folder")
    if data.stack_of(path.parent) == path.parent / path.name:
        yield Input(name_of(path.parent), path)
        return
    stacks = [data.stack_of(folder) for folder in data.fragments(path)] if path.is_dir() else []
    if not stacks:
        raise DataError(
            f"{path}: is no fragment and holds none; a fragment is a folder with a '{data.image}'"
        )
    yield from (Input(name_of(one.parent), one) for one in stacks if one is not None)


def _folder(folder: Path, recipe: Recipe) -> Iterator[Input]:
    data = recipe.data
    if isinstance(data, VolumePairs):
        listed = [path for path in _visible(folder) if fnmatchcase(path.name, data.image)]
        yield from (Input(_id(path, folder, recipe), path) for path in listed)
        if listed:
            return
    inside = data.images if isinstance(data, CsvRle | Folder | Corrupt) else None
    others = () if isinstance(data, Corrupt) else _IMAGE_FOLDERS
    for name in (inside,) if inside else others:
        if (folder / name).is_dir():
            folder = folder / name
            break
    yield from (Input(_id(path, folder, recipe), path) for path in _visible(folder))


def _table(path: Path, recipe: Recipe) -> Iterator[Input]:
    table = read_table(path)
    column = table.column(*_ID_COLUMNS) or 0
    joint = table.columns[column].lower() == "imageid_classid"
    for row in table.rows:
        name = row.cells[column]
        name = name.rpartition("_")[0] if joint else name
        yield _named(path, name, row.line, recipe)


def _named(table: Path, name: str, line: int, recipe: Recipe) -> Input:
    """Find the image of a row: beside the table, or in a folder of images beside it."""
    roots = [table.parent, *(table.parent / folder for folder in _IMAGE_FOLDERS)]
    for root in roots:
        for suffix in ("", *SUFFIXES):
            path = safe_join(root, name + suffix) if root.is_dir() else None
            if path is not None and is_image(path):
                return Input(_id(path, root, recipe), path)
    raise DataError(
        f"{table}: line {line}: no image '{name}' beside the table or in "
        f"{', '.join(_IMAGE_FOLDERS)} beside it; correct the name or add the file"
    )


def _id(path: Path, root: Path, recipe: Recipe) -> str:
    if isinstance(recipe.data, CsvRle):
        return recipe.data.id_of(path)
    if isinstance(recipe.data, VolumePairs) and path.parent != root:
        return nfc(path.parent.name)  # one folder per pair
    return nfc(path.relative_to(root).with_name(stem_of(path)).as_posix())


def _visible(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_dir() and not is_image(path):
            if not path.is_symlink():  # a link may lead in a circle
                yield from _visible(path)
        elif has_suffix(path):
            yield path
