"""What `lamina check --data` says of data: all that is wrong with them, in one run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lamina.data.bounded_check import find_problems
from lamina.data.case import Case
from lamina.data.readers.file_types import not_read
from lamina.doctor.case_statistics import CaseStatistics
from lamina.doctor.checks.exif import Exif
from lamina.doctor.checks.nodata import NoData
from lamina.doctor.checks.palettes import Palettes
from lamina.doctor.checks.ranges import mixed_types
from lamina.doctor.examined import Examined
from lamina.errors import DataError, LaminaError, LayoutError, RecipeError, listed
from lamina.recipe.recipe import Recipe
from lamina.training.dataset import index_of, open_data

HEADERS = 5_000
"""Cases whose files are opened once more for what their headers say."""

MOST = 200
"""Files of one kind that are named."""


def check_data(
    recipe: Recipe, root: Path, index: Path | None = None, *, verify: bool = False
) -> tuple[dict[str, Any], list[str]]:
    """Open data as training does, and read their pixels up to a bound.

    Args:
        recipe: Says where the data are and how the network sees them.
        root: The data folder.
        index: File of what is known of the files of the data; None: all are read.
        verify: Read all files again.

    Returns:
        Figures for ``--json``, and lines for people.

    Raises:
        LaminaError: the data cannot be used. Every file that is to blame is named with its reason,
            and so is every file that is not read.
    """
    known = None if index is None else index_of(recipe, None, index, verify=verify)
    try:
        opened = open_data(recipe, root, known)
    except DataError as error:
        raise _every_problem(recipe, root, error) from error
    found = find_problems(opened.cases, recipe.frame)
    if found.problems:
        raise _told(root, found.problems, _beside(recipe, root, opened.cases))
    notes = list(_notes(recipe, opened.cases))
    figures = opened.summary() | {"not_checked": list(found.unread), "notes": notes}
    return figures, [*opened.lines(MOST), *notes, *found.unread]


def _every_problem(recipe: Recipe, root: Path, error: DataError) -> LaminaError:
    """Return an error that names every file, where the data are opened file by file."""
    if not root.is_dir():
        return error
    if isinstance(error, LayoutError):  # told first: the files may be sound
        return _with(error, _beside(recipe, root, ()))
    survey = recipe.data.survey(root, recipe.task)
    seen = find_problems(survey.cases, recipe.frame)
    problems = (*map(DataError, survey.problems), *seen.problems)
    if len(problems) < 2:
        return _with(error, _beside(recipe, root, survey.cases))
    return _told(root, problems, _beside(recipe, root, survey.cases))


def _told(root: Path, found: Sequence[LaminaError], beside: Sequence[str]) -> LaminaError:
    """Return all problems as one error; of the recipe only where all are."""
    problems = [str(one) for one in found]
    if len(problems) == 1:
        return _with(found[0], beside)
    recipe = all(isinstance(one, RecipeError) for one in found)
    headline = f"{root}: {len(problems)} problems; each with its file and what to do"
    error = listed(headline, problems, most=MOST)
    return (RecipeError if recipe else DataError)("\n".join([error, *beside]))


def _with(error: LaminaError, beside: Sequence[str]) -> LaminaError:
    return type(error)("\n".join([str(error), *beside])) if beside else error


def _beside(recipe: Recipe, root: Path, cases: Sequence[Case]) -> list[str]:
    """Return what else there is to say: files that are not read, and how files are read."""
    return [*not_read(recipe.data.passed_over(root), MOST), *_notes(recipe, cases)]


def _notes(recipe: Recipe, cases: Sequence[Case]) -> Iterator[str]:
    """Yield what files say besides their pixels: EXIF, palettes, nodata, types."""
    patient = Examined(recipe, looks=tuple(CaseStatistics(case) for case in cases))
    said = [*Exif()(patient), *NoData()(patient), *mixed_types(cases)]
    if len(cases) <= HEADERS:  # each file is opened once more for it
        said += Palettes()(patient)
    else:
        yield f"note: palettes of {len(cases)} cases are looked for by `lamina doctor` only"
    for one in said:
        if one.level != "fine":
            remedy = f"; {one.remedy}" if one.remedy else ""
            yield f"{one.level}: {one.where}: {one.what}{remedy}"
