"""A page as blocks of code, with what the comment above a block says about running it.

A comment ``<!-- docs: NOTE; NOTE -->`` on the line above a block says how it is run:

    session          begin here in a new, empty folder; a page begins with one
    data NAME ...    make this data first (``tools.pages.made_data``)
    quick VERB OPTIONS, VERB OPTIONS
                     add these options to each command of the verb, and a small network to
                     ``train``; only where the block shows no output
    slow             the session takes more than seconds; it is run on demand
    one command      only the first line is a command, the others are its output
    skip REASON      the block is not run

A ``text`` block right below a ``python`` block is what the latter prints.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
LANGUAGES = ("console", "python", "yaml", "text")
NOTES = ("session", "data", "quick", "slow", "one command", "skip")
FENCE = re.compile(r"^```(\w*|\{[\w-]+\})\s*$")
COMMENT = re.compile(r"^<!-- docs: (.*) -->$")


@dataclass(frozen=True)
class Block:
    """A fenced block of code."""

    language: str
    text: str
    """What is between the fences, with a line feed at its end; empty where there is nothing."""
    line: int
    """Number of its first line in the page, from 1."""
    notes: dict[str, str] = field(default_factory=dict)
    """What the comment above says: by note its argument, which is empty for some."""
    follows: bool = False
    """Whether only blank lines are between the block above and this one."""


@dataclass(frozen=True)
class Session:
    """Blocks that run one after another in one folder."""

    page: Path
    blocks: tuple[Block, ...]

    @property
    def slow(self) -> bool:
        """Whether it takes more than seconds."""
        return any("slow" in block.notes for block in self.blocks)

    @property
    def name(self) -> str:
        """The page, and the line of the first block."""
        return f"{self.page.stem}-{self.blocks[0].line}"


def pages() -> list[Path]:
    """Return the documents whose blocks are run."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(text: str) -> Iterator[Block]:
    """Yield the blocks of a page in order.

    Raises:
        ValueError: a fence is not closed, or a comment has an unknown note.
    """
    lines = text.splitlines()
    number, notes, follows = 0, dict[str, str](), False
    while number < len(lines):
        comment, fence = COMMENT.match(lines[number]), FENCE.match(lines[number])
        number += 1
        if comment:
            notes, follows = _notes(comment[1]), False
        elif fence:
            end = _end(lines, number)
            inner = "".join(f"{line}\n" for line in lines[number:end])
            yield Block(fence[1], inner, number + 1, notes, follows)
            number, notes, follows = end + 1, {}, True
        elif lines[number - 1].strip():
            notes, follows = {}, False


def _end(lines: Sequence[str], begin: int) -> int:
    for number in range(begin, len(lines)):
        if lines[number].rstrip() == "```":
            return number
    raise ValueError(f"line {begin}: the block has no end")


def _notes(text: str) -> dict[str, str]:
    notes = {}
    for part in text.split(";"):
        said = part.strip()
        name = next((one for one in NOTES if said == one or said.startswith(f"{one} ")), None)
        if name is None:
            raise ValueError(f"'{said}' is none of the notes {', '.join(NOTES)}")
        notes[name] = said.removeprefix(name).strip()
    return notes


def sessions(page: Path) -> list[Session]:
    """Return the sessions of a page that run anything."""
    found: list[list[Block]] = [[]]
    for block in blocks(page.read_text(encoding="utf-8")):
        if "session" in block.notes:
            found.append([])
        if block.language in LANGUAGES and "skip" not in block.notes:
            found[-1].append(block)
    return [Session(page, tuple(one)) for one in found if _runs(one)]


def _runs(chosen: Sequence[Block]) -> bool:
    return any(block.language in ("console", "python") for block in chosen)


def rewritten(text: str, changed: Sequence[tuple[Block, str]]) -> str:
    """Return the page with the text of some of its blocks replaced."""
    lines = text.splitlines(keepends=True)
    for block, new in sorted(changed, key=lambda pair: pair[0].line, reverse=True):
        begin = block.line - 1
        lines[begin : begin + block.text.count("\n")] = new.splitlines(keepends=True)
    return "".join(lines)
