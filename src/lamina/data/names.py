"""Names of cases: one spelling for what file systems spell in several ways, and files by name."""

from __future__ import annotations

import os
import unicodedata
from fnmatch import fnmatchcase
from pathlib import Path

from lamina.data.readers import SUFFIXES, images_below, stem_of
from lamina.errors import DataError, listed

_NAMED = 8  # folders that a message names


def nfc(name: str) -> str:
    """Return ``name`` in Unicode's composed form, so that equal names compare equal."""
    return unicodedata.normalize("NFC", name)


def matches(id: str, pattern: str) -> bool:
    """Whether an id is the one that ``pattern`` names, or one of those its ``*`` stands for.

    An id that is the pattern itself always matches, so that ids may hold brackets.
    """
    return id == nfc(pattern) or fnmatchcase(id, nfc(pattern))


def by_stem(folder: Path, option: str, within: Path | None = None) -> dict[str, Path]:
    """Return the readable files below ``folder`` by relative path without suffix, in order.

    Args:
        folder: Where they are.
        option: What names the folder.
        within: What links may not leave; None: ``folder``.

    Raises:
        DataError: there is no such folder, no file in it, or two with one stem.
    """
    if not folder.is_dir():
        raise DataError(
            f"{folder}: no such folder; {folders_in(folder.parent)}; set {option} to the one meant"
        )
    found: dict[str, Path] = {}
    double: list[str] = []
    for path in images_below(folder, within):
        stem = relative_stem(path, folder)
        if stem in found:
            double.append(f"{found[stem]} and {path}")
        found.setdefault(stem, path)
    if double:
        raise DataError(
            listed(f"{folder}: {len(double)} names are ambiguous; keep one of each", double)
        )
    if not found:
        raise DataError(f"{folder}: no image in it; read are {', '.join(sorted(SUFFIXES))}")
    return dict(sorted(found.items()))


def relative_stem(path: Path, folder: Path) -> str:
    """Return the path of a file below ``folder`` without its suffix."""
    text, place, name = str(path), str(folder), path.name
    place = "" if place == "." else place if place.endswith(os.sep) else place + os.sep
    if not text.startswith(place) or os.sep == "\\":
        return nfc(path.relative_to(folder).with_name(stem_of(path)).as_posix())
    stem = text[len(place) : len(text) - len(name)] + stem_of(name)
    return stem if stem.isascii() else nfc(stem)


def bare(name: str) -> str:
    """Return a name without the suffix of a type that is read, compound ones as a whole.

    Example:
        >>> bare("p1/a.nii.gz"), bare("a.OME.tif"), bare("1.2.840")
        ('p1/a', 'a', '1.2.840')
    """
    name = nfc(name)
    low = name.lower()
    fitting = [one for one in SUFFIXES if low.endswith(one) and len(low) > len(one)]
    if not fitting:
        return name
    suffix = max(fitting, key=len)
    left = name[: -len(suffix)]
    ome = suffix.startswith(".tif") and left.lower().endswith(".ome") and len(left) > len(".ome")
    return left[: -len(".ome")] if ome else left


def without_suffixes(name: str) -> str:
    """Return a name without any of the suffixes at its end.

    Example:
        >>> without_suffixes("a.jpg.tif"), without_suffixes("a.ome"), without_suffixes("a.v2")
        ('a', 'a', 'a.v2')
    """
    before = name if not name.lower().endswith(".ome") else f"{name}.tif"
    while (after := bare(before)) != before:
        before = after
    return before


def folders_in(folder: Path) -> str:
    """Return which folders a folder holds, as a part of a message."""
    if not folder.is_dir():
        return f"there is no {folder} either"
    names = sorted(path.name for path in folder.iterdir() if path.is_dir())
    return f"{folder} holds {', '.join(f'{name}/' for name in names[:_NAMED]) or 'no folders'}"
