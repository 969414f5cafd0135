"""Which folders or patterns of names fit a folder of images and masks that the recipe does not.

Only names are looked at. Two sets of files belong together where what is left of the names, once a
common beginning and a common end are taken off each, is the same; the masks are those whose folder
or names say so (mask, label, seg, ...).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import permutations, product
from pathlib import Path

from lamina.data.layouts.patterns import CLASS, ID, SPLIT
from lamina.data.names import bare, nfc
from lamina.data.readers import images_below

SPLITS = ("train", "training", "val", "valid", "validation", "dev", "test", "testing")
"""Names of folders that are the parts of a split."""

_MASKS = re.compile(
    r"mask|label|seg|annot|\bgt\b|gt_|_gt|truth|target|matte|\blbl|\bann\b|class", re.IGNORECASE
)
_LETTERS = re.compile(r"[^\W_]*")
_FILES = 20_000  # that are looked at
_FOLDERS = 40  # that are compared with each other
_CLASSES = 30


@dataclass(frozen=True)
class Layout:
    """Options of a folder catalog."""

    images: str
    masks: str

    def changes(self, images: str, masks: str) -> str:
        """Return the options as they are typed, those that are not set to this already."""
        options = (("data.images", self.images, images), ("data.masks", self.masks, masks))
        return " ".join(typed(name, new) for name, new, old in options if new != old)

    def to_dict(self) -> dict[str, str]:
        """Return what to lay over a recipe's ``data``."""
        return {"images": self.images, "masks": self.masks}


def typed(option: str, value: str) -> str:
    """Return an option for the command line, in quotes where a shell needs them.

    Example:
        >>> typed("data.images", "train/images"), typed("data.masks", "{id}_mask.png")
        ('-s data.images=train/images', "-s 'data.masks={id}_mask.png'")
    """
    text = f"{option}={value}"
    return f"-s {text}" if re.fullmatch(r"[\w./=-]+", text) else f"-s '{text}'"


def proposed(root: Path) -> Layout | None:
    """Return the layout that most images of a folder follow; None: no layout is plain to see.

    Args:
        root: The data folder. At most 20,000 files and folders are looked at.
    """
    return next((one.layout for one in proposals(root)), None)


@dataclass(frozen=True)
class Proposal:
    """A layout that files follow, and how many."""

    layout: Layout
    images: int
    """Images that have a mask."""
    masks: int
    """Masks that belong to them."""


def proposals(root: Path) -> list[Proposal]:
    """Return every layout that images and masks of a folder follow, the best first.

    Args:
        root: As for ``proposed``.
    """
    groups = _groups(root)
    found = [*_by_folder(groups), *_in_one_folder(groups), *_by_class(groups)]
    ranked = sorted(found, key=lambda one: one.rank, reverse=True)
    return [Proposal(one.layout, one.images, one.masks) for one in ranked]


Affix = tuple[str, str]


@dataclass
class _Group:
    """Files below one folder: their names, relative to it and without suffix."""

    folder: str
    suffixes: dict[str, str] = field(default_factory=dict)

    @cached_property
    def names(self) -> list[str]:
        return list(self.suffixes)

    @property
    def may_be_masks(self) -> bool:
        return _MASKS.search(f"{self.folder}/{next(iter(self.suffixes))}") is not None

    @cached_property
    def flat(self) -> bool:
        return SPLIT not in self.folder and not any("/" in name for name in self.suffixes)

    def pattern(self, affix: Affix, names: Iterable[str], *, whole: bool) -> str:
        """Return the folder where all in it is meant, or the pattern of these names in it."""
        before, after = affix
        if whole and not before and not after and SPLIT not in self.folder:
            return self.folder or "."
        endings = {self.suffixes[name] for name in names}
        ending = endings.pop() if len(endings) == 1 else ".*"
        return "/".join(filter(None, (self.folder, f"{before}{ID}{after}{ending}")))


@dataclass(frozen=True)
class _Found:
    layout: Layout
    images: int
    masks: int
    letters: int

    @property
    def rank(self) -> tuple[int, int, int]:
        return self.images, self.masks, -self.letters


def _groups(root: Path) -> list[_Group]:
    groups: dict[str, _Group] = {}

    def put(folder: str, name: str, suffix: str) -> None:
        groups.setdefault(folder, _Group(folder)).suffixes.setdefault(name, suffix)

    for path in images_below(root, most=_FILES):
        relative = nfc(path.relative_to(root).as_posix())
        name = bare(relative)
        parts, suffix = name.split("/"), relative[len(name) :]
        for depth in range(len(parts)):
            put("/".join(parts[:depth]), "/".join(parts[depth:]), suffix)
        if len(parts) > 2 and parts[0].lower() in SPLITS:
            put("/".join((SPLIT, *parts[1:-1])), f"{parts[0]}/{parts[-1]}", suffix)
    largest = sorted(groups.values(), key=lambda one: -len(one.suffixes))
    return largest[:_FOLDERS]


def _by_folder(groups: Sequence[_Group]) -> Iterator[_Found]:
    """Yield images in one folder and masks in another."""
    most = 0  # images matched so far; a pair of fewer files is not looked at
    for one, other in permutations(groups, 2):
        # images may lie in the data folder itself, beside the folder of masks
        names = one.names if one.folder else [name for name in one.names if "/" not in name]
        nested = _within(one.folder, other.folder) or (
            bool(one.folder) and _within(other.folder, one.folder)
        )
        fewer = min(len(one.suffixes), len(other.suffixes)) < most
        if nested or fewer or not names or _MASKS.search(one.folder) or not other.may_be_masks:
            continue
        for found in _found(one, names, other, other.names):
            most = max(most, found.images)
            yield found


