"""Images and masks in sibling folders, or side by side with a suffix."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from lamina.data.layouts.files import files
from lamina.data.layouts.patterns import CLASS, ID, Pattern, is_pattern
from lamina.data.layouts.proposals import proposals
from lamina.data.names import bare
from lamina.data.readers import open_volume
from lamina.errors import LaminaError
from lamina.plan.layouts.base import ENOUGH, Layout, Match
from lamina.plan.tree import Tree

_SUFFIX = re.compile(
    r"[_\-. ](masks?|segmentation|seg|labels?|gt|annotations?|annot|truth|target)$", re.IGNORECASE
)
_MOST = 40  # proposals that are looked at
_OPENED = 4  # pairs whose sizes are compared


class FolderPairs(Layout):
    """An image and a mask of equal id; volumes become ``volume_pairs``."""

    name: ClassVar[str] = "folder"

    def matches(self, tree: Tree) -> Iterator[Match]:
        """Yield each set of masks that suits the images; of nested ones the larger first."""
        apart = dict.fromkeys(_by_suffix(tree), True)
        plain = ((p.layout.images, p.layout.masks) for p in proposals(tree.root)[:_MOST])
        seen: list[frozenset[str]] = []
        for (images, masks), several in {**dict.fromkeys(plain, False), **apart}.items():
            found = self._match(tree, images, masks, several=several)
            if found is None or found.claims in seen:
                continue
            part = any(found.claims < other for other in seen)
            crossing = any(found.claims & other for other in seen) and not part
            if crossing:
                continue
            seen.append(found.claims)
            yield from _with_empty(replace(found, asked=not part))

    def _match(self, tree: Tree, images: str, masks: str, *, several: bool) -> Match | None:
        try:
            of_images = files(tree.root, images, "data.images")
            of_masks = _masks(tree.root, masks)
        except LaminaError:
            return None
        taken = {path for path, _ in of_masks}
        ids = {id for id, path in of_images.items() if path not in taken}
        ids = {id for id in ids if not _SUFFIX.search(id)} if several else ids
        with_image = {id for _, id in of_masks if id in ids}
        if not with_image or len(with_image) < ENOUGH * len({id for _, id in of_masks}):
            return None
        names = sorted(_name(tree.root, path) for path in taken)
        first = of_images[min(with_image)]
        data, volumes = _options(first, images, masks)
        if several and not volumes:  # masks of the other suffixes would be images without a mask
            data["missing"] = "skip"
        said = f"{len(with_image)} of {len(ids)} images in {images} have masks in {masks}"
        classes = CLASS in masks
        return Match(
            "volumes" if volumes else self.name,
            said,
            data,
            len(with_image) / len(ids),
            detail=masks,
            task={"kind": "multilabel"} if classes else {},
            labels=tuple(names),
            claims=frozenset(names),
            problem=_lossy(names),
            ruled_out=_sizes_differ([(of_images[id], path) for path, id in of_masks if id in ids]),
        )


def _by_suffix(tree: Tree) -> Iterator[tuple[str, str]]:
    """Yield a pattern for each suffix of masks that lie beside their images."""
    for folder, names in tree.by_folder.items():
        stems: dict[str, set[str]] = defaultdict(set)
        plain: set[str] = set()
        for name in names:
            stem = bare(name)
            hit = _SUFFIX.search(stem)
            if hit is None:
                plain.add(stem)
            else:
                stems[hit.group()].add(stem.removesuffix(hit.group()))
        for suffix in sorted(stems):
            if len(stems) > 1 and stems[suffix] & plain:
                base = f"{folder}/" if folder else ""
                yield f"{base}{ID}.*", f"{base}{ID}{suffix}.*"


def _masks(root: Path, text: str) -> list[tuple[Path, str]]:
    if CLASS in text:
        return [(one.path, one.id) for one in Pattern(text).find(root)]
    return [(path, id) for id, path in files(root, text, "data.masks").items()]


def _name(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()


def _options(first: Path, images: str, masks: str) -> tuple[dict[str, Any], bool]:
    """Return the options of the catalog that suits the first image, and whether it is a volume."""
    try:
        deep = len(open_volume(first).axes) > 2
    except LaminaError:
        deep = False
    if not deep or CLASS in masks:
        return {"kind": "folder", "images": images, "masks": masks}, False
    image, target = (
        text if is_pattern(text) else f"{text}/{ID}.*".removeprefix("./")
        for text in (images, masks)
    )
    return {"kind": "volume_pairs", "image": image, "target": target}, True


def _sizes_differ(pairs: list[tuple[Path, Path]]) -> str:
    """Return in words that no mask has the size of its image, by the headers of some of them."""
    said = ""
    for image, mask in pairs[:: max(1, len(pairs) // _OPENED)][:_OPENED]:
        try:
            sizes = [
                tuple(open_volume(path, target=target).shape)
                for path, target in ((image, False), (mask, True))
            ]
        except LaminaError:
            return ""
        if sizes[0] == sizes[1] or {len(size) for size in sizes} != {2}:
            return ""
        own, of_mask = (" x ".join(map(str, size)) for size in sizes)
        said = said or (
            f"masks are not of the size of their images, as {mask.name} of {of_mask} pixels and "
            f"{image.name} of {own}; save masks in the size of the images to have them read so"
        )
    return said


def _with_empty(match: Match) -> Iterator[Match]:
    """Yield a match; where images lack masks also the reading that these show no class."""
    if match.score == 1 or match.data["kind"] != "folder" or "missing" in match.data:
        yield match
        return
    said = "images without a mask"
    yield replace(
        match,
        detail=f"{match.detail}/empty",
        evidence=f"{match.evidence}; {said} show no class",
        data={**match.data, "missing": "empty"},
        score=1.0,
    )
    yield replace(
        match,
        detail=f"{match.detail}/skip",
        evidence=f"{match.evidence}; {said} are left out",
        data={**match.data, "missing": "skip"},
        score=1.0,
    )


def _lossy(names: Iterable[str]) -> str:
    lossy = [name for name in names if name.lower().endswith((".jpg", ".jpeg"))]
    if not lossy:
        return ""
    return (
        f"{lossy[0]} and {len(lossy) - 1} more masks are JPEG, which changes values near edges; "
        "save them as PNG, from their source if there is one"
    )
