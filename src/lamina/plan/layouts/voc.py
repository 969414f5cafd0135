"""Pascal VOC: palette images whose indices are the classes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import ClassVar

from lamina.plan.layouts.base import Layout, Match
from lamina.plan.tree import Tree

_MASKS, _OBJECTS = "SegmentationClass", "SegmentationObject"
_IMAGES = ("JPEGImages", "images", "Images")
_PALETTE = 3  # colour type of PNG


class VocPalette(Layout):
    """``SegmentationClass`` beside ``JPEGImages``; 255 are borders that do not count."""

    name: ClassVar[str] = "voc"
    rank: ClassVar[int] = 3

    def matches(self, tree: Tree) -> Iterator[Match]:
        """Yield each folder of masks that has a folder of images beside it."""
        tops = [f for f in tree.by_folder if PurePosixPath(f).name == _MASKS]
        for folder in tops:
            masks = [name for name in tree.by_folder[folder] if name.endswith(".png")]
            base = folder.removesuffix(_MASKS)
            places = [f"{base}{name}" for name in _IMAGES if f"{base}{name}" in tree.by_folder]
            if not masks or not places:
                continue
            stems = {PurePosixPath(name).stem for name in tree.by_folder[places[0]]}
            share = len([m for m in masks if PurePosixPath(m).stem in stems]) / len(masks)
            palettes = [tree.head(f"{folder}/{name}")[25:26] == bytes([_PALETTE]) for name in masks]
            if not any(palettes[:20]):
                continue
            others = tree.by_folder.get(f"{base}{_OBJECTS}", [])
            yield Match(
                self.name,
                f"{len(masks)} palette images in {folder}; images without one are left out",
                {
                    "kind": "folder",
                    "images": places[0],
                    "masks": folder,
                    "ignore": 255,
                    "missing": "skip",
                },
                share,
                detail=folder if len(tops) > 1 else "",
                labels=tuple(f"{folder}/{name}" for name in masks),
                claims=frozenset(
                    [
                        *(f"{folder}/{name}" for name in masks),
                        *(f"{base}{_OBJECTS}/{name}" for name in others),
                    ]
                ),
            )
