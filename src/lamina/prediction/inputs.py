"""What the command line named, as images with ids.

Where images lie, what they are called and how they are opened is the business of the recipe's
catalog, so that predictions and truth find each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lamina.data.catalogs.inputs import Input
from lamina.data.readers import SUFFIXES, PassedOver, is_image
from lamina.errors import DataError
from lamina.recipe.recipe import Recipe
from lamina.volume import Volume


def gather(inputs: Sequence[Path], recipe: Recipe) -> list[Input]:
    """Return the images that ``inputs`` name, each file once, in order.

    Args:
        inputs: Files, folders (all readable images below; where a folder is laid out as the
            recipe's data are, only its images) or csv tables that name images. Of fragments: their
            folders, or those that hold them, with labels or without.
        recipe: Its catalog says what is an image, and what ids look like.

    Raises:
        DataError: a path does not exist, or there is no image at all.
    """
    found: dict[Path, Input] = {}
    for path in inputs:
        for one in recipe.data.inputs(path):
            found.setdefault(one.path.resolve(), one)
    if not found:
        raise DataError(
            f"{', '.join(map(str, inputs))}: no image to predict; "
            f"read are {', '.join(sorted(SUFFIXES))}"
        )
    return list(found.values())


def passed_over(inputs: Sequence[Path], recipe: Recipe) -> list[PassedOver]:
    """Return what lies in the folders among ``inputs`` and is not read."""
    folders = [path for path in inputs if path.is_dir() and not is_image(path)]
    return [one for folder in folders for one in recipe.data.passed_over(folder)]


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
