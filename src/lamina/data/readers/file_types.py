"""What a file or a folder really is, by its content; the suffix is only a wish."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from operator import attrgetter
from pathlib import Path
from typing import Any

from lamina.data.readers.format import Format
from lamina.errors import DataError, listed
from lamina.folders import remote_url
from lamina.refusals import check_regular, reading

_OTHERS = {
    b"GIF8": "a GIF image",
    b"RIFF": "a RIFF file of sound or video",
    b"%PDF": "a PDF document",
    b"PK\x03\x04": "a ZIP archive",
    b"\x1f\x8b": "a gzip file",
    b"version https://git-lfs": "a Git LFS pointer, not the file itself; run git lfs pull",
    b"<!": "an HTML or XML page, perhaps an error page saved by a download",
    b"<h": "an HTML page, perhaps an error page saved by a download",
    b"<?xml": "an XML file",
}
_UNREAD = {
    ".gif": "is a GIF image; save each of its frames as PNG",
    ".npz": "is an archive of NumPy arrays; save each array as .npy",
    ".mat": "is a MATLAB file; save its array as .npy, or one of version 7.3 as .h5",
    ".nrrd": "is an NRRD volume; convert it to NIfTI (.nii.gz)",
    ".mha": "is a MetaImage volume; convert it to NIfTI (.nii.gz)",
    ".mhd": "is a MetaImage volume; convert it to NIfTI (.nii.gz)",
    ".mrc": "is an MRC volume; save its array as TIFF or .npy",
    ".heic": "is a HEIF image; save it as PNG or JPEG",
    ".avif": "is an AVIF image; save it as PNG or JPEG",
    ".jp2": "is a JPEG 2000 image; save it as PNG or TIFF",
    ".jxl": "is a JPEG XL image; save it as PNG",
    ".svs": "is a slide of a microscope; export it as a tiled TIFF",
    ".ndpi": "is a slide of a microscope; export it as a tiled TIFF",
    ".czi": "is a file of a microscope; export it as OME-TIFF",
    ".nd2": "is a file of a microscope; export it as OME-TIFF",
    ".lif": "is a file of a microscope; export it as OME-TIFF",
    ".mp4": "is a video; export its frames as PNG",
    ".avi": "is a video; export its frames as PNG",
    ".mov": "is a video; export its frames as PNG",
    ".zip": "is an archive; unpack it",
    ".tar": "is an archive; unpack it",
    ".tar.gz": "is an archive; unpack it",
    ".tgz": "is an archive; unpack it",
    ".7z": "is an archive; unpack it",
    ".gz": "is packed by gzip; unpack it",
}
"""Endings of files that people have and that are not read, as the predicate of a sentence."""
_N5 = "is an N5 store; copy its array into a Zarr store, or save it as .npy"
_ATTRIBUTES = 100_000  # letters of a store's attributes that are looked at
_BARE_DICOM = (
    "DICOM without its preamble and the letters DICM; save it as a DICOM file, such as by "
    "pydicom's dcmwrite with enforce_file_format=True"
)
_FIRST = (0x0, 0x1, 0x5, 0x8, 0x12, 0x16, 0x18)  # elements of group 8 that files begin with
HEAD = 352
"""Bytes that are looked at: the longest header, of NIfTI-1."""


@dataclass(frozen=True)
class PassedOver:
    """A file or folder that is not read."""

    path: Path
    reason: str
    """Why, as the predicate of a sentence about the path."""


@dataclass(frozen=True)
class FolderContent:
    """What was found below a folder."""

    images: list[Path] = field(default_factory=list)
    passed: list[PassedOver] = field(default_factory=list)


_looked: ContextVar[dict[Any, FolderContent] | None] = ContextVar("looked_below", default=None)


@contextmanager
def looking_once() -> Iterator[None]:
    """Look through each folder once while the block runs, in which nothing is written to them."""
    token = _looked.set({})
    try:
        yield
    finally:
        _looked.reset(token)


@dataclass(frozen=True)
class Formats:
    """The types of files that can be read; the first that recognises a content has it."""

    known: tuple[Format, ...]

    @cached_property
    def suffixes(self) -> tuple[str, ...]:
        """Endings of the files and folders that can be read, in lower case."""
        return tuple(suffix for one in self.known for suffix in one.suffixes)

    def named(self, name: str) -> Format:
        """Return the type of a name."""
        return next(one for one in self.known if one.name == name)

    def has_suffix(self, path: Path) -> bool:
        """Whether a name ends as those of files that can be read."""
        return path.name.lower().endswith(self.suffixes)

    @cached_property
    def _compound(self) -> tuple[str, ...]:
        return tuple(suffix for suffix in self.suffixes if suffix.count(".") > 1)

    def stem_of(self, path: Path | str) -> str:
        """Return a name without what says the type, such as ``.nii.gz`` or ``.ome.zarr``."""
        name = path if isinstance(path, str) else path.name
        low = name.lower()
        if low.endswith(self._compound):
            for suffix in self._compound:
                if low.endswith(suffix) and len(low) > len(suffix):
                    return name[: -len(suffix)]
        stem, dot, suffix = name.rpartition(".")
        if not (stem and dot and suffix) or suffix.isdigit():  # 1.2.840 is a name of DICOM
            return name
        return stem

    def is_image(self, path: Path) -> bool:
        """Whether a path is a file, or a folder that holds one array as a file would."""
        return path.is_file() or (path.is_dir() and self._store(path) is not None)

    def is_volume(self, path: Path) -> bool:
        """Whether a path is an image, or a folder that is one volume, such as a DICOM series."""
        return self.is_image(path) or (
            path.is_dir() and self._store(path, of_volumes=True) is not None
        )

    def images_below(
        self, folder: Path, within: Path | None = None, *, most: int | None = None
    ) -> Iterator[Path]:
        """Yield the images below a folder, as ``look_below`` finds them.

        Args:
            folder: Where to look.
            within: As of ``look_below``.
            most: Number of files and folders that are looked at; None: all.
        """
        yield from self.look_below(folder, within, most=most).images

    def look_below(
        self,
        folder: Path,
        within: Path | None = None,
        *,
        volumes: bool = False,
        most: int | None = None,
    ) -> FolderContent:
        """Return the images below a folder by their suffixes, sorted, and what else is there.

        Names that begin with a dot are passed over silently. A store is one image. Links are
        followed where they stay in ``within`` and lead to nothing that was seen already.

        Args:
            folder: Where to look.
            within: What links may not leave; None: ``folder``.
            volumes: Whether a folder that is one volume (``is_volume``) is one image.
            most: Number of files and folders that are looked at; None: all.
        """
        looked, asked = _looked.get(), (folder, within, volumes, most)
        if looked is not None and asked in looked:
            return looked[asked]
        found = FolderContent()
        left = count() if most is None else iter(range(most))
        border = (within or folder).resolve()
        whole = self.is_volume if volumes else self.is_image
        self._walk(folder, border, {folder.resolve()}, found, whole, left)
        if looked is not None:
            looked[asked] = found
        return found

    def _walk(
        self,
        folder: Path,
        border: Path,
        seen: set[Path],
        found: FolderContent,
        whole: Callable[[Path], bool],
        left: Iterator[int],
    ) -> None:
        """Add to ``found``; ``left`` has an item for each file and folder that may be looked at."""
        with os.scandir(folder) as listing:
            entries = sorted(listing, key=attrgetter("name"))
        for entry in entries:
            name = entry.name
            if name.startswith("."):
                continue
            if next(left, None) is None:
                return
            path = folder / name
            if name.lower().endswith(self.suffixes) and entry.is_file(follow_symlinks=False):
                found.images.append(path)
                continue
            reason = self._reason_to_pass(entry, path, border)
            if reason is not None:
                found.passed.append(PassedOver(path, reason))
            elif entry.is_file() or whole(path):
                found.images.append(path)
            elif (real := path.resolve()) not in seen:
                before = len(found.images)
                self._walk(path, border, seen | {real}, found, whole, left)
                if len(found.images) == before and self.has_suffix(path):
                    found.passed.append(PassedOver(path, "is a folder without images"))
            else:
                found.passed.append(PassedOver(path, "is a link in a circle"))

    def _reason_to_pass(self, entry: os.DirEntry[str], path: Path, border: Path) -> str | None:
        """Return why a path is no image and is not looked into; None: it may be one.

        What the listing of its folder says of the entry costs no call of the system.
        """
        if entry.is_symlink():
            if not path.exists():
                return "is a link to nothing"
            if not path.resolve().is_relative_to(border):
                return f"is a link that leaves {border}; copy what it leads to"
        if entry.is_dir():
            return _N5 if _is_n5(path) else None
        if not entry.is_file():
            return "is no regular file"
        if not entry.name.lower().endswith(self.suffixes) and not self._found_by_content(path):
            return _unread(path) or "has a suffix of no type that is read"
        return None

    def _found_by_content(self, path: Path) -> bool:
        """Whether a file is of a type whose files may have any name."""
        found = [one for one in self.known if one.any_name]
        if not found or _unread(path) is not None:
            return False
        try:
            with path.open("rb") as stream:
                head = stream.read(HEAD)
        except OSError:
            return False
        return any(one.recognises(path, head) for one in found)

    def sniff(self, path: Path) -> Format:
        """Return the type of a file or folder by its content.

        Raises:
            DataError: it is missing, empty, or of no type that can be read; the message names
                the type it seems to be.
        """
        if (url := remote_url(path)) is not None:
            if (store := self._store(path)) is None:
                raise DataError(
                    f"{url}: no Zarr array or group there, and only these are read from object "
                    "storage; correct the address, or copy the file to this machine"
                )
            return store
        if path.is_dir():
            return self._of_folder(path)
        head = _head(path)
        for one in self.known:
            if one.store is None and one.recognises(path, head):
                return one
        stranger = _stranger(head)
        wanted = self._by_suffix(path)
        if wanted is not None and wanted.by_suffix and stranger is None:
            return wanted
        if wanted is not None and any(one.may_be_cut(head) for one in {*self._marked, wanted}):
            raise DataError(f"{path}: is cut off after {path.stat().st_size} bytes; copy it again")
        if wanted is None and (reason := _unread(path)) is not None:
            raise DataError(f"{path}: {reason}")
        what = stranger or f"an unknown type (first bytes {head[:8].hex(' ')})"
        names = [one.name for one in self.known if one.store is None]
        raise DataError(
            f"{path}: is not a {', '.join(names[:-1])} or {names[-1]} file; it looks like "
            f"{what}; convert it or leave it out"
        )

    @property
    def _marked(self) -> tuple[Format, ...]:
        return tuple(one for one in self.known if one.magic)

    def _by_suffix(self, path: Path) -> Format | None:
        low = path.name.lower()
        return next((one for one in self.known if low.endswith(one.suffixes)), None)

    def _store(self, folder: Path, *, of_volumes: bool = False) -> Format | None:
        stores = (
            one for one in self.known if one.store is not None and one.of_volumes <= of_volumes
        )
        return next((store for store in stores if store.recognises(folder, b"")), None)

    def _of_folder(self, folder: Path) -> Format:
        found = self._store(folder, of_volumes=True)
        if found is not None:
            return found
        if _is_n5(folder):
            raise DataError(f"{folder}: {_N5}")
        missing = " and ".join(
            f"no {one.name} store, since it has no {one.store}"
            for one in self.known
            if one.store is not None
        )
        raise DataError(
            f"{folder}: cannot be opened: it is a folder and {missing}; give the files in it"
        )


def _head(path: Path) -> bytes:
    check_regular(path)
    with reading(path), path.open("rb") as stream:
        head = stream.read(HEAD)
    if not head:
        raise DataError(f"{path}: is empty (0 bytes); copy it again")
    return head


def _unread(path: Path) -> str | None:
    """Return what a file is by its suffix and what to do with it, where that is known."""
    low = path.name.lower()
    return next((said for suffix, said in _UNREAD.items() if low.endswith(suffix)), None)


def _is_n5(folder: Path) -> bool:
    """Whether a folder is a store of N5, or an array in one."""
    try:
        with (folder / "attributes.json").open(encoding="utf-8") as stream:
            text = stream.read(_ATTRIBUTES)
    except (OSError, ValueError):
        return False
    return '"n5"' in text or ('"dimensions"' in text and '"blockSize"' in text)


def _stranger(head: bytes) -> str | None:
    """Return what a file is that cannot be read, where that is known."""
    for magic, what in _OTHERS.items():
        if head.lower().startswith(magic.lower()):
            return what
    return _BARE_DICOM if _is_bare_dicom(head) else None


def _is_bare_dicom(head: bytes) -> bool:
    """Whether a file begins with an element of group 2 or 8, where a preamble should stand."""
    if len(head) >= 12 and head[:2] in (b"\0\x02", b"\0\x08"):  # big endian
        return head[4:6].isalpha() and head[4:6].isupper()
    group, element = head[:2], int.from_bytes(head[2:4], "little")
    if len(head) < 12 or group not in (b"\x02\0", b"\x08\0") or element > 0x1000:
        return False
    explicit = head[4:6].isalpha() and head[4:6].isupper()
    length = int.from_bytes(head[4:8], "little")
    return explicit or (group == b"\x08\0" and element in _FIRST and 0 < length < 128)


def not_read(passed: Sequence[PassedOver], most: int = 10) -> list[str]:
    """Return the lines that tell what was passed over, ``most`` by name; none: nothing was."""
    if not passed:
        return []
    files = "1 file is" if len(passed) == 1 else f"{len(passed)} files are"
    told = [f"{one.path} {one.reason}" for one in passed]
    return [listed(f"warning: {files} not read", told, most=most)]
