"""Rows of a table for cases: found by the case's id, its file name, or either without folders."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from lamina.data.names import nfc
from lamina.data.readers import SUFFIXES

T = TypeVar("T")
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
    spelt: list[Callable[[str], str]] = [nfc, without_suffix, _last]
    found: dict[str, T] = {}
    cases, left = list(dict.fromkeys(ids)), dict(rows)
    for spelling in spelt:
        wanted, named = _by(spelling, cases), _by(spelling, left)
        for name, same in wanted.items():
            keys = named.get(name, [])
            if len(same) == 1 and len(keys) == 1:
                found[same[0]] = left.pop(keys[0])
        cases = [id for id in cases if id not in found]
    return {id: found[id] for id in ids if id in found}


def without_suffix(name: str) -> str:
    """Return a name without the suffix of a type that is read; other endings are kept.

    Example:
        >>> without_suffix("a.nii.gz"), without_suffix("1.2.840")
        ('a', '1.2.840')
    """
    name = nfc(name)
    low = name.lower()
    fitting = [one for one in SUFFIXES if low.endswith(one) and len(low) > len(one)]
    return name[: -max(map(len, fitting))] if fitting else name


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
    return without_suffix(name).replace("\\", "/").rpartition("/")[2]


def _by(spelling: Callable[[str], str], names: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for name in names:
        found[spelling(name)].append(name)
    return found
