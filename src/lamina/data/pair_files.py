"""Image and target files that belong together, found by two patterns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from lamina.data.catalogs.pairs import Pair
from lamina.data.layouts.files import has_class
from lamina.data.layouts.patterns import ID, Match, Pattern, is_pattern
from lamina.data.layouts.proposals import proposed, typed
from lamina.data.names import nfc
from lamina.data.readers import images_below, is_volume, stem_of
from lamina.data.readers.zarr.header import is_store, place_of
from lamina.data.readers.zarr.remote import RemoteFolder
from lamina.errors import DataError, LayoutError, listed
from lamina.folders import named, remote_url

_NAMED = 6  # files that a message names


def pairs_of(root: Path, image: str, target: str) -> Sequence[Pair]:
    """Return the pairs in ``root`` itself, or else those of the folders in it; maybe none.

    Patterns with a folder or with ``{id}`` are matched with paths below ``root``.

    Raises:
        DataError: half of a pair stands alone.
    """
    if _of_paths(image, target):
        return _by_path(root, image, target)
    return _beside(root, image, target) or _apart(root, image, target)


def required_pairs(root: Path, image: str, target: str) -> Sequence[Pair]:
    """Return the pairs as ``pairs_of`` does, at least one.

    Raises:
        DataError: there is none, or half of a pair stands alone.
        LayoutError: so it is, and the message names the options that suit the files.
    """
    try:
        pairs = pairs_of(root, image, target)
    except DataError as error:
        raise _with_layout(error, root, image, target) from None
    if pairs:
        return pairs
    none = DataError(
        f"{named(root)}: data.image is '{image}', and neither the folder nor those in it have such "
        f"a file ({holds(root)}); set data.image to the name of the image"
    )
    raise _with_layout(none, root, image, target)


def _with_layout(error: DataError, root: Path, image: str, target: str) -> DataError:
    found = None if remote_url(root) else proposed(root)
    if found is None or has_class(found.masks):
        return error
    options = []
    for name, folder, now in (("image", found.images, image), ("target", found.masks, target)):
        pattern = folder if is_pattern(folder) else f"{folder}/{ID}.*".removeprefix("./")
        options += [typed(f"data.{name}", pattern)] if pattern != now else []
    if not options:
        return error
    first, *rest = str(error).splitlines()
    said = f"{first}; or, as the files here are called, {' '.join(options)}"
    return LayoutError("\n".join([said, *rest]))


def images_of(folder: Path, image: str) -> list[Path]:
    """Return the images that ``pairs_of`` would find, whether or not targets are beside them.

    Where there is none in the folder itself or in those in it, all are taken that lie deeper.
    """
    found = list(_matches(folder, image).values())
    if _of_paths(image):
        found = list(_by_key(folder, image).values())
    if found:
        return found
    for inner in _folders(folder):
        found += list(_matches(inner, image).values())[:1]
    name = _pattern(image.rpartition("/")[2].replace(ID, "*"))
    return found or [path for path in images_below(folder) if name.fullmatch(path.name)]


def _of_paths(*patterns: str) -> bool:
    return any("/" in pattern or ID in pattern for pattern in patterns)


def _by_path(root: Path, image: str, target: str) -> list[Pair]:
    """Return the pairs of two patterns of paths by what ``{id}``, or else ``*``, stands for."""
    images, targets = _by_key(root, image), _by_key(root, target)
    if not images:
        return []
    if not is_pattern(image) and not is_pattern(target) and targets:
        (one,), (other,) = images.values(), targets.values()
        return [Pair(nfc(stem_of(one)), one, other)]
    missing = {key: (path, target) for key, path in images.items() if key not in targets}
    missing |= {key: (path, image) for key, path in targets.items() if key not in images}
    if missing:
        raise DataError(_alone(root, [f"{p}: no '{text}' for it" for p, text in missing.values()]))
    return [Pair(id or nfc(stem_of(path)), path, targets[id]) for id, path in images.items()]


def _by_key(root: Path, text: str) -> dict[str, Path]:
    """Return the volumes of a pattern of paths by id; those of another pattern are left out."""
    found: dict[str, Path] = {}
    pattern = Pattern(text)
    for one in _remote(root, pattern) if remote_url(root) else pattern.find(root, volumes=True):
        if one.id in found:
            raise DataError(
                f"{named(root)}: '{text}' fits {found[one.id]} and {one.path} with one id; make "
                "the pattern narrower"
            )
        found[one.id] = one.path
    return found


def _alone(root: Path, alone: list[str]) -> str:
    return listed(
        f"{named(root)}: {len(alone)} volumes have no partner; add it, or set data.image and "
        "data.target",
        alone,
    )


def _beside(root: Path, image: str, target: str) -> list[Pair]:
    """Return the pairs that lie in ``root`` itself."""
    images, targets = _matches(root, image), _matches(root, target)
    if not images:
        return []
    if len(images) == len(targets) == 1:
        (one,), (other,) = images.values(), targets.values()
        return [Pair(nfc(stem_of(one)), one, other)]
    if not targets:
        remedy = _such_as(root, "target", images.values())
        raise DataError(f"{named(root)}: data.target is '{target}', and {holds(root)}{remedy}")
    alone = [f"{path}: no '{target}' for it" for key, path in images.items() if key not in targets]
    alone += [f"{path}: no '{image}' for it" for key, path in targets.items() if key not in images]
    if alone:
        raise DataError(_alone(root, alone))
    return [Pair(nfc(stem_of(path)), path, targets[key]) for key, path in images.items()]


def _apart(root: Path, image: str, target: str) -> list[Pair]:
    """Return the pairs of the folders in ``root``; a folder without either is passed over."""
    pairs, half = [], []
    for folder in _folders(root):
        one = next(iter(_matches(folder, image).values()), None)
        other = next(iter(_matches(folder, target).values()), None)
        if one is not None and other is not None:
            pairs.append(Pair(nfc(folder.name), one, other))
        elif one is not None or other is not None:
            missing = target if other is None else image
            half.append(f"{named(folder)}: no '{missing}'; {holds(folder)}")
    if half:
        raise DataError(
            listed(
                f"{named(root)}: {len(half)} folders have only one of image and target; add the "
                "other, or set data.image and data.target",
                half,
            )
        )
    return pairs


def holds(folder: Path) -> str:
    """Return which volumes a folder holds, as the end of a message."""
    names = sorted(path.name for path in _entries(folder) if _is_volume(path))
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"the folder holds {', '.join(names[:_NAMED]) or 'no volume'}{more}"


def _such_as(folder: Path, option: str, used: Iterable[Path]) -> str:
    """Return which name to set an option to, where one file of the folder is left for it."""
    taken = {path.name for path in used}
    left = sorted(path.name for path in _entries(folder) if _is_volume(path))
    left = [name for name in left if name not in taken]
    if len(left) == 1:
        return f"; set it, as -s data.{option}={left[0]}"
    return f"; set data.{option} to the name of the {option}"


def _matches(folder: Path, pattern: str) -> dict[tuple[str, ...], Path]:
    """Return the files of a folder by what the wildcards of ``pattern`` stand for, in order."""
    name = _pattern(pattern)
    found: dict[tuple[str, ...], Path] = {}
    for path in sorted(_entries(folder)):
        match = name.fullmatch(path.name)
        if match and _is_volume(path):
            found[match.groups()] = path
    return found


def _folders(root: Path) -> list[Path]:
    remote = remote_url(root) is not None
    folders = (path for path in _entries(root) if remote or path.is_dir())
    return sorted(path for path in folders if not _is_volume(path))


def _entries(folder: Path) -> list[Path]:
    """Return what lies in a folder; of one in object storage, the folders in it."""
    place = place_of(folder)
    if isinstance(place, RemoteFolder):
        return [folder / inner.name for inner in place.folders()]
    return list(folder.iterdir())


def _is_volume(path: Path) -> bool:
    return is_store(place_of(path)) if remote_url(path) else is_volume(path)


def _remote(root: Path, pattern: Pattern) -> Iterator[Match]:
    """Yield the Zarr stores in object storage that a pattern of paths names, in order."""
    base = root / pattern.folder
    left = [base]
    while left:
        for path in sorted(_entries(left.pop()), reverse=True):
            if not _is_volume(path):
                left.append(path)
            elif hit := pattern.match(path.relative_to(root).as_posix()):
                yield Match(path, *hit)


def _pattern(pattern: str) -> re.Pattern[str]:
    wild = {"*": "(.*)", "?": "(.)"}
    return re.compile("".join(wild.get(letter, re.escape(letter)) for letter in pattern))
