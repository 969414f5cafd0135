"""Whether files are still those they were, told by names, sizes and times and not by contents."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lamina.data.readers.zarr.header import place_of
from lamina.data.readers.zarr.remote import RemoteFolder
from lamina.errors import DataError
from lamina.refusals import reading


def mark_of(path: Path) -> tuple[int, int]:
    """Return size and time of a file; of a folder all sizes, and a number that stands for names,
    sizes and times of all its files.

    Raises:
        OSError: it is gone.
    """
    if not path.is_dir():
        stat = path.stat()
        return stat.st_size, stat.st_mtime_ns
    whole, size = hashlib.sha256(), 0
    for file in sorted(one for one in path.rglob("*") if one.is_file()):
        stat = file.stat()
        size += stat.st_size
        name = file.relative_to(path).as_posix()
        whole.update(f"{name}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
    return size, int.from_bytes(whole.digest()[:7], "big")


@dataclass(frozen=True)
class Marked:
    """Files, folders and stores as they were at some time."""

    files: tuple[Path, ...]
    digest: str
    """Of their marks; ETags are the times of what lies in object storage."""

    @classmethod
    def now(cls, files: Iterable[Path]) -> Marked:
        """Return them as they are.

        Raises:
            DataError: one is gone, or object storage does not answer.
        """
        files, whole = tuple(files), hashlib.sha256()
        for path in files:
            place = place_of(path)
            with reading(path):
                if isinstance(place, RemoteFolder):
                    mark: object = sorted(place.listing(again=True).items())
                else:
                    mark = mark_of(place)
            whole.update(f"{mark}\n".encode())
        return cls(files, whole.hexdigest())

    def check(self) -> None:
        """Refuse files that are no longer what they were.

        Raises:
            DataError: one changed, or is gone.
        """
        if Marked.now(self.files) != self:
            raise DataError(f"{self.files[0]}: changed while in use; run the same command again")