def _in_one_folder(groups: Sequence[_Group]) -> Iterator[_Found]:
    """Yield images and masks side by side."""
    for group in groups:
        if not group.flat:
            continue
        masks = [name for name in group.names if _MASKS.search(name)]
        images = [name for name in group.names if not _MASKS.search(name)]
        if masks and images:
            yield from _found(group, images, group, masks)


def _found(
    one: _Group, images: Sequence[str], other: _Group, masks: Sequence[str]
) -> Iterator[_Found]:
    aligned = _aligned(images, masks, flat=(one.flat or not one.folder) and other.flat)
    if aligned is None:
        return
    affix, end, matches = aligned
    of_images, of_masks = "".join((one.folder, *affix)), "".join((other.folder, *end))
    if not _MASKS.search(of_masks) or _MASKS.search(of_images):
        return
    apart = one is not other
    layout = Layout(
        one.pattern(affix, images, whole=apart and bool(one.folder)),
        other.pattern(end, masks, whole=apart),
    )
    yield _Found(layout, matches, matches, len(of_images) + len(of_masks))


def _by_class(groups: Sequence[_Group]) -> Iterator[_Found]:
    """Yield images in one folder, masks in a folder for each class or named by their class."""
    flat = [group for group in groups if group.flat]
    for one, other in permutations(groups, 2):
        if one not in flat or _within(one.folder, other.folder) or not _MASKS.search(other.folder):
            continue
        if _MASKS.search(one.folder):
            continue
        images, inside = set(one.names), f"{other.folder}/"
        for pattern, ids in (_class_folders(other, images), _class_names(other, images)):
            if len(ids) * 2 > len(images):
                endings = set(other.suffixes.values())
                ending = endings.pop() if len(endings) == 1 else ".*"
                layout = Layout(one.folder or ".", f"{inside}{pattern}{ending}")
                yield _Found(layout, len(ids), len(other.names), len(one.folder + inside))


def _class_folders(group: _Group, images: set[str]) -> tuple[str, set[str]]:
    """Return the images that have a mask in a folder of a class; none where that is not all."""
    split = [name.split("/") for name in group.names]
    if any(len(parts) != 2 for parts in split) or len({parts[0] for parts in split}) < 2:
        return "", set()
    ids = {parts[1] for parts in split}
    return f"{CLASS}/{ID}", ids if ids <= images else set()


def _class_names(group: _Group, images: set[str]) -> tuple[str, set[str]]:
    """Return the images with masks called ``image_class``."""
    ids: dict[str, set[str]] = defaultdict(set)
    for name in group.names:
        id, _, label = name.rpartition("_")
        if id not in images:
            return "", set()
        ids[label].add(id)
    several = 1 < len(ids) <= _CLASSES
    return f"{ID}_{CLASS}", set().union(*ids.values()) if several else set()


def _aligned(
    images: Sequence[str], masks: Sequence[str], *, flat: bool
) -> tuple[Affix, Affix, int] | None:
    """Return beginning and end of the names of images and of masks, and how many then match."""
    best: tuple[Affix, Affix, int] | None = None
    choices = product(_affixes(images, masks, flat=flat), _affixes(masks, images, flat=flat))
    for one, other in sorted(choices, key=lambda pair: len("".join(map("".join, pair)))):
        inner = _inner(images, one)
        matches = len(inner.keys() & _inner(masks, other).keys())
        if matches > (0 if best is None else best[2]):
            best = (*_shortest(one, other), matches)
    enough = best is not None and best[2] * 2 > len(images)
    return best if enough else None


def _affixes(names: Sequence[str], others: Sequence[str], *, flat: bool) -> list[Affix]:
    """Return beginnings and ends that may not belong to the id."""
    if len(names) == 1:
        return _of_one(names[0], others[0] if len(others) == 1 else "")
    first = _common(names) if flat else ""
    last = _common([name[::-1] for name in names])[::-1]
    return list(dict.fromkeys([("", ""), ("", last), (first, ""), (first, last)]))


def _of_one(name: str, other: str) -> list[Affix]:
    """Return what one name has before and behind what it shares with the only other one."""
    shared = re.match(r".*[^\W_]", _common([name, other]))
    end = re.search(r"[^\W_].*", _common([name[::-1], other[::-1]])[::-1])
    found: list[Affix] = [("", "")]
    if other and other in name:
        before, _, after = name.partition(other)
        found.append((before, after))
    if shared is not None:
        found.append(("", name[len(shared.group()) :]))
    if end is not None:
        found.append((name[: -len(end.group())], ""))
    return found


def _inner(names: Sequence[str], affix: Affix) -> Mapping[str, str]:
    before, after = affix
    long = len(before) + len(after)
    return {
        name[len(before) : len(name) - len(after)]: name
        for name in names
        if name.startswith(before) and name.endswith(after) and len(name) > long
    }


def _shortest(one: Affix, other: Affix) -> tuple[Affix, Affix]:
    """Give back to the id what beginnings end with alike, and ends begin with."""
    (before, after), (first, last) = one, other
    alike = _LETTERS.match(_common([after, last]))
    shared = _LETTERS.match(_common([before[::-1], first[::-1]]))
    begins, ends = shared.end() if shared else 0, alike.end() if alike else 0
    return (
        (before[: len(before) - begins], after[ends:]),
        (first[: len(first) - begins], last[ends:]),
    )


def _common(names: Sequence[str]) -> str:
    """Return what all names begin with."""
    low, high = min(names), max(names)
    differs = (k for k, pair in enumerate(zip(low, high, strict=False)) if len(set(pair)) > 1)
    return low[: next(differs, len(low))]


def _within(folder: str, other: str) -> bool:
    """Whether a folder is another one or lies in it."""
    return not other or f"{folder}/".startswith(f"{other}/")
