"""The names of a data folder, and the first and last bytes of its files."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from lamina.data.names import nfc
from lamina.data.readers import SUFFIXES, look_below

MOST = 200_000
"""Files that are looked at."""

_TEXT = 1 << 16  # bytes of a text that are looked at, at either end


@dataclass(frozen=True)
class Tree:
    """Files below a data folder, as paths with ``/``, sorted; hidden ones are left out."""

    root: Path
    files: tuple[str, ...]
    whole: bool = True
    """False: there are more than ``MOST`` files, and the rest was not looked at."""

    links: tuple[str, ...] = ()
    """Links to files and folders that lie outside the data folder, which are not read."""

    @classmethod
    def of(cls, root: Path) -> Tree:
        """Return the tree below ``root``; nothing is opened."""
        found: list[str] = []
        links: list[str] = []
        for name in _walk(root, root.resolve(), links):
            found.append(name)
            if len(found) >= MOST:
                return cls(root, tuple(sorted(found)), whole=False, links=tuple(links))
        return cls(root, tuple(sorted(found)), links=tuple(links))

    @cached_property
    def volumes(self) -> tuple[str, ...]:
        """Readable files; a store or a folder of DICOM slices counts as one."""
        found = look_below(self.root, volumes=True, most=MOST).images
        return tuple(path.relative_to(self.root).as_posix() for path in found)

    @cached_property
    def images(self) -> tuple[str, ...]:
        """Files whose suffix is one of images or volumes."""
        return tuple(name for name in self.files if name.lower().endswith(SUFFIXES))

    @cached_property
    def by_folder(self) -> dict[str, list[str]]:
        """Names of files by the folder that they lie in; ``""`` is the data folder."""
        found: dict[str, list[str]] = defaultdict(list)
        for name in self.files:
            folder, _, file = name.rpartition("/")
            found[folder].append(file)
        return dict(found)

    @cached_property
    def folders(self) -> frozenset[str]:
        """Every folder that holds a file at some depth."""
        return frozenset(
            parent.as_posix() for name in self.files for parent in PurePosixPath(name).parents
        )

    def named(self, *suffixes: str) -> list[str]:
        """Return the files that end so, in lower case."""
        return [name for name in self.files if name.lower().endswith(suffixes)]

    def head(self, name: str, count: int = 512) -> bytes:
        """Return the first bytes of a file; empty: it cannot be read."""
        try:
            with (self.root / name).open("rb") as stream:
                return stream.read(count)
        except OSError:
            return b""

    def ends(self, name: str) -> str:
        """Return the first and last 64 KiB of a text file."""
        try:
            with (self.root / name).open("rb") as stream:
                first = stream.read(_TEXT)
                size = stream.seek(0, os.SEEK_END)
                stream.seek(max(size - _TEXT, len(first)))
                last = stream.read()
        except OSError:
            return ""
        return (first + last).decode("utf-8", errors="replace")


def _walk(root: Path, border: Path, links: list[str]) -> Iterator[str]:
    """Yield the files; links that lead out of ``border`` are added to ``links`` instead."""
    for folder, inner, files in os.walk(root):
        inner[:] = sorted(name for name in inner if not name.startswith("."))
        place = Path(folder)
        base = place.relative_to(root).as_posix()
        for name in sorted([*files, *(one for one in inner if (place / one).is_symlink())]):
            if name.startswith("."):
                continue
            shown = nfc(name if base == "." else f"{base}/{name}")
            path = place / name
            if path.is_symlink() and not path.resolve().is_relative_to(border):
                links.append(shown)
            elif not path.is_dir():
                yield shown
