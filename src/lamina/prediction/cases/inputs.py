"""What the command line named, as images with ids.

Where images lie, what they are called and how they are opened is the business of the recipe's
catalog, so that predictions and truth find each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from lamina.data.catalogs.inputs import STANDARD_INPUT, Input, is_list, lines_of, root_of
from lamina.data.readers import SUFFIXES, PassedOver
from lamina.errors import DataError
from lamina.recipe.recipe import Recipe
from lamina.volume import Volume


def gather(inputs: Sequence[Path], recipe: Recipe) -> list[Input]:
    """Return the images that ``inputs`` name, each file once, in order.

    Args:
        inputs: Files, folders (all readable images below; where a folder is laid out as the
            recipe's data are, only its images), csv tables that name images, or lists: ``.txt``
            files with a path per line, relative to the folder of the list, and ``-`` for such lines
            on standard input, relative to the working folder. Of fragments: their folders, or those
            that hold them, with labels or without.
        recipe: Its catalog says what is an image, and what ids look like.

    Raises:
        DataError: a path does not exist, or there is no image at all. A line of a list that names
            no image is an input with the reason why not.
    """
    found: dict[Path, Input] = {}
    for path in inputs:
        for one in _of_list(path, recipe) if is_list(path) else recipe.data.inputs(path):
            found.setdefault(one.path.resolve(), one)
    if not found:
        raise DataError(
            f"{', '.join(map(str, inputs))}: no image to predict; "
            f"read are {', '.join(sorted(SUFFIXES))}"
        )
    return list(found.values())


def _of_list(path: Path, recipe: Recipe) -> Iterator[Input]:
    """Yield the images that the lines of a list name, with the reason where one names none."""
    folder = Path() if path == STANDARD_INPUT else path.parent
    for place, named in lines_of(path):
        try:
            if is_list(named):
                raise DataError(f"{named}: is a list itself; name it on the command line")
            images = list(recipe.data.inputs(named))
        except DataError as error:
            yield Input(str(named), named, f"{place}: {error}")
            continue
        alone = len(images) == 1 and images[0].path == named
        id = recipe.data.id_of(named, root_of(named, folder)) if alone else ""
        yield from [Input(id, named)] if alone else images


def passed_over(inputs: Sequence[Path], recipe: Recipe) -> list[PassedOver]:
    """Return what lies in the folders among ``inputs`` and is not read."""
    folders = [path for path in inputs if path.is_dir() and not recipe.data.is_one(path)]
    return [one for folder in folders for one in recipe.data.passed_over(folder)]


def open_listed(one: Input, recipe: Recipe, *, corrupt: bool = False) -> Volume:
    """Open an image that ``gather`` returned, as ``open_input`` does.

    Raises:
        DataError: as there, or what is known to be wrong with it.
    """
    one.check()
    return open_input(one.path, recipe, one.id, corrupt=corrupt)


def open_input(
    path: Path, recipe: Recipe, id: str | None = None, *, corrupt: bool = False
) -> Volume:
    """Open an image as the recipe's catalog does.

    Args:
        path: The file, or a folder that is one image.
        recipe: Its catalog says how.
        id: As ``gather`` called it; None: as it would if the path were named alone.
        corrupt: Put the noise on it that the recipe's catalog declares.

    Raises:
        RecipeError: it declares none.
        DataError: the file is missing, broken, of another kind, or its axes are not the recipe's.
    """
    name = recipe.data.id_of(path) if id is None else id
    image = recipe.data.open_image(path, name)
    return recipe.data.corrupted(image, name) if corrupt else image
