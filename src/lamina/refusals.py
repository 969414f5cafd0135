"""What the system and libraries raise, turned into errors of lamina, by kind.

============================== ============================================= =================
raised                         means                                         becomes
============================== ============================================= =================
no space, quota                the disk is full                              ResourceError
file size                      a limit of the shell is reached               ResourceError
memory, open files, processes  a limit of machine or shell is reached        ResourceError
input/output, stale, timed out the disk fails, or its network does           ResourceError
name too long                  no file can have this name                    RecipeError
any other, while writing       the place cannot be written                   RecipeError
any other, while reading       the file cannot be read                       DataError
not of the system              the content is damaged                        what the reader says
============================== ============================================= =================

``writing`` and ``reading`` are put around what touches one file; ``system_said`` around a whole
verb catches what is left. Bugs pass all three: only ``reading`` catches errors that are not of the
system, and only parsing stands inside it.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

from lamina.errors import DataError, LaminaError, RecipeError, ResourceError

P = ParamSpec("P")
R = TypeVar("R")

PARTIAL = ".partial"
"""In the names of files that are being written."""

_FULL = {errno.ENOSPC, errno.EDQUOT}
_MEMORY = {errno.ENOMEM, errno.EAGAIN}
_MANY = {errno.EMFILE, errno.ENFILE}
_FAILING = {
    getattr(errno, name)
    for name in (
        "EIO",
        "ENXIO",
        "ENODEV",
        "ESTALE",
        "ETIMEDOUT",
        "EREMOTEIO",
        "ENOTCONN",
        "EHOSTDOWN",
    )
    if hasattr(errno, name)
}


def of_system(
    error: OSError | MemoryError, place: str | os.PathLike[str] | None = None
) -> LaminaError | None:
    """Return the error of lamina for a limit of machine, disk or shell; None: it is another.

    Args:
        error: As the system raised it.
        place: The file or folder at work, for the message; None: as the error says.
    """
    where = os.fspath(place) if place is not None else _named(error) or "the work"
    if isinstance(error, MemoryError) or error.errno in _MEMORY:
        return ResourceError(
            f"{where}: does not fit the memory; free some, or use a smaller batch or --memory"
        )
    said = error.strerror or str(error)
    if error.errno in _FULL:
        return ResourceError(
            f"{where}: the disk is full{_free(where)}; free some space and run the same command "
            "again to resume"
        )
    if error.errno == errno.EFBIG:
        return ResourceError(
            f"{where}: is larger than files may be here ({said}); raise the limit (ulimit -f "
            "unlimited) or choose another disk, then run the same command again to resume"
        )
    if error.errno in _MANY:
        return ResourceError(
            f"{where}: too many files are open ({said}); raise the limit (ulimit -n 4096) or use "
            "fewer --workers, then run the same command again"
        )
    if error.errno in _FAILING:
        return ResourceError(
            f"{where}: the disk failed ({said}); check the disk or its network, then run the same "
            "command again to resume"
        )
    if error.errno == errno.ENAMETOOLONG:
        return RecipeError(f"{where}: this name is too long for a file; choose a shorter one")
    return None


def of_reading(error: OSError, place: str | os.PathLike[str] | None = None) -> LaminaError:
    """Return the error of lamina for a file that the system does not let be read."""
    where = os.fspath(place) if place is not None else _named(error) or "a file"
    found = of_system(error, where)
    if found is not None:
        return found
    if error.errno == errno.ENOENT:
        return DataError(f"{where}: no such file")
    if error.errno in (errno.EACCES, errno.EPERM):
        return DataError(
            f"{where}: cannot be read ({error.strerror}); ask for the right to read it"
        )
    return DataError(f"{where}: cannot be read ({error.strerror or error}); give another file")


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn the system's refusal to write ``path`` into an error that says what to do.

    Errors about other files, such as one that the block reads, pass as they are.

    Raises:
        ResourceError: the disk is full or fails, or a limit is reached.
        RecipeError: nothing can be written there.
    """
    try:
        yield
    except OSError as error:
        named = Path(_named(error)) if _named(error) else None
        above = named is not None and named in path.parents
        own = named is not None and (above or named == path or PARTIAL in named.name)
        if own or named is None:
            found = of_system(error, path)
            if found is not None:
                raise found from error
        if own:
            what = f"{error.strerror}: {named}" if above else error.strerror
            raise RecipeError(
                f"{path}: cannot be written ({what}); choose another place"
            ) from error
        raise


@contextmanager
def reading(
    place: str | os.PathLike[str],
    kind: type[LaminaError] = DataError,
    *,
    what: str = "is damaged",
    remedy: str = "copy it again",
) -> Iterator[None]:
    """Turn whatever goes wrong while one file is read and parsed into one error about it.

    Errors of lamina pass as they are.

    Args:
        place: The file, for the message.
        kind: Class of the error where the content is damaged.
        what: What is said of a damaged file.
        remedy: What to do about it.

    Raises:
        LaminaError: of that kind; or as ``of_reading`` says.

    Example:
        >>> with reading("notes.json"):
        ...     raise EOFError("ends early")
        Traceback (most recent call last):
        lamina.errors.DataError: notes.json: is damaged (EOFError: ends early); copy it again
    """
    try:
        yield
    except LaminaError:
        raise
    except MemoryError as error:
        raise _known(of_system(error, place)) from error
    except Exception as error:  # libraries raise anything on damaged content
        if isinstance(error, OSError) and error.errno is not None:
            raise of_reading(error, _named(error) or place) from error
        said = str(error) or "no more is known"
        line = f"{type(error).__name__}: {said.splitlines()[0][:300]}"
        raise kind(f"{os.fspath(place)}: {what} ({line}); {remedy}") from error


@contextmanager
def system_said() -> Iterator[None]:
    """Turn what the system refuses anywhere inside into errors of lamina.

    Raises:
        LaminaError: as ``of_system`` and ``of_reading`` say.
    """
    try:
        yield
    except (BrokenPipeError, ConnectionError):
        raise
    except MemoryError as error:
        raise _known(of_system(error)) from error
    except OSError as error:
        if error.errno is None and not isinstance(error, TimeoutError):
            raise  # not of the system
        raise of_reading(error) from error


def verb(function: Callable[P, R]) -> Callable[P, R]:
    """Let a public function raise errors of lamina for whatever the system refuses."""

    @wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        with system_said():
            return function(*args, **kwargs)

    return checked


def check_regular(path: Path) -> None:
    """Refuse what is no regular file, such as a pipe, which would be waited for without end.

    A missing file passes: whoever opens it says so.

    Raises:
        DataError: it is a pipe, a socket or a device.
    """
    try:
        mode = path.stat().st_mode
    except OSError:
        return
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        return
    kinds = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
    what = kinds.get(stat.S_IFMT(mode), "a device")
    raise DataError(f"{path}: is {what} and no regular file; copy its content into a file")


def _known(error: LaminaError | None) -> LaminaError:
    return error or ResourceError("a limit of this machine is reached")


def _named(error: OSError | MemoryError) -> str:
    """Return the name that the system gave with its error, or nothing."""
    name = getattr(error, "filename", None)
    return os.fsdecode(name) if isinstance(name, str | bytes | os.PathLike) else ""


def _free(where: str) -> str:
    for folder in (Path(where), *Path(where).parents):
        if folder.exists():
            return f" ({shutil.disk_usage(folder).free / 2**20:.0f} MiB free)"
    return ""
