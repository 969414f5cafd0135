"""Folders that are somebody's split, such as train/ and val/: where there are some."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable
from pathlib import Path

from lamina.data.layouts.patterns import SPLIT, is_pattern
from lamina.data.layouts.proposals import SPLITS, typed

_TRAIN = ("train", "training")
_TEST = ("test", "testing")


def own_split(ids: Iterable[str]) -> dict[str, int]:
    """Return the folders in which cases lie as somebody split them, each with its cases.

    Empty where there are not two of them.

    Example:
        >>> own_split(["train/a", "train/b", "val/c"]), own_split(["train/a", "p1/b"])
        ({'train': 2, 'val': 1}, {})
    """
    found = Counter(
        folder
        for id in ids
        for folder in [next((p for p in id.split("/")[:-1] if p.lower() in SPLITS), None)]
        if folder is not None
    )
    return dict(sorted(found.items())) if len(found) > 1 else {}


def other_split(ids: Iterable[str], kind: str) -> str | None:
    """Say that folders are somebody's split and the recipe's is another one, and what to set.

    Args:
        ids: Of the cases.
        kind: Of the recipe's split, which does not go by folders.
    """
    parts = own_split(ids)
    if not parts:
        return None
    folders = ", ".join(f"{name}/ ({count})" for name, count in parts.items())
    return (
        f"cases lie in the folders {folders}, and split.kind {kind} splits them anew; to keep them "
        "apart: -s split.kind=folders"
    )


def test_without_masks(images: Iterable[str], masks: Container[str]) -> list[str]:
    """Return the ids in the test folder of a split none of whose images has a mask.

    Example:
        >>> test_without_masks(["train/a", "test/b", "test/c"], {"train/a"})
        ['test/b', 'test/c']
        >>> test_without_masks(["train/a", "test/b", "test/c"], {"train/a", "test/b"})
        []
    """
    ids = list(images)
    tests = [folder for folder in own_split(ids) if folder.lower() in _TEST]
    if not tests:
        return []
    held = [id for id in ids if any(folder in id.split("/")[:-1] for folder in tests)]
    return [] if any(id in masks for id in held) else held


def beside(root: Path, images: str) -> list[str]:
    """Return folders that lie beside that of the images as another part of a split.

    Args:
        root: The data folder.
        images: Folder of the images below it, such as ``train/images`` or ``images/train``.
    """
    if is_pattern(images):
        return []
    parts = images.split("/")
    places = [k for k, part in enumerate(parts) if part.lower() in _TRAIN]
    if not places:
        return []
    at = places[0]
    others = ["/".join((*parts[:at], word, *parts[at + 1 :])) for word in SPLITS]
    return [
        other
        for other in others
        if other.split("/")[at].lower() not in _TRAIN and (root / other).is_dir()
    ]


def together(images: str, masks: str) -> str | None:
    """Return the options that take all parts of a split, as they are typed; None: none would."""
    changes = []
    for option, text in (("data.images", images), ("data.masks", masks)):
        parts = [SPLIT if part.lower() in _TRAIN else part for part in text.split("/")]
        if SPLIT not in parts:
            return None
        parts += [] if is_pattern(text) else ["{id}.*"]
        changes.append(typed(option, "/".join(parts)))
    return f"{' '.join(changes)} -s split.kind=folders"
