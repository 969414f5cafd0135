"""Files of a folder by their path without suffix, which is what cases are called."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lamina.data.names import nfc
from lamina.data.problems import listed
from lamina.data.readers import SUFFIXES, has_suffix, is_image, stem_of
from lamina.errors import DataError


def by_stem(folder: Path, option: str) -> dict[str, Path]:
    """Return the readable files below ``folder`` by relative path without suffix, in order.

    Raises:
        DataError: there is no such folder, no file in it, or two with one stem; ``option`` is
            what names the folder.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; set {option}")
    found: dict[str, Path] = {}
    double: list[str] = []
    for path in _visible(folder):
        stem = nfc(path.relative_to(folder).with_name(stem_of(path)).as_posix())
        if stem in found:
            double.append(f"{found[stem]} and {path}")
        found.setdefault(stem, path)
    if double:
        raise DataError(
            listed(f"{folder}: {len(double)} names are not clear; keep one of each", double)
        )
    if not found:
        raise DataError(f"{folder}: no image in it; read are {', '.join(sorted(SUFFIXES))}")
    return dict(sorted(found.items()))


def _visible(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_dir() and not is_image(path):
            if not path.is_symlink():  # a link may lead in a circle
                yield from _visible(path)
        elif has_suffix(path):
            yield path
