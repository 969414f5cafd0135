"""Rows of a table for cases: found by the case's id, its file name, or either without folders."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from lamina.data.names import bare, nfc, without_suffixes

T = TypeVar("T")

CASE_COLUMNS = ("image", "image_id", "file", "filename", "file_name", "path", "name")
"""What a column of cases may be called, beside ImageId, case and id."""

_SHOWN = 2  # names of each side that a message shows


def rows_of(ids: Iterable[str], rows: Mapping[str, T]) -> dict[str, T]:
    """Return what a table says of each id; ids that no row names are left out.

    A row names a case by its id, by its file name, or by either without or with the folders
    before it. Each row counts for one case, the nearest spelling first; where a shortened name
    could be several rows or several cases, it is none of them.

    Args:
        ids: Ids of cases.
        rows: What the table says, by the name it gives.

    Example:
        >>> rows_of(["p1/a", "b.png", "c"], {"a.png": "x", "b": "y", "images/c.tif": "z"})
        {'p1/a': 'x', 'b.png': 'y', 'c': 'z'}
    """
    return in_spellings(ids, rows, (nfc, bare, _last))


def paired(ids: Iterable[str], masks: Mapping[str, T]) -> dict[str, T]:
    """Return the mask of each image: of an equal name, or of one with more or fewer suffixes.

    Example:
        >>> paired(["a", "b.ome"], {"a.jpg": 1, "b": 2})
        {'a': 1, 'b.ome': 2}
    """
    return in_spellings(ids, masks, (nfc, without_suffixes))


def in_spellings(
    ids: Iterable[str], rows: Mapping[str, T], spellings: Sequence[Callable[[str], str]]
) -> dict[str, T]:
    """Return what each id is given by a name that is equal in one of the spellings.

    The first spelling counts first; a name that several ids or several rows have counts not.
    """
    ids = list(ids)
    found: dict[str, T] = {}
    cases, left = list(dict.fromkeys(ids)), dict(rows)
    for spelling in spellings:
        wanted, named = _by(spelling, cases), _by(spelling, left)
        for name, same in wanted.items():
            keys = named.get(name, [])
            if len(same) == 1 and len(keys) == 1:
                found[same[0]] = left.pop(keys[0])
        cases = [id for id in cases if id not in found]
    return {id: found[id] for id in ids if id in found}


def both_names(ids: Iterable[str], rows: Iterable[str]) -> str:
    """Return how cases and how rows are called, as the end of a message about those left over.

    Example:
        >>> both_names(["cxr_1"], ["CXR-1", "CXR-2", "CXR-3"])
        "cases are called 'cxr_1', rows 'CXR-1', 'CXR-2' and 1 more"
    """
    return f"cases are called {_some(list(ids))}, rows {_some(list(rows))}"


def _some(names: list[str]) -> str:
    shown = ", ".join(f"'{name}'" for name in names[:_SHOWN])
    return shown + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


def _last(name: str) -> str:
    return bare(name).replace("\\", "/").rpartition("/")[2]


def _by(spelling: Callable[[str], str], names: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for name in names:
        found[spelling(name)].append(name)
    return found
