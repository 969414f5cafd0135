"""Which cases of reliability are tested, generated from the tests.

Run        python -m tools.reliability             print the count and what is not tested
           python -m tools.reliability --write     write docs/reliability.md

The cases stand in ``cases.csv``: id, what happens, what is promised, and why one is not tested. A
test proves a case by naming its id in its own name (``test_c11_...``) or in the first paragraph
of its docstring; that of a module counts for all of its tests.
"""

from __future__ import annotations

import ast
import csv
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
TESTS = ROOT / "tests"
CASES = Path(__file__).with_name("cases.csv")
PAGE = ROOT / "docs" / "reliability.md"

GROUPS = {
    "C": "Crashes and resume: training",
    "B": "Crashes and resume: prediction, preparation, search",
    "M": "Limits of the machine",
    "I": "Images and volumes",
    "L": "Labels and tables",
    "G": "Recipes",
    "W": "Files of strangers",
    "N": "Numbers and processes",
}
_ID = re.compile(r"(?<![A-Za-z0-9])([CBMILGWN]\d\d)(?![A-Za-z0-9])")
_SHOWN = 4  # tests of a case; the others are counted


@dataclass(frozen=True)
class Case:
    """One thing that may go wrong."""

    id: str
    case: str
    promise: str
    why_not: str
    """Why it is not tested; empty: it is."""


@dataclass(frozen=True)
class Proof:
    """A test, or a module of tests, that names cases."""

    path: str
    """From the root of the repository, with ``/``."""
    name: str
    """Of the test; empty: all of the module."""


def cases(table: Path = CASES) -> list[Case]:
    """Return the cases, in the order of the table."""
    with table.open(encoding="utf-8", newline="") as stream:
        return [Case(**row) for row in csv.DictReader(stream)]


def proofs(tests: Path = TESTS) -> dict[str, list[Proof]]:
    """Return the tests that name each id, by id, in the order of their files."""
    found: dict[str, list[Proof]] = {}
    for path in sorted(tests.rglob("test_*.py")):
        place = path.relative_to(tests.parent).as_posix()
        for name, id in _named(ast.parse(path.read_text(encoding="utf-8"))):
            proof = Proof(place, name)
            if proof not in found.setdefault(id, []):
                found[id].append(proof)
    return found


def _named(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield the names of tests with the ids they prove; without a name for the whole module."""
    for id in _ids(ast.get_docstring(tree)):
        yield "", id
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test"):
            for id in _ID.findall(node.name.upper().replace("_", " ")):
                yield node.name, id
            for id in _ids(ast.get_docstring(node)):
                yield node.name, id


def _ids(docstring: str | None) -> list[str]:
    return _ID.findall((docstring or "").split("\n\n")[0])


def page(listed: list[Case], found: dict[str, list[Proof]]) -> str:
    """Return the page."""
    tested = sum(case.id in found for case in listed)
    lines = [
        "# Reliability",
        "",
        "What may go wrong, what is promised then, and the tests that prove it. This page is made",
        "from the tests by `python -m tools.reliability --write`, and a test compares them.",
        "",
        f"**{tested} of {len(listed)} cases are tested.**",
    ]
    for letter, title in GROUPS.items():
        lines += ["", f"## {title}", "", "| id | case | promise | tested by |", "|---|---|---|---|"]
        for case in (one for one in listed if one.id.startswith(letter)):
            by = _cell(found.get(case.id, [])) or f"not tested: {case.why_not or 'no test yet'}"
            lines.append(f"| {case.id} | {case.case} | {case.promise} | {by} |")
    return "\n".join(lines) + "\n"


def _cell(tests: list[Proof]) -> str:
    links = [
        f"[{(test.name or Path(test.path).stem).removeprefix('test_')}](../{test.path})"
        for test in tests[:_SHOWN]
    ]
    more = len(tests) - _SHOWN
    return "<br>".join(links + ([f"and {more} more"] if more > 0 else []))


def main(words: list[str]) -> None:
    """Write the page, or print what is not tested."""
    listed, found = cases(), proofs()
    if "--write" in words:
        PAGE.write_text(page(listed, found), encoding="utf-8")
    missing = [case for case in listed if case.id not in found]
    print(f"{len(listed) - len(missing)} of {len(listed)} cases are tested")
    for case in missing:
        print(f"  {case.id}  {case.case}: {case.why_not or 'no test yet'}")


if __name__ == "__main__":
    main(sys.argv[1:])
