"""The index of a data set: digests, headers, classes and moments of its files, by path.

A file is read once, and again when its size or time changed. Rows are appended as files are read,
so that whoever was stopped goes on from there; a damaged line only costs itself. Where the file
of the index cannot be written, what was found is kept in memory.
"""

from __future__ import annotations

import os
import stat as stats
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from multiprocessing import get_context
from pathlib import Path

from lamina.data.index.file_mark import mark_of
from lamina.data.index.known_digests import KnownDigests
from lamina.data.index.measure import Job, measured
from lamina.data.index.row import Role, Row, row_of
from lamina.data.index.volume_identity import is_volume_store, volume_identity
from lamina.data.readers.images.header import KnownImage, knowing
from lamina.errors import LaminaError
from lamina.files import append_lines
from lamina.files import digest as digest_of
from lamina.folders import remote_url
from lamina.machine.collector import full_collection_put_off
from lamina.machine.cores import allowed_cores
from lamina.progress import Bar, say
from lamina.refusals import reading

_ALONE = 256  # fewer files than this are read before a process has started
_TOGETHER = 64  # files whose rows are written together
_SCRIPTS = {"lamina"}  # programs that a process may import again
_ROLES: tuple[Role, Role] = ("image", "target")
_IS_POSIX = os.sep == "/"

Rows = dict[Role, dict[str, Row]]
"""Rows by role and absolute name."""


class DataIndex:
    """What is known of the files of a data set."""

    def __init__(
        self, file: Path | None = None, *, verify: bool = False, moments: bool = False
    ) -> None:
        """Read an index, if there is one.

        Args:
            file: Where rows are kept; None: in memory only.
            verify: Read every file again, whatever its size and time say.
            moments: Whether the pixels of images are measured.

        Raises:
            DataError: the system does not let the file be read.
        """
        self.file, self._verify, self._moments = file, verify, moments
        self._rows = _rows(file)
        """The last row of each file, by role and absolute name."""
        self._sure: Rows = {role: {} for role in _ROLES}
        """Those of files whose size and time were compared."""
        self._identities: dict[str, str] = {}

    def keep_in(self, file: Path) -> None:
        """Keep all rows in a file from now on, where there was none to keep them in."""
        self.file = file
        if not file.exists():
            self._write([row.line() for rows in self._rows.values() for row in rows.values()])

    @contextmanager
    def used(self) -> Iterator[None]:
        """Let catalogs fill the index and open images from it while the block runs."""
        token = _current.set(self)
        try:
            with knowing(self._known):
                yield
        finally:
            _current.reset(token)

    def fill(self, files: Mapping[Role, Iterable[Path]]) -> None:
        """Read the files that are not known or changed since, several at the same time.

        A file that cannot be read gets no row; who opens it says what is wrong with it. Folders
        are passed over.

        Args:
            files: By what they are opened as.
        """
        jobs = []
        for role, paths in files.items():
            moments = self._moments and role == "image"
            for path in paths:
                name = absolute(str(path))
                stat = _stat(name)
                if stat is not None and not self._is_known(name, role, stat, moments=moments):
                    jobs.append(Job(name, role, moments))
        if not jobs:
            return
        with Bar("reading files", len(jobs)) as bar:
            for rows in _read(jobs):
                self._keep([row for row in rows if row is not None])
                bar.advance(len(rows))

    def digests(self, names: Iterable[str]) -> dict[str, str]:
        """Return the SHA-256 of files and folders by name, computed only where it is not known.

        Raises:
            DataError: one cannot be read.
        """
        sure = self._sure["image"]
        known = {
            name: sure[name].sha256 if name in sure else self._digest(name)
            for name in dict.fromkeys(names)
        }
        unknown = [name for name, sha256 in known.items() if sha256 is None]
        jobs = [Job(absolute(name), "image") for name in unknown if _stat(name) is not None]
        for rows in _read(jobs) if jobs else ():
            self._keep([row for row in rows if row is not None])
        return {
            name: self.digest(Path(name)) if sha256 is None else sha256
            for name, sha256 in known.items()
        }

    def known_digests(self, names: Iterable[str]) -> KnownDigests:
        """Return the digests of those files that are known, to be used later or elsewhere."""
        rows = {}
        for name in names:
            row = self._known_row(name)
            if row is not None:
                rows[name] = (row.size, row.mtime_ns, row.sha256)
        return KnownDigests(rows)

    def digest(self, path: Path) -> str:
        """Return the SHA-256 of a file or folder, as ``digests`` does."""
        known = self._digest(str(path))
        if known is not None:
            return known
        if remote_url(path) is not None:
            return self.identity(path)
        with reading(path):
            mark = mark_of(path)
            row = self._of_folder(path, mark)
            sha256 = digest_of(path) if row is None else row.sha256
        self._keep([Row(absolute(str(path)), "image", *mark, sha256)])
        return sha256

    def is_store(self, path: Path) -> bool:
        """Whether a path is a Zarr store, on this machine or in object storage."""
        return remote_url(path) is not None or (path.is_dir() and is_volume_store(path))

    def identity(self, path: Path) -> str:
        """Return what identifies a Zarr store, by a sample of its chunks.

        Raises:
            DataError: it cannot be read.
        """
        name = str(path)
        if name not in self._identities:
            with reading(path):
                self._identities[name] = volume_identity(path)
        return self._identities[name]

    def _of_folder(self, path: Path, mark: tuple[int, int]) -> Row | None:
        """Return the row of a folder none of whose files changed."""
        row = self._rows["image"].get(absolute(str(path)))
        if row is None or self._verify or not path.is_dir():
            return None
        return row if (row.size, row.mtime_ns) == mark else None

    def _digest(self, name: str) -> str | None:
        row = self._known_row(name)
        return None if row is None else row.sha256

    def _known_row(self, name: str) -> Row | None:
        """Return the row of a file, whatever it was opened as."""
        name = absolute(name)
        for role in _ROLES:
            row = self._row(name, role)
            if row is not None:
                return row
        return None

    def _is_known(self, name: str, role: Role, stat: os.stat_result, *, moments: bool) -> bool:
        row = self._row(name, role, stat)
        if row is None or not moments:
            return row is not None
        return row.known is None or row.known.moments is not None

    def _row(self, name: str, role: Role, stat: os.stat_result | None = None) -> Row | None:
        """Return the row of a file, by its absolute name, if it is still that of the file."""
        row = self._sure[role].get(name)
        if row is not None:
            return row
        row = None if self._verify else self._rows[role].get(name)
        if row is None:
            return None
        stat = stat or _stat(name)
        if stat is None or not row.is_of(stat):
            return None
        self._sure[role][name] = row
        return row

    def _known(self, path: Path, target: bool) -> KnownImage | None:
        row = self._row(absolute(str(path)), "target" if target else "image")
        return None if row is None else row.known

    def _keep(self, rows: Sequence[Row]) -> None:
        lines = []
        for row in rows:
            line, before = row.line(), self._rows[row.role].get(row.file)
            self._sure[row.role][row.file] = row
            if before is None or before.line() != line:
                self._rows[row.role][row.file] = row
                lines.append(line)
        self._write(lines)

    def _write(self, lines: Sequence[bytes]) -> None:
        if self.file is None or not lines:
            return
        try:
            append_lines(self.file, lines)
        except LaminaError as error:
            say(f"{self.file}: is not kept, files are read again next time ({error})")
            self.file = None


