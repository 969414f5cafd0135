"""The commands of a console block, and what runs them."""

from __future__ import annotations

import io
import shlex
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

PROMPT = "$ "
OTHER_PROGRAMS = {"cat", "head", "ls"}


@dataclass(frozen=True)
class Command:
    """A line behind a prompt and what it shows."""

    source: str
    """Its lines in the block, with the prompt."""
    output: str
    """The lines below, up to the next command."""

    @property
    def words(self) -> list[str]:
        """The words of the command, without comments; ``>`` and a file may be the last two."""
        joined = self.source.removeprefix(PROMPT).replace("\\\n", " ")
        return shlex.split(joined, comments=True)


def commands(text: str, *, one: bool = False) -> Iterator[Command]:
    """Yield the commands of a console block; with ``one`` only its first line is one.

    Raises:
        ValueError: the block does not begin with a command.
    """
    lines = text.splitlines(keepends=True)
    if not lines or not lines[0].startswith(PROMPT):
        raise ValueError("a console block begins with '$ '")
    starts = [n for n, line in enumerate(lines) if line.startswith(PROMPT)]
    starts = starts[:1] if one else starts
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        last = start
        while lines[last].endswith("\\\n"):
            last += 1
        yield Command("".join(lines[start : last + 1]), "".join(lines[last + 1 : end]))


def run(words: Sequence[str]) -> tuple[int, str]:
    """Run a command in the working directory; return its exit status and all that it printed.

    ``lamina`` runs within this process, whose libraries are loaded already. ``> FILE`` takes
    standard output alone.

    Raises:
        ValueError: the program is not one that pages may run.
    """
    target = None
    if len(words) > 2 and words[-2] == ">":
        *words, _, target = words
    program, *arguments = words
    both = io.StringIO()
    standard = io.StringIO() if target else both
    if program == "lamina":
        status = _lamina(arguments, standard, both)
    elif program in OTHER_PROGRAMS:
        done = subprocess.run(list(words), capture_output=True, text=True, check=False)
        status = done.returncode
        standard.write(done.stdout)
        both.write(done.stderr)
    else:
        raise ValueError(f"pages do not run '{program}'; mark the block: <!-- docs: skip WHY -->")
    if target:
        Path(target).write_text(standard.getvalue(), encoding="utf-8")
    return status, both.getvalue()


def _lamina(arguments: Sequence[str], out: io.StringIO, err: io.StringIO) -> int:
    from lamina.cli.main import app

    with redirect_stdout(out), redirect_stderr(err):
        try:
            app(args=list(arguments), prog_name="lamina")
        except SystemExit as leave:
            return leave.code if isinstance(leave.code, int) else int(leave.code is not None)
    return 0
