"""Writing: whole or not at all, and with a digest.

A file is written beside its target under a temporary name, flushed to the disk, renamed, and
the folder is flushed too. After a crash at any moment the target is the old file or the new
one, never a part.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from lamina.errors import RecipeError
from lamina.files.process import is_left, refuse_taken, tag
from lamina.files.read import digest
from lamina.refusals import PARTIAL, writing

_LONGEST = 200  # bytes of a name; temporary ones add up to 45


def fault(point: str) -> None:
    """Die here, as by kill -9, when the environment asks for it: ``LAMINA_FAULT=point:n``.

    The kill tests enumerate these points; n counts from 1 (the n-th passage dies).
    """
    wish = os.environ.get("LAMINA_FAULT")
    if wish is None or wish.partition(":")[0] != point:
        return
    left = int(wish.partition(":")[2] or 1) - 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    os.environ["LAMINA_FAULT"] = f"{point}:{left}"


@contextmanager
def replacing(path: Path, *, flush: bool = True) -> Iterator[IO[bytes]]:
    """Open a stream whose content becomes ``path`` when the block ends without an error.

    Without ``flush`` nobody waits for the disk: whole after a kill, but not after a power cut.
    This is for files whose digest is compared before they are used again.

    Raises:
        ResourceError: the disk is full; an earlier file at ``path`` is untouched.
        RecipeError: nothing can be written there.
    """
    make_folder(path.parent)
    beside = path.with_name(f".{_short(path)}.{tag()}{PARTIAL}")
    try:
        with writing(path):
            with beside.open("wb") as stream:
                yield stream
                stream.flush()
                fault("file.after_write")
                if flush:
                    os.fsync(stream.fileno())
            _put_in_place(beside, path, flush=flush)
    finally:
        _remove(beside)


@contextmanager
def scratch(path: Path) -> Iterator[IO[bytes]]:
    """Open an empty stream, to write and to read, beside ``path``; gone when the block ends.

    For what is too large for the memory while ``path`` is made.

    Raises:
        ResourceError: the disk is full.
        RecipeError: nothing can be written there.
    """
    make_folder(path.parent)
    beside = path.with_name(f".{_short(path)}.{tag()}.scratch{PARTIAL}")
    try:
        with writing(path), beside.open("w+b") as stream:
            yield stream
    finally:
        _remove(beside)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder that becomes ``path`` when the block ends without an error.

    Raises:
        ResourceError: the disk is full.
        RecipeError: nothing can be written there, or something is there already.
    """
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise RecipeError(f"{path}: is there already; choose another place, or remove it")
    beside = path.with_name(f".{_short(path)}.{tag()}{PARTIAL}")
    for left in _others(path):
        shutil.rmtree(left, ignore_errors=True)  # of a process that was killed
    make_folder(beside)
    try:
        yield beside
        with writing(path):
            _put_in_place(beside, path)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def make_folder(path: Path) -> None:
    """Make a folder and those above it, unless they are there.

    Raises:
        RecipeError: a file stands in the way, or the place is read-only.
        ResourceError: the disk is full.
    """
    with writing(path):
        path.mkdir(parents=True, exist_ok=True)


def write_bytes(path: Path, data: bytes, *, flush: bool = True) -> str:
    """Write ``data`` to ``path`` whole or not at all; return its SHA-256 as hexadecimal.

    ``flush`` is that of ``replacing``.
    """
    with replacing(path, flush=flush) as stream:
        stream.write(data)
    return hashlib.sha256(data).hexdigest()


def write_text(path: Path, text: str) -> str:
    """Write ``text`` as UTF-8 whole or not at all; return its SHA-256."""
    return write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> str:
    """Write ``value`` as indented JSON whole or not at all; return its SHA-256."""
    return write_text(path, json.dumps(value, indent=1, allow_nan=False) + "\n")


def write_with(path: Path, write: Callable[[Path], None], *, flush: bool = True) -> str:
    """Let ``write`` fill a temporary path beside ``path``, then rename; return the SHA-256.

    For libraries that want a name rather than a stream. ``flush`` is that of ``replacing``.

    Raises:
        ResourceError: the disk is full; an earlier file at ``path`` is untouched.
        RecipeError: nothing can be written there.
    """
    make_folder(path.parent)
    beside = path.with_name(f".{tag()}{PARTIAL}.{_short(path)}")
    try:
        with writing(path):
            write(beside)
            fault("file.after_write")
            if flush:
                with beside.open("rb") as stream:
                    os.fsync(stream.fileno())
            found = digest(beside)
            _put_in_place(beside, path, flush=flush)
    finally:
        _remove(beside)
    return found


def move_whole(beside: Path, path: Path) -> None:
    """Give a file that is whole its name, once it is on the disk.

    Raises:
        ResourceError: the disk is full.
        RecipeError: nothing can be written there.
    """
    with writing(path):
        with beside.open("rb+") as stream:
            os.fsync(stream.fileno())
        _put_in_place(beside, path)


def append_line(path: Path, line: str) -> None:
    """Append one line to a log; a crash leaves at most one half line, which readers drop.

    Raises:
        ResourceError: the disk is full.
        RecipeError: nothing can be written there.
    """
    append_lines(path, [line.encode()])


def append_lines(path: Path, lines: Sequence[bytes]) -> None:
    """Append lines to a log in one write, as ``append_line`` does."""
    make_folder(path.parent)
    refuse_taken(path)
    with writing(path), path.open("a+b") as stream:
        if stream.tell():
            stream.seek(-1, os.SEEK_END)
            if stream.read(1) != b"\n":  # a half line of an earlier run must not swallow this one
                stream.write(b"\n")
        stream.write(b"".join(line + b"\n" for line in lines))


def delete_partial_files(folder: Path) -> int:
    """Delete what killed processes left under temporary names below ``folder``; return how many.

    Those of processes that live stay, on this machine and on others.
    """
    named = (path for path in folder.rglob(f".*{PARTIAL}*") if path.is_file())
    left = [path for path in named if is_left(path)]
    for path in left:
        path.unlink(missing_ok=True)
    return len(left)


def _short(path: Path) -> str:
    """Return the name of a file with room for what temporary names add; its suffix stays."""
    if len(os.fsencode(path.name)) <= _LONGEST:
        return path.name
    return hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16] + path.suffix[:32]


def _others(path: Path) -> list[Path]:
    """Return the temporary folders of ``path`` that processes left."""
    if not path.parent.is_dir():
        return []
    start = f".{_short(path)}."
    named = [one for one in path.parent.iterdir() if one.name.startswith(start)]
    return [one for one in named if one.name.endswith(PARTIAL) and is_left(one)]


def _remove(beside: Path) -> None:
    with suppress(OSError):  # what went wrong before says more
        beside.unlink()


def _put_in_place(beside: Path, path: Path, *, flush: bool = True) -> None:
    refuse_taken(path)
    fault("file.before_rename")
    beside.replace(path)
    fault("file.after_rename")
    if flush:
        _flush_folder(path.parent)


def _flush_folder(folder: Path) -> None:
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