_current: ContextVar[DataIndex | None] = ContextVar("data_index", default=None)


def fill(**files: Iterable[Path]) -> None:
    """Read files into the index in use, if there is one.

    Args:
        files: ``image`` and ``target``: files by what they are opened as.
    """
    index = _current.get()
    if index is not None:
        index.fill({role: files[role] for role in _ROLES if role in files})


def _stat(name: str) -> os.stat_result | None:
    """Return size and time of a regular file; None: it is none, or there is nothing."""
    try:
        stat = os.stat(name)  # noqa: PTH116 - no object for each of 100,000 names
    except (OSError, ValueError):
        return None
    return stat if stats.S_ISREG(stat.st_mode) else None


def absolute(name: str) -> str:
    """Return an absolute name without steps such as ``..``; links stay as they are."""
    if _IS_POSIX and name[:1] == "/" and not ("/." in name or "//" in name or name[-1] == "/"):
        return name  # as abspath would
    return os.path.abspath(name)  # noqa: PTH100 - resolve() asks the disk, 100,000 times


def _rows(file: Path | None) -> Rows:
    """Return the last row of each file."""
    rows: Rows = {role: {} for role in _ROLES}
    if file is None or not file.is_file():
        return rows
    with reading(file), full_collection_put_off(), file.open("rb") as stream:
        for line in stream:
            row = row_of(line.rstrip(b"\n"))
            if row is not None:
                rows[row.role][row.file] = row
    return rows


def _read(jobs: Sequence[Job]) -> Iterator[list[Row | None]]:
    """Yield what files hold, in order, some at a time."""
    workers = min(allowed_cores(), len(jobs) // _ALONE)
    parts = [jobs[at : at + _TOGETHER] for at in range(0, len(jobs), _TOGETHER)]
    if workers < 2 or not _starts_processes():
        for part in parts:
            yield [measured(job) for job in part]
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        try:
            yield from pool.map(_measured, parts)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _measured(jobs: Sequence[Job]) -> list[Row | None]:
    return [measured(job) for job in jobs]


def _starts_processes() -> bool:
    """Whether a process may import the running program: a script may lack the guard for it."""
    main = sys.modules["__main__"]
    file = getattr(main, "__file__", None)
    return main.__spec__ is not None or file is None or Path(file).stem in _SCRIPTS
