"""A folder that one process works in at a time.

The lock is the system's lock (``flock``) on a file in the folder. The system lets go of it when
its process ends, however it ends, so that no lock outlives its process, and nobody has to guess
whether a number in a file still belongs to a living one. The file names the process for messages.

    open the file ── locked by another? ──▶ refuse, with what the file says
         │
    is it still the file of that name? ── no ──▶ its owner has just removed it: again
         │
    write who we are ── work ── remove the file ── let go

A file that is removed while it is locked makes no hole: who opened the old file finds that the
name is gone, or another file's, and begins again.
"""

from __future__ import annotations

import errno
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from lamina.errors import RecipeError
from lamina.files.write import fault, make_folder
from lamina.refusals import writing

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

LOCK = "run.lock"
"""Name of the file."""

_UNSUPPORTED = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP}
_held: set[int] = set()
"""Descriptors of the locks of this process."""


def _forget_in_child() -> None:
    """Close what a forked child has of its parent's locks, so that it does not keep them."""
    for handle in _held:
        with suppress(OSError):
            os.close(handle)
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder for this process (C11); it is made where it is missing.

    Raises:
        RecipeError: another live process works in the folder, or it cannot be written.
    """
    make_folder(folder)
    path = folder / LOCK
    handle = _take(path)
    _held.add(handle)
    try:
        yield
    finally:
        if handle in _held:  # else this is a forked child, and the lock is its parent's
            _held.discard(handle)
            with suppress(OSError):
                if _is_the_file(handle, path):
                    path.unlink()
            os.close(handle)


def _take(path: Path) -> int:
    """Return a descriptor of the file, locked and with our name in it."""
    while True:
        with writing(path):
            handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o644)
        try:
            sure = _lock(handle)
            fault("lock.after_lock")
            if sure is None:
                raise RecipeError(
                    f"{path.parent}: {_holder(_content(handle))} is working in this folder; wait "
                    "for it, or stop it"
                )
            if not _is_free(handle, sure=sure):
                raise RecipeError(
                    f"{path.parent}: {_holder(_content(handle))} is working in this folder; wait "
                    f"for it, or delete {path} if it is gone"
                )
            if _is_the_file(handle, path):
                mine = json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "flock": sure})
                with writing(path):
                    os.ftruncate(handle, 0)
                    os.pwrite(handle, mine.encode(), 0)
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


def _lock(handle: int) -> bool | None:
    """Lock a file; None: another has it. False: this file system cannot say."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _UNSUPPORTED:
            return False
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return None
        raise
    return True


def _is_free(handle: int, *, sure: bool) -> bool:
    """Whether nobody works here by what the file says, where the system's lock does not tell.

    That is so for a file of another machine, which may not share locks, and for one of a lamina
    that did not lock: its process may live.
    """
    said = _content(handle)
    if not said:
        return True  # new, or its process died before it wrote
    host, pid = str(said.get("host")), said.get("pid")
    if host != socket.gethostname():
        return False
    if sure and said.get("flock"):
        return True
    return not (isinstance(pid, int) and pid > 0 and _alive(pid))


def _content(handle: int) -> dict[str, Any]:
    try:
        said = json.loads(os.pread(handle, 4096, 0))
    except (OSError, ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) and "host" in said else {}


def _is_the_file(handle: int, path: Path) -> bool:
    try:
        now, ours = path.stat(), os.fstat(handle)
    except FileNotFoundError:
        return False
    return (now.st_dev, now.st_ino) == (ours.st_dev, ours.st_ino)


def _holder(said: dict[str, Any]) -> str:
    """Return who works in a folder; a name that an earlier process left is not told."""
    pid, host = said.get("pid"), said.get("host")
    if not isinstance(pid, int) or (host == socket.gethostname() and not _alive(pid)):
        return "another process"
    return f"process {pid} on {host}"


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
