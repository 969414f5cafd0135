"""File names for case ids.

An id may hold slashes, line breaks, leading dashes or a name that Windows reserves; the file
name mirrors it as far as every file system can carry it and escapes the rest as ``%XX``.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable

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


def check_ids(ids: Iterable[str]) -> None:
    """Refuse ids that are one file on some machine.

    Raises:
        DataError: two ids are equal, or differ only in case or in how letters are composed.
    """
    seen: dict[str, str] = {}
    for id in ids:
        if not id:
            raise DataError("a case has an empty id; give its file or its row a name")
        key = unicodedata.normalize("NFC", id).casefold()
        if key in seen:
            raise DataError(f"two cases are called '{seen[key]}' and '{id}'; rename one of them")
        seen[key] = id


def _is_plain(letter: str) -> bool:
    if letter in _PLAIN:
        return True
    return letter.isalnum() and unicodedata.normalize("NFC", letter) == letter


def _escape(letter: str) -> str:
    return "".join(f"%{byte:02X}" for byte in letter.encode("utf-8", "surrogatepass"))
