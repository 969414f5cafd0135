"""File names for case ids.

An id may hold slashes, line breaks, leading dashes or a name that Windows reserves; the file
name mirrors it as far as every file system can carry it and escapes the rest as ``%XX``.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

from lamina.errors import DataError

LONGEST = 200
"""Bytes; what is longer is cut and ends in a digest, and only the list of cases knows its id."""

_PLAIN = frozenset(" ._-+()[],=@")
_RESERVED = frozenset(
    ["con", "prn", "aux", "nul", *(f"{name}{n}" for name in ("com", "lpt") for n in range(1, 10))]
)


def file_name(id: str) -> str:
    """Return a name without folder or suffix that stands for ``id``; different for different ids.

    Example:
        >>> file_name("vol/z0003"), file_name("con.png"), file_name("-x")
        ('vol%2Fz0003', '%63on.png', '%2Dx')
    """
    name = "".join(letter if _is_plain(letter) else _escape(letter) for letter in id)
    if name[:1] in ("-", ".", " ") or name.partition(".")[0].casefold().strip() in _RESERVED:
        name = _escape(name[0]) + name[1:]
    if name[-1:] in (".", " "):
        name = name[:-1] + _escape(name[-1])
    if len(name.encode()) > LONGEST:
        cut = name.encode()[: LONGEST - 17].decode(errors="ignore")
        name = f"{cut}~{hashlib.sha256(id.encode()).hexdigest()[:16]}"
    return name


def class_folders(names: Sequence[str]) -> tuple[str, ...]:
    """Return a folder name for each class; such as would be one on some machine get a number.

    Example:
        >>> class_folders(["crack", "Crack", "a/b"])
        ('crack', 'Crack~1', 'a%2Fb')
    """
    seen: set[str] = set()
    found = []
    for number, name in enumerate(names):
        folder = file_name(name)
        if _key(folder) in seen:
            folder = f"{folder}~{number}"
        seen.add(_key(folder))
        found.append(folder)
    return tuple(found)


def file_names(
    ids: Sequence[str], suffixes: Iterable[str], taken: Mapping[str, str]
) -> dict[str, str]:
    """Return a file name for each id: without the suffix of an image, unless two would meet.

    Args:
        ids: Of cases, in order; the later of two that would meet keeps its suffix.
        suffixes: Of images, such as ``.png`` and ``.nii.gz``.
        taken: File names that were given before, by id; they stay.

    Example:
        >>> file_names(["a.png", "a.tif", "b.jpg"], [".png", ".tif", ".jpg"], {})
        {'a.png': 'a', 'a.tif': 'a.tif', 'b.jpg': 'b'}
    """
    endings = sorted(suffixes, key=len, reverse=True)
    used = {_key(name) for name in taken.values()}
    whole = {_key(file_name(id)) for id in ids}
    found: dict[str, str] = {}
    for id in ids:
        if id in taken:
            found[id] = taken[id]
            continue
        own = file_name(id)
        short = file_name(_without_suffix(id, endings))
        met = _key(short) in used or (short != own and _key(short) in whole)
        name = own if met else short
        if _key(name) in used:  # by a case that was named before this one was there
            name = f"{name}~{hashlib.sha256(id.encode()).hexdigest()[:8]}"
        found[id] = name
        used.add(_key(found[id]))
    return found


def _without_suffix(id: str, endings: Sequence[str]) -> str:
    for ending in endings:
        stem = id[: -len(ending)]
        if id.lower().endswith(ending) and stem.rpartition("/")[2]:
            return stem
    return id


def _key(name: str) -> str:
    """Return what is equal for names that are one file on some machine."""
    return unicodedata.normalize("NFC", name).casefold()


def check_ids(ids: Iterable[str]) -> None:
    """Refuse ids that are one file on some machine.

    Raises:
        DataError: two ids are equal, or differ only in case or in how letters are composed.
    """
    seen: dict[str, str] = {}
    for id in ids:
        if not id:
            raise DataError("a case has an empty id; give its file or its row a name")
        key = _key(id)
        if key in seen:
            raise DataError(f"two cases are called '{seen[key]}' and '{id}'; rename one of them")
        seen[key] = id


def _is_plain(letter: str) -> bool:
    if letter in _PLAIN:
        return True
    return letter.isalnum() and unicodedata.normalize("NFC", letter) == letter


def _escape(letter: str) -> str:
    return "".join(f"%{byte:02X}" for byte in letter.encode("utf-8", "surrogatepass"))
