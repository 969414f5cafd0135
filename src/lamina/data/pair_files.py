"""Image and target files that belong together, found by two patterns."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from lamina.data.catalogs.pairs import Pair
from lamina.data.names import nfc
from lamina.data.problems import listed
from lamina.data.readers import images_below, is_image, stem_of
from lamina.errors import DataError


def pairs_of(root: Path, image: str, target: str) -> Sequence[Pair]:
    """Return the pairs in ``root`` itself, or else those of the folders in it; maybe none.

    Raises:
        DataError: half of a pair stands alone.
    """
    return _beside(root, image, target) or _apart(root, image, target)


def images_of(folder: Path, image: str) -> list[Path]:
    """Return the images that ``pairs_of`` would find, whether or not targets are beside them.

    Where there is none in the folder itself or in those in it, all are taken that lie deeper.
    """
    found = list(_matches(folder, image).values())
    if found:
        return found
    for inner in _folders(folder):
        found += list(_matches(inner, image).values())[:1]
    return found or [path for path in images_below(folder) if _pattern(image).fullmatch(path.name)]


def _beside(root: Path, image: str, target: str) -> list[Pair]:
    """Return the pairs that lie in ``root`` itself."""
    images, targets = _matches(root, image), _matches(root, target)
    if not images:
        return []
    if len(images) == len(targets) == 1:
        (one,), (other,) = images.values(), targets.values()
        return [Pair(nfc(stem_of(one)), one, other)]
    odd = [f"{path}: no '{target}' for it" for key, path in images.items() if key not in targets]
    odd += [f"{path}: no '{image}' for it" for key, path in targets.items() if key not in images]
    if odd:
        raise DataError(listed(f"{root}: {len(odd)} volumes stand alone; add the others", odd))
    return [Pair(nfc(stem_of(path)), path, targets[key]) for key, path in images.items()]


def _apart(root: Path, image: str, target: str) -> list[Pair]:
    """Return the pairs of the folders in ``root``; a folder without either is passed over."""
    pairs, odd = [], []
    for folder in _folders(root):
        one = next(iter(_matches(folder, image).values()), None)
        other = next(iter(_matches(folder, target).values()), None)
        if one is not None and other is not None:
            pairs.append(Pair(nfc(folder.name), one, other))
        elif one is not None or other is not None:
            odd.append(f"{folder}: no '{target if other is None else image}'")
    if odd:
        raise DataError(listed(f"{root}: {len(odd)} folders hold half a pair", odd))
    return pairs


def _matches(folder: Path, pattern: str) -> dict[tuple[str, ...], Path]:
    """Return the files of a folder by what the wildcards of ``pattern`` stand for, in order."""
    name = _pattern(pattern)
    found: dict[tuple[str, ...], Path] = {}
    for path in sorted(folder.iterdir()):
        match = name.fullmatch(path.name)
        if match and is_image(path):
            found[match.groups()] = path
    return found


def _folders(root: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if path.is_dir() and not is_image(path))


def _pattern(pattern: str) -> re.Pattern[str]:
    wild = {"*": "(.*)", "?": "(.)"}
    return re.compile("".join(wild.get(letter, re.escape(letter)) for letter in pattern))
