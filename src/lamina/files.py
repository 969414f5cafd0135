"""Every write goes through here: whole or not at all, and with a digest.

A file is written beside its target under a temporary name, flushed to the disk, renamed, and
the folder is flushed too. After a crash at any moment the target is the old file or the new
one, never a part. Names that come from data are joined to a folder only by ``safe_join``.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import signal
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from lamina.errors import DataError, RecipeError, ResourceError

_PARTIAL = ".partial"


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
    beside = path.with_name(f".{path.name}.{os.getpid()}{_PARTIAL}")
    try:
        with refusal_said(path):
            with beside.open("wb") as stream:
                yield stream
                stream.flush()
                fault("file.after_write")
                if flush:
                    os.fsync(stream.fileno())
            _put_in_place(beside, path, flush=flush)
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def scratch(path: Path) -> Iterator[IO[bytes]]:
    """Open an empty stream, to write and to read, beside ``path``; gone when the block ends.

    For what is too large for the memory while ``path`` is made.

    Raises:
        ResourceError: the disk is full.
        RecipeError: nothing can be written there.
    """
    make_folder(path.parent)
    beside = path.with_name(f".{path.name}.{os.getpid()}.scratch{_PARTIAL}")
    try:
        with refusal_said(path), beside.open("w+b") as stream:
            yield stream
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder that becomes ``path`` when the block ends without an error.

    Raises:
        ResourceError: the disk is full.
        RecipeError: nothing can be written there, or something is there already.
    """
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise RecipeError(f"{path}: is there already; choose another place, or remove it")
    beside = path.with_name(f".{path.name}{_PARTIAL}")
    shutil.rmtree(beside, ignore_errors=True)  # of a process that was killed
    make_folder(beside)
    try:
        yield beside
        with refusal_said(path):
            _put_in_place(beside, path)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def make_folder(path: Path) -> None:
    """Make a folder and those above it, unless they are there.

    Raises:
        RecipeError: a file stands in the way, or the place is read-only.
        ResourceError: the disk is full.
    """
    with refusal_said(path):
        path.mkdir(parents=True, exist_ok=True)


def write_bytes(path: Path, data: bytes) -> str:
    """Write ``data`` to ``path`` whole or not at all; return its SHA-256 as hexadecimal."""
    with replacing(path) as stream:
        stream.write(data)
    return hashlib.sha256(data).hexdigest()


def write_text(path: Path, text: str) -> str:
    """Write ``text`` as UTF-8 whole or not at all; return its SHA-256."""
    return write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> str:
    """Write ``value`` as indented JSON whole or not at all; return its SHA-256."""
    return write_text(path, json.dumps(value, indent=1, allow_nan=False) + "\n")


def write_with(path: Path, write: Callable[[Path], None]) -> str:
    """Let ``write`` fill a temporary path beside ``path``, then rename; return the SHA-256.

    For libraries that want a name rather than a stream.

    Raises:
        ResourceError: the disk is full; an earlier file at ``path`` is untouched.
        RecipeError: nothing can be written there.
    """
    make_folder(path.parent)
    beside = path.with_name(f".{os.getpid()}{_PARTIAL}.{path.name}")
    try:
        with refusal_said(path):
            write(beside)
            fault("file.after_write")
            with beside.open("rb") as stream:
                os.fsync(stream.fileno())
            found = digest(beside)
            _put_in_place(beside, path)
    finally:
        beside.unlink(missing_ok=True)
    return found


def append_line(path: Path, line: str) -> None:
    """Append one line to a log; a crash leaves at most one half line, which readers drop.

    Raises:
        ResourceError: the disk is full.
        RecipeError: nothing can be written there.
    """
    make_folder(path.parent)
    with refusal_said(path), path.open("a+b") as stream:
        if stream.tell():
            stream.seek(-1, os.SEEK_END)
            if stream.read(1) != b"\n":  # a half line of an earlier run must not swallow this one
                stream.write(b"\n")
        stream.write(line.encode() + b"\n")


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Return the JSON objects of a log, one a line; half lines are dropped."""
    if not path.exists():
        return []
    rows: list[dict[str, Any]] = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(row, dict):
            rows.append(row)
    return rows


def read_json(path: Path) -> Any:
    """Return the JSON value of ``path``.

    Raises:
        DataError: the file is missing or not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not readable as JSON ({error})") from error


def digest(path: Path) -> str:
    """Return the SHA-256 of a file as hexadecimal; of a folder, that of all names and contents."""
    if path.is_dir():
        whole = hashlib.sha256()
        for one in sorted(path.rglob("*")):
            if one.is_file():
                whole.update(f"{one.relative_to(path).as_posix()}\0{digest(one)}\n".encode())
        return whole.hexdigest()
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sweep(folder: Path) -> int:
    """Delete what a killed process left under temporary names below ``folder``; return how many."""
    left = [path for path in folder.rglob(f".*{_PARTIAL}*") if path.is_file()]
    for path in left:
        path.unlink(missing_ok=True)
    return len(left)


def safe_join(root: Path, name: str) -> Path:
    """Join a name that comes from data to ``root``; refuse every way out of it.

    Raises:
        DataError: the name is absolute, climbs out, holds a NUL or a drive, or follows a link out.
    """
    text = unicodedata.normalize("NFC", name).replace("\\", "/")
    parts = text.split("/")
    if not text or "\0" in text or text.startswith("/") or ".." in parts or ":" in parts[0]:
        raise DataError(f"{name!r}: this name leaves the folder {root}; rename the file or the row")
    path = root / text
    if not path.resolve().is_relative_to(root.resolve()):
        raise DataError(f"{name!r}: a link leads out of the folder {root}; copy the file into it")
    return path


@contextmanager
def refusal_said(path: Path) -> Iterator[None]:
    """Turn the system's refusal to write ``path`` into an error that says what to do.

    Errors about other files, such as one that the block reads, pass as they are.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            free = shutil.disk_usage(path.parent).free
            raise ResourceError(
                f"{path}: the disk is full ({free / 2**20:.0f} MiB free); free some space and run "
                "the same command again to resume"
            ) from error
        named = Path(os.fsdecode(error.filename or ""))
        above = named in path.parents
        if above or named == path or _PARTIAL in named.name:
            what = f"{error.strerror}: {named}" if above else error.strerror
            raise RecipeError(
                f"{path}: cannot be written ({what}); choose another place"
            ) from error
        raise


def _put_in_place(beside: Path, path: Path, *, flush: bool = True) -> None:
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
