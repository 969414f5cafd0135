"""Where the files of a bundle lie: in a folder, in a zip, or still in memory."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lamina.bundle.archive import Archive
from lamina.errors import BundleError, DataError
from lamina.files import safe_join


class Store(Protocol):
    """Files by name, read one at a time."""

    @property
    def where(self) -> str:
        """What messages call it."""
        ...

    def read(self, name: str) -> bytes:
        """Return a file's content.

        Raises:
            BundleError: the name leaves the store, or the file is missing or damaged.
        """
        ...


@dataclass(frozen=True)
class FolderStore:
    """Files below a folder."""

    path: Path

    @property
    def where(self) -> str:
        """The path."""
        return str(self.path)

    def read(self, name: str) -> bytes:
        """Return a file's content; links that lead out of the folder are refused."""
        try:
            return safe_join(self.path, name).read_bytes()
        except DataError as error:
            raise BundleError(f"{self.path}: {error}") from error
        except OSError as error:
            raise BundleError(
                f"{self.path}: '{name}' is missing or unreadable ({error.strerror}); "
                "the bundle is incomplete, copy it again"
            ) from error


@dataclass(frozen=True)
class ZipStore:
    """Entries of a checked zip whose names begin with ``prefix``."""

    archive: Archive
    prefix: str = ""

    @property
    def where(self) -> str:
        """The path of the zip."""
        return str(self.archive.path)

    def read(self, name: str) -> bytes:
        """Return an entry's content."""
        return self.archive.read(self.prefix + name)


@dataclass(frozen=True)
class MemoryStore:
    """Files that were never on a disk."""

    files: Mapping[str, bytes]
    where: str = "bundle in memory"

    def read(self, name: str) -> bytes:
        """Return a file's content."""
        if name not in self.files:
            raise BundleError(f"{self.where}: '{name}' is missing")
        return self.files[name]


def open_store(path: Path, index: str) -> Store:
    """Return the store of a folder or zip that holds a file called ``index``.

    A zip may hold the files at its top or in one folder.

    Raises:
        BundleError: there is nothing at ``path``, or it holds no ``index``.
    """
    if path.is_dir():
        if not (path / index).is_file():
            raise BundleError(f"{path}: no {index} in this folder; it is not a bundle")
        return FolderStore(path)
    if not path.exists():
        raise BundleError(f"{path}: no such bundle")
    if not path.is_file():
        raise BundleError(f"{path}: is a pipe or a device; name a bundle's folder or a zip of one")
    if not zipfile.is_zipfile(path):
        raise BundleError(f"{path}: neither a bundle's folder nor a zip of one")
    archive = Archive(path)
    for name in archive.names:
        if name == index or (name.count("/") == 1 and name.endswith("/" + index)):
            return ZipStore(archive, name.removesuffix(index))
    raise BundleError(f"{path}: no {index} in this zip; it is not a bundle")
