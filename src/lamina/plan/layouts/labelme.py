"""labelme: a JSON file of shapes for each image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import ClassVar

from lamina.plan.layouts.base import ENOUGH, Layout, Match
from lamina.plan.tree import Tree

_TRIED = 5  # files that are looked into


class LabelmeJson(Layout):
    """JSON files with ``shapes`` and ``imagePath`` that are called as the images are."""

    name: ClassVar[str] = "labelme"
    rank: ClassVar[int] = 3

    def matches(self, tree: Tree) -> Iterator[Match]:
        """Yield the folder of images with its JSON files."""
        files = [name for name in tree.named(".json") if name != "dataset.json"]
        seen = [all(key in tree.ends(f) for key in ('"shapes"', '"imagePath"')) for f in files]
        files = [name for name, is_one in zip(files, seen, strict=True) if is_one]
        if not files:
            return
        stems = {PurePosixPath(name).stem for name in files}
        images = [name for name in tree.images if PurePosixPath(name).stem in stems]
        if not images:
            return
        folder = _usual(images)
        beside = _usual(files)
        all_images = [name for name in tree.images if _folder_of(name) == folder]
        share = len(stems) / max(len(all_images), 1)
        data = {"kind": "labelme", "images": folder}
        data |= {} if beside == folder else {"annotations": beside}
        empty = share < 1
        yield Match(
            self.name,
            f"{len(files)} JSON files with shapes for {len(all_images)} images in {folder}",
            data,
            min(share, 1.0),
            task={"kind": "multilabel"},
            meaning="the labels of shapes",
            claims=frozenset(files),
            problem=_unlabelled(len(all_images) - len(stems)) if empty else "",
        )
        if empty:
            yield Match(
                self.name,
                f"the same; images without a JSON file show no class ({share:.0%} have one)",
                {**data, "missing": "empty"},
                min(share, 1.0),
                detail="empty",
                task={"kind": "multilabel"},
                meaning="the labels of shapes",
                claims=frozenset(files),
                asked=share < ENOUGH,
            )


def _unlabelled(count: int) -> str:
    return (
        f"{count} images have no JSON file; take them away, or pass --layout labelme/empty if they "
        "show no class"
    )


def _folder_of(name: str) -> str:
    return name.rpartition("/")[0] or "."


def _usual(names: list[str]) -> str:
    return Counter(map(_folder_of, names)).most_common(1)[0][0]
