"""Changelog fragments: one file for each change, assembled into CHANGELOG.md on release.

Run        python -m tools.changelog                      check the fragments
           python -m tools.changelog release 0.2.0        move them into CHANGELOG.md

A fragment is ``changes/TOPIC.KIND.md``: lower-case words joined by hyphens, then added, changed,
fixed or removed. It holds one to three sentences in the user's words, no heading and no bullet.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[1]
KINDS = ("added", "changed", "fixed", "removed")
NAME = re.compile(rf"(?P<topic>[a-z0-9]+(-[a-z0-9]+)*)\.(?P<kind>{'|'.join(KINDS)})\.md")
VERSION = re.compile(r"\d+\.\d+\.\d+")
MOST_SENTENCES = 3
WIDTH = 100


@dataclass(frozen=True)
class Fragment:
    """One change."""

    topic: str
    kind: str
    text: str


def problems(folder: Path) -> list[str]:
    """Return what is wrong with the fragments of a folder, a line each."""
    return [f"{file.name}: {said}" for file in _files(folder) if (said := _problem(file))]


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.name != "README.md")


def _problem(file: Path) -> str | None:
    if not NAME.fullmatch(file.name):
        return f"is not TOPIC.KIND.md with lower-case words and one of {', '.join(KINDS)}"
    text = file.read_text(encoding="utf-8").strip()
    if not text:
        return "is empty"
    if text.startswith(("#", "-", "*")):
        return "begins with a heading or a bullet; write sentences"
    if not text.endswith((".", "!", ")")):
        return "does not end a sentence"
    sentences = len(re.findall(r"[.!](?=\s+[A-Z`]|$)", " ".join(text.split())))
    if sentences > MOST_SENTENCES:
        return f"has {sentences} sentences; {MOST_SENTENCES} at most"
    return None


def read(folder: Path) -> list[Fragment]:
    """Return the fragments of a folder by kind, then topic.

    Raises:
        ValueError: a fragment has a problem; all are listed.
    """
    if found := problems(folder):
        raise ValueError("\n".join(found))
    fragments = []
    for file in _files(folder):
        match = NAME.fullmatch(file.name)
        assert match is not None
        text = " ".join(file.read_text(encoding="utf-8").split())
        fragments.append(Fragment(match["topic"], match["kind"], text))
    return sorted(fragments, key=lambda one: (KINDS.index(one.kind), one.topic))


def section(version: str, date: str, fragments: Sequence[Fragment]) -> str:
    """Return the section of a release: a heading for each kind, a bullet for each change."""
    lines = [f"## {version} ({date})"]
    for kind in KINDS:
        of_kind = [fragment for fragment in fragments if fragment.kind == kind]
        if of_kind:
            lines += ["", f"### {kind.capitalize()}", ""]
            lines += [_bullet(one.text) for one in of_kind]
    return "\n".join(lines)


def _bullet(text: str) -> str:
    """Return a bullet of which no line is longer than needed."""
    lines, line = [], "-"
    for word in text.split():
        if len(line) + 1 + len(word) > WIDTH:
            lines.append(line)
            line = " "
        line += f" {word}"
    return "\n".join([*lines, line])


def release(version: str, folder: Path, changelog: Path, date: str) -> None:
    """Put the fragments into the changelog above the last release, and delete them.

    Raises:
        ValueError: the version is none or is in the changelog already, there is no fragment, or
            one has a problem. Nothing is changed then.
    """
    if not VERSION.fullmatch(version):
        raise ValueError(f"'{version}' is not a version such as 0.2.0")
    text = changelog.read_text(encoding="utf-8")
    if re.search(rf"^## {re.escape(version)}\b", text, re.MULTILINE):
        raise ValueError(f"{changelog.name} has a section {version} already")
    fragments = read(folder)
    if not fragments:
        raise ValueError(f"there is no fragment in {folder}")
    head, heading, rest = text.partition("\n## ")
    changelog.write_text(
        f"{head}\n{section(version, date, fragments)}\n{heading}{rest}", encoding="utf-8"
    )
    for file in _files(folder):
        file.unlink()


def main(arguments: Sequence[str]) -> int:
    """Check the fragments, or make a release of them; return the exit status."""
    folder = ROOT / "changes"
    match list(arguments):
        case []:
            found = problems(folder)
            print("\n".join(found) if found else f"{len(_files(folder))} fragments, all sound")
            return 1 if found else 0
        case ["release", version]:
            today = datetime.now(UTC).date().isoformat()
            release(version, folder, ROOT / "CHANGELOG.md", today)
            return 0
    print(__doc__)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
