"""A folder that one process works in at a time.

The lock is the system's lock (``flock``) on a file in the folder. The system lets go of it when
its process ends, however it ends, so that no lock outlives its process, and nobody has to guess
whether a number in a file still belongs to a living one. The file names the process for messages.

Machines that share a disk may not share locks. So the holder also touches the file every 30
seconds, and a process of another machine takes the folder over after 5 minutes without it, by the
clock of the disk; or at once, where the holder was an earlier start of the same Slurm job. A holder
that finds, after a long sleep, that its folder was taken writes nothing more there.

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
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from lamina.errors import RecipeError
from lamina.files.process import alive, note_taken, tag
from lamina.files.write import fault, make_folder
from lamina.refusals import PARTIAL, writing

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

LOCK = "run.lock"
"""Name of the file."""

BEAT = 30.0
"""Seconds between two signs of life of whoever holds a folder."""

SILENCE = 300.0
"""Seconds without a sign of life after which a process of another machine may take a folder."""

_SECOND_LOOK = 2.0
"""Seconds after taking a folder of another machine before looking whether a third took it too."""

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
    over = threading.Event()
    threading.Thread(target=_beat, args=(handle, path, over), daemon=True).start()
    try:
        yield
    finally:
        over.set()
        note_taken(folder.absolute(), None)
        if handle in _held:  # else this is a forked child, and the lock is its parent's
            _held.discard(handle)
            with suppress(OSError):
                if _is_the_file(handle, path) and _is_mine(_content(handle)):
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
            elsewhere = _refuse_living(handle, path, sure=sure)
            if _is_the_file(handle, path):
                with writing(path):
                    os.ftruncate(handle, 0)
                    os.pwrite(handle, json.dumps(_mine(sure=sure)).encode(), 0)
                    os.utime(path)
                if elsewhere:
                    _look_again(path)
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


def _mine(*, sure: bool) -> dict[str, Any]:
    """Return what the file says of this process."""
    return {"pid": os.getpid(), "host": socket.gethostname(), "flock": sure, "beat": BEAT} | _job()


def _job() -> dict[str, Any]:
    """Return the Slurm job of this process and how often it was requeued; nothing without Slurm."""
    job = os.environ.get("SLURM_JOB_ID")
    if not job:
        return {}
    restarts = os.environ.get("SLURM_RESTART_COUNT", "0")
    return {"job": job, "restarts": int(restarts) if restarts.isdecimal() else 0}


def _refuse_living(handle: int, path: Path, *, sure: bool) -> bool:
    """Refuse a folder in which another process works by what the file says.

    The system's lock does not tell of a process of another machine, which may not share locks, nor
    of one of a lamina that did not lock.

    Returns:
        Whether the folder was that of another machine.

    Raises:
        RecipeError: the process may live.
    """
    said = _content(handle)
    if not said:
        return False  # new, or its process died before it wrote
    who = f"{path.parent}: {_holder(said)} is working in this folder; wait for it"
    if str(said.get("host")) == socket.gethostname():
        if (sure and said.get("flock")) or not alive(said.get("pid")):
            return False
        raise RecipeError(f"{who}, or delete {path} if it is gone")
    if _is_earlier_start(said):
        return True
    if "beat" not in said:  # a lamina that gave no signs of life
        raise RecipeError(f"{who}, or delete {path} if it is gone")
    silent = _silence(path)
    if silent < SILENCE:
        raise RecipeError(
            f"{who}, or delete {path} if it is gone; its last sign of life is {silent:.0f} s old, "
            f"and after {SILENCE:.0f} s the same command takes the folder over"
        )
    return True


def _is_earlier_start(said: dict[str, Any]) -> bool:
    """Whether the holder was this very Slurm job before it was requeued."""
    mine, restarts = _job(), said.get("restarts")
    if not mine or said.get("job") != mine["job"] or not isinstance(restarts, int):
        return False
    return restarts < int(mine["restarts"])


def _silence(path: Path) -> float:
    """Return the seconds since the file was touched, by the clock of the disk that holds it."""
    probe = path.with_name(f".{path.name}.{tag()}{PARTIAL}")
    with writing(path):
        try:
            probe.touch()
            return probe.stat().st_mtime - path.stat().st_mtime
        finally:
            probe.unlink(missing_ok=True)


def _look_again(path: Path) -> None:
    """Refuse a folder that a third machine took at the same moment.

    Raises:
        RecipeError: the file names another process by now.
    """
    time.sleep(_SECOND_LOOK)
    if (said := _read(path)) and not _is_mine(said):
        raise RecipeError(f"{path.parent}: {_holder(said)} is working in this folder; wait for it")


def _is_mine(said: dict[str, Any]) -> bool:
    return (said.get("pid"), said.get("host")) == (os.getpid(), socket.gethostname())


def _beat(handle: int, path: Path, over: threading.Event) -> None:
    """Touch the file until the folder is let go; note when another process has taken it."""
    while not over.wait(BEAT):
        if handle not in _held:  # a forked child
            return
        said = _read(path)
        if said and not _is_mine(said):
            why = f"{path.parent}: {_holder(said)} took this folder while this process was silent"
            note_taken(path.parent.absolute(), f"{why}; nothing more is written here")
            return
        with suppress(OSError):
            os.utime(path)


def _read(path: Path) -> dict[str, Any]:
    """Return what the file of this name says now; nothing where it cannot be read."""
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    except OSError:
        return {}
    try:
        return _content(handle)
    finally:
        os.close(handle)


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
    if not isinstance(pid, int) or (host == socket.gethostname() and not alive(pid)):
        return "another process"
    return f"process {pid} on {host}"
