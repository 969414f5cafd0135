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
from lamina.data.index.measure import Job, measured
from lamina.data.index.row import Key, Role, Row, key_of, row_of
from lamina.data.index.volume_identity import is_volume_store, volume_identity
from lamina.data.readers.images.header import KnownImage, knowing
from lamina.errors import LaminaError
from lamina.files import append_lines
from lamina.files import digest as digest_of
from lamina.folders import remote_url
from lamina.machine.cores import allowed_cores
from lamina.progress import Bar, say
from lamina.refusals import reading

_ALONE = 256  # fewer files than this are read before a process has started
_TOGETHER = 64  # files whose rows are written together
_SCRIPTS = {"lamina"}  # programs that a process may import again


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
        self._lines = _lines(file)
        self._sure: dict[Key, Row] = {}
        """Rows of files whose size and time were compared."""
        self._identities: dict[str, str] = {}
        self._names: dict[str, str] = {}
        """Absolute names by those that were asked for."""

    def keep_in(self, file: Path) -> None:
        """Keep all rows in a file from now on, where there was none to keep them in."""
        self.file, lines = file, list(self._lines.values())
        self._write(lines if not file.exists() else [])

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
            for path in paths:
                job = Job(self._name(str(path)), role, self._moments and role == "image")
                stat = _stat(job.file)
                if stat is not None and not self._is_known(job, stat):
                    jobs.append(job)
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
        each = list(dict.fromkeys(names))
        unknown = [name for name in each if self._digest(name) is None]
        jobs = [Job(self._name(name), "image") for name in unknown if _stat(name) is not None]
        for rows in _read(jobs) if jobs else ():
            self._keep([row for row in rows if row is not None])
        return {name: self.digest(Path(name)) for name in each}

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
        self._keep([Row(self._name(str(path)), "image", *mark, sha256)])
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
        line = self._lines.get((self._name(str(path)), "image"))
        row = None if line is None or self._verify or not path.is_dir() else row_of(line)
        return row if row is not None and (row.size, row.mtime_ns) == mark else None

    def _digest(self, name: str) -> str | None:
        rows = (self._row((self._name(name), role)) for role in _ROLES)
        return next((row.sha256 for row in rows if row is not None), None)

    def _name(self, path: str) -> str:
        name = self._names.get(path)
        if name is None:
            name = os.path.abspath(path)  # noqa: PTH100 - resolve() asks the disk, 100,000 times
            self._names[path] = name
        return name

    def _is_known(self, job: Job, stat: os.stat_result) -> bool:
        row = self._row((job.file, job.role), stat)
        if row is None:
            return False
        known = row.known
        return not job.moments or known is None or known.moments is not None

    def _row(self, key: Key, stat: os.stat_result | None = None) -> Row | None:
        if key in self._sure:
            return self._sure[key]
        line = self._lines.get(key)
        row = None if line is None or self._verify else row_of(line)
        if row is None:
            return None
        stat = stat or _stat(key[0])
        if stat is None or not row.is_of(stat):
            return None
        self._sure[key] = row
        return row

    def _known(self, path: Path, target: bool) -> KnownImage | None:
        row = self._row((self._name(str(path)), "target" if target else "image"))
        return None if row is None else row.known

    def _keep(self, rows: Sequence[Row]) -> None:
        lines = []
        for row in rows:
            key = (row.file, row.role)
            line = row.line()
            self._sure[key] = row
            if self._lines.get(key) != line:
                self._lines[key] = line
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


_ROLES: tuple[Role, Role] = ("image", "target")
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


def _lines(file: Path | None) -> dict[Key, bytes]:
    """Return the last line of each file."""
    if file is None or not file.is_file():
        return {}
    lines = {}
    with reading(file), file.open("rb") as stream:
        for line in stream:
            line = line.rstrip(b"\n")
            if (key := key_of(line)) is not None:
                lines[key] = line
    return lines


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
