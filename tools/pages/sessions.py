"""Sessions of a page, run for real in a folder of their own."""

from __future__ import annotations

import contextlib
import io
import math
import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

from tools.pages.commands import Command, commands, run
from tools.pages.made_data import SMALL, make
from tools.pages.markdown import Block, Session
from tools.pages.outputs import shown

TERMINAL = {"COLUMNS": "100", "LINES": "40", "NO_COLOR": "1", "TERM": "dumb"}

# Of a training that shows no output only the way is tried: it is as short as it can be.
QUICK = ("-s", SMALL, "--workers=0")


class BlockError(Exception):
    """A block did not do what the page says: a wrong exit status, or an exception."""


def run_session(session: Session, folder: Path) -> list[tuple[Block, str]]:
    """Run a session in an empty folder.

    Returns:
        The blocks that show outputs, each with its text as it would be now.

    Raises:
        BlockError: a command failed that the page shows to succeed, or the other way round.
    """
    names: dict[str, Any] = {"__name__": "page"}
    results: list[tuple[Block, str]] = []
    printed = ""
    with _in(folder):
        for block in session.blocks:
            try:
                make(block.notes.get("data", "").split(), folder)
                if block.language == "console":
                    results.append((block, _console(block, folder)))
                elif block.language == "python":
                    printed = _python(block, names)
                elif block.language == "text" and block.follows and printed:
                    results.append((block, shown(printed, block.text)))
                    printed = ""
                elif block.language == "yaml":
                    _write(block)
            except Exception as error:
                where = f"{session.page.name}:{block.line}"
                raise BlockError(f"{where}: {error}") from error
    return results


@contextlib.contextmanager
def _in(folder: Path) -> Iterator[None]:
    """Work in a folder; the terminal has a fixed width, and no line depends on the time taken."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    quiet = mock.patch("lamina.progress._EVERY", math.inf)
    try:
        with contextlib.chdir(folder), mock.patch.dict(os.environ, TERMINAL), quiet:
            yield
    finally:
        torch.set_num_threads(threads)


def _console(block: Block, folder: Path) -> str:
    found = list(commands(block.text, one="one command" in block.notes))
    silent = not any(command.output.strip() for command in found)
    added = _quick(block) if silent else {}
    text = ""
    for command in found:
        output = _run(command, added, folder)
        text += command.source + ("" if silent else shown(output, command.output))
    return block.text if silent else text


def _quick(block: Block) -> dict[str, list[str]]:
    """Return the options that the note ``quick`` adds, by verb."""
    if "quick" not in block.notes:
        return {}
    lists = [shlex.split(part) for part in block.notes["quick"].split(", ")]
    found = {verb: list(options) for verb, *options in lists}
    return found | {"train": [*QUICK, *found.get("train", [])]}


def _run(command: Command, added: Mapping[str, Sequence[str]], folder: Path) -> str:
    words = command.words
    if words[0] == "lamina":
        end = len(words) - 2 if ">" in words else len(words)
        words[end:end] = added.get(words[1], [])  # last, since the last of two options counts
    status, output = run(words)
    refused = command.output.startswith("error:")
    if (status != 0) != refused:
        raise BlockError(f"`{command.source.strip()}` left with {status}\n{output}")
    return output.replace(f"{folder}/", "")


def _python(block: Block, names: dict[str, Any]) -> str:
    stream = io.StringIO()
    code = compile("\n" * (block.line - 1) + block.text, "page", "exec")
    with contextlib.redirect_stdout(stream), contextlib.redirect_stderr(io.StringIO()):
        exec(code, names)  # the page is part of this repository
    return stream.getvalue()


def _write(block: Block) -> None:
    """Write a recipe whose first line names its file, such as ``# mine.yaml``."""
    first = block.text.split("\n", 1)[0]
    if first.startswith("# ") and first.endswith(".yaml"):
        Path(first[2:]).write_text(block.text, encoding="utf-8")
