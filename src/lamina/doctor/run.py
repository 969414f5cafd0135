"""From a recipe, a folder, both or neither to all findings; nothing is ever changed."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lamina.doctor.checks.damaged import Damaged
from lamina.doctor.checks.device import Device
from lamina.doctor.checks.disk import Disk
from lamina.doctor.checks.duplicates import Duplicates
from lamina.doctor.checks.empty import Empty
from lamina.doctor.checks.exif import Exif
from lamina.doctor.checks.flat import Flat
from lamina.doctor.checks.groups import Groups
from lamina.doctor.checks.label_noise import LabelNoise
from lamina.doctor.checks.labels import Labels
from lamina.doctor.checks.memory import Memory
from lamina.doctor.checks.mirrored import Mirrored
from lamina.doctor.checks.near_twins import NearTwins
from lamina.doctor.checks.nodata import NoData
from lamina.doctor.checks.palettes import Palettes
from lamina.doctor.checks.passed_over import PassedOverFiles
from lamina.doctor.checks.processor import Processor
from lamina.doctor.checks.ranges import Ranges
from lamina.doctor.checks.shapes import Shapes
from lamina.doctor.checks.sizes import Sizes
from lamina.doctor.checks.transposed import Transposed
from lamina.doctor.checks.versions import Versions
from lamina.doctor.examined import Examined
from lamina.doctor.finding import EXIT_CODES, Area, Check, Finding
from lamina.doctor.open_data import admit_files, examine_data
from lamina.doctor.recipe_fixes import write_fixes
from lamina.errors import LaminaError, RecipeError
from lamina.public import StrPath, VerbResult, as_path
from lamina.recipe.load import load_recipe
from lamina.refusals import verb

CHECKS: tuple[Check, ...] = (
    *(Versions(), Processor(), Memory(), Disk(), Device()),
    Sizes(),
    *(PassedOverFiles(), Damaged(), Shapes(), Ranges(), Flat(), Duplicates(), NearTwins()),
    *(
        Labels(),
        LabelNoise(),
        Empty(),
        Groups(),
        Exif(),
        Palettes(),
        NoData(),
        Transposed(),
        Mirrored(),
    ),
)


@dataclass(frozen=True)
class ReportedFinding:
    """A finding and which check said it."""

    area: Area
    check: str
    finding: Finding
    fixed: bool = False
    """Whether a recipe that was written is rid of it."""

    @property
    def open(self) -> bool:
        """Whether it is an error that still stands."""
        return self.finding.level == "error" and not self.fixed


@dataclass(frozen=True)
class ExamineResult(VerbResult):
    """All findings in order: machine, recipe, data."""

    said: tuple[ReportedFinding, ...]
    """The findings."""
    seconds: float
    """Time that the call took."""

    @property
    def exit_code(self) -> int:
        """0: no error; else 3 for data, 2 for the recipe, 6 for the machine, the first of them."""
        areas = {one.area for one in self.said if one.open}
        return next((code for area, code in EXIT_CODES.items() if area in areas), 0)

    @property
    def fixes(self) -> list[Mapping[str, Any]]:
        """What to lay over the recipe's ``data``."""
        return [one.finding.fix for one in self.said if one.finding.fix is not None]

    def fixed(self) -> ExamineResult:
        """Return the report after all fixes were written."""
        return replace(
            self, said=tuple(replace(one, fixed=one.finding.fix is not None) for one in self.said)
        )

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values: ``exit_code``, counts, and a row for each finding."""
        levels = [one.finding.level for one in self.said]
        return {
            "exit_code": self.exit_code,
            "errors": levels.count("error"),
            "warnings": levels.count("warning"),
            "findings": [
                {
                    "area": one.area,
                    "check": one.check,
                    "level": one.finding.level,
                    "where": one.finding.where,
                    "what": one.finding.what,
                    "remedy": one.finding.remedy,
                    "fix": one.finding.fix,
                    "fixed": one.fixed,
                }
                for one in self.said
            ],
            "seconds": round(self.seconds, 1),
        }


@verb
def examine(
    source: StrPath | None = None, changes: Sequence[str] = (), *, root: StrPath | None = None
) -> ExamineResult:
    """Check the machine, and the recipe and the data where they are given.

    Every file of the data is read once, and boxes of labelled volumes a few times more. Without a
    recipe every readable file below ``root`` is an image without a label.

    Args:
        source: A recipe's file or built-in name, or None.
        changes: Changes of the recipe, as ``-s`` on the command line.
        root: The data folder, or None.

    Returns:
        Everything that was found; errors of the recipe or the data are findings too.

    Raises:
        RecipeError: ``source`` or ``root`` is no path.

    Example:
        >>> result = examine("recipe.yaml", root="data")
        >>> result.exit_code, [one.check for one in result.said if one.open]
        (0, [])
    """
    begun = time.monotonic()
    root = None if root is None else as_path(root, "root")
    examined = Examined(root=root)
    said: list[ReportedFinding] = list(_run("machine", examined))
    sound = True
    if source is not None:
        try:
            examined = replace(examined, recipe=load_recipe(source, changes))
        except LaminaError as error:
            said.append(_error("recipe", "loads", str(source), error))
            sound = False
        else:
            said.append(
                ReportedFinding("recipe", "loads", Finding("fine", str(source), "is valid"))
            )
            said += _run("recipe", examined)
    if root is not None and sound:
        try:
            examined, finding = examine_data(examined, root)
        except LaminaError as error:
            said.append(_error("data", "opens", str(root), error))
            if root.is_dir():
                said += _run("data", admit_files(examined, root))
        else:
            said.append(ReportedFinding("data", "opens", finding))
            said += _run("data", examined)
    return ExamineResult(tuple(said), time.monotonic() - begun)


def write_fixed_recipe(
    report: ExamineResult, source: StrPath | None, path: StrPath
) -> ExamineResult:
    """Write the recipe with all fixes to ``path``; where there are none nothing is written.

    Raises:
        RecipeError: there is no recipe, or the fixed one cannot be written.
    """
    if source is None:
        raise RecipeError("--fix writes a recipe; name the one that is to be fixed")
    if not report.fixes:
        return report
    write_fixes(str(source), report.fixes, as_path(path))
    return report.fixed()


def _run(area: Area, examined: Examined) -> Iterator[ReportedFinding]:
    for check in CHECKS:
        if check.area == area:
            yield from (ReportedFinding(area, check.name, finding) for finding in check(examined))


def _error(area: Area, check: str, where: str, error: LaminaError) -> ReportedFinding:
    return ReportedFinding(area, check, Finding("error", where, str(error)))
