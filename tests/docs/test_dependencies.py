"""docs/dependencies.md names every dependency with its floor in pyproject.toml, and no other."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]


def floors(requirements: list[str]) -> dict[str, tuple[int, ...]]:
    pairs = [
        requirement.split(">=")
        for requirement in requirements
        if not requirement.startswith("lamina[")
    ]
    return {name: numbers(floor) for name, floor in pairs}


def numbers(version: str) -> tuple[int, ...]:
    """Return a version as numbers without trailing zeros: 11 and 11.0 are one floor."""
    parts = [int(part) for part in version.split(".")]
    while parts and not parts[-1]:
        parts.pop()
    return tuple(parts)


def test_the_table_of_libraries_has_the_floors_of_pyproject() -> None:
    rows = re.findall(r"^\| ([A-Za-z][\w.-]*) \| ([0-9.]+) \|", PAGE, re.MULTILINE)
    table = {name: numbers(floor) for name, floor in rows}
    assert table.pop("Python") == numbers(PROJECT["requires-python"].removeprefix(">="))
    assert table == floors(PROJECT["dependencies"])


def test_the_table_of_extras_has_the_floors_of_pyproject() -> None:
    rows = re.findall(r"^\| `\[([\w-]+)\]` (\S+) \| ([0-9.]+) \|", PAGE, re.MULTILINE)
    table: dict[str, dict[str, tuple[int, ...]]] = {}
    for extra, name, floor in rows:
        table.setdefault(extra, {})[name] = numbers(floor)
    workshop = {"test", "lint", "bench", "docs", "dev"}
    assert table == {k: floors(v) for k, v in EXTRAS.items() if k not in workshop}


def test_what_the_workshop_needs_is_named() -> None:
    needed = [one for extra in ("test", "lint", "docs", "bench") for one in EXTRAS[extra]]
    names = {re.split(r"[=>\[]", one)[0] for one in needed if not one.startswith("lamina[")}
    assert sorted(name for name in names if name.lower() not in PAGE.lower()) == []


def test_every_library_has_its_licence() -> None:
    rows = [
        line
        for line in PAGE.splitlines()
        if re.match(r"\| (`\[[\w-]+\]` )?[\w.-]+ \| [0-9.]+", line)
    ]
    libraries = [row for row in rows if not row.startswith("| Python ")]
    named = [row for row in libraries if re.search(r"\| [^|]*(MIT|BSD|Apache|PSF|LGPL|HPND)", row)]
    assert sorted(set(libraries) - set(named)) == []


def test_every_pinned_dependency_of_ours_is_in_the_constraints() -> None:
    pinned = {
        re.sub(r"[-_.]+", "-", line.split("==")[0]).lower()
        for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if "==" in line
    }
    ours = [*PROJECT["dependencies"], *(one for k in ("test", "lint") for one in EXTRAS[k])]
    names = {
        re.sub(r"[-_.]+", "-", re.split(r"[>\[]", one)[0]).lower()
        for one in [
            *ours,
            *(name for extra in EXTRAS if extra != "bench" for name in EXTRAS[extra]),
        ]
        if not one.startswith("lamina[")
    }
    assert names - pinned == set()
