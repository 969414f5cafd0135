"""Volumes with label volumes beside them: in one folder, or in a folder for each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from lamina.data.readers import open_volume
from lamina.errors import LaminaError
from lamina.geometry.region import Region
from lamina.plan.layouts.base import ENOUGH, Layout, Match
from lamina.plan.tree import Tree
from lamina.volume import Volume

_NOISY = re.compile(r"nois|degraded|corrupt|low_?dose|undersampled", re.IGNORECASE)
_FLAT = (".png", ".jpg", ".jpeg", ".bmp", ".csv", ".json", ".txt", ".md")
_MOST = 24  # volumes of one folder that are opened
_FEW = 64  # values that a slice of labels holds at most


@dataclass(frozen=True)
class _Volume:
    name: str
    shape: tuple[int, ...]
    few: bool
    """Whether its middle slice holds few values, all whole ones, as labels do."""

    @property
    def file(self) -> str:
        return self.name.rpartition("/")[2]


class VolumeFiles(Layout):
    """Files of three axes and equal shape, some with few whole values: these are labels."""

    name: ClassVar[str] = "volumes"
    rank: ClassVar[int] = 2

    def matches(self, tree: Tree) -> Iterator[Match]:
        """Yield each label volume that suits an image volume."""
        inside: dict[str, list[str]] = {}
        for name in tree.volumes:
            if not name.lower().endswith(_FLAT):
                inside.setdefault(name.rpartition("/")[0], []).append(name)
        top = inside.pop("", [])
        yield from self._in_root(tree, top)
        apart = {folder: names for folder, names in inside.items() if "/" not in folder}
        if len(apart) > 0 and not top:
            yield from self._in_folders(tree, apart)

    def _in_root(self, tree: Tree, names: Sequence[str]) -> Iterator[Match]:
        if len(names) > _MOST:
            return
        found = _opened(tree, names)
        pairs = _pairs(found)
        for image, target in pairs:
            yield self._match(
                f"{target.name} has the shape {list(image.shape)} of {image.name}",
                image.name,
                target.name,
                (target.name,),
                detail="" if len(pairs) == 1 else _detail(pairs, image, target),
                restore=not target.few,
            )

    def _in_folders(self, tree: Tree, folders: dict[str, list[str]]) -> Iterator[Match]:
        """Yield patterns of an image and a target that each folder holds."""
        first = min(folders)
        found = _opened(tree, folders[first][:_MOST])
        pairs = _pairs(found)
        for image, target in pairs:
            patterns = [_pattern(one.file, folders) for one in (image, target)]
            if patterns[0] is None or patterns[1] is None:
                continue
            claims = [
                name
                for names in folders.values()
                for name in names
                if _fits(patterns[1], name.rpartition("/")[2])
            ]
            yield self._match(
                f"{len(claims)} of {len(folders)} folders hold {patterns[0]} and {patterns[1]}",
                patterns[0],
                patterns[1],
                tuple(claims),
                detail="" if len(pairs) == 1 else _detail(pairs, image, target),
                score=len(claims) / len(folders),
                restore=not target.few,
            )

    def _match(
        self,
        evidence: str,
        image: str,
        target: str,
        labels: tuple[str, ...],
        *,
        detail: str,
        restore: bool,
        score: float = 1.0,
    ) -> Match:
        data: dict[str, Any] = {"kind": "volume_pairs", "image": image, "target": target}
        return Match(
            self.name,
            evidence,
            data,
            score,
            detail=detail,
            task={"kind": "restore", "names": ["clean"]} if restore else {},
            labels=() if restore else labels,
            claims=frozenset(labels),
        )


def _pairs(found: Sequence[_Volume]) -> list[tuple[_Volume, _Volume]]:
    """Return image and labels of equal shape; or what is noisy by its name, and what is not."""
    labels = [
        (image, target)
        for image in found
        for target in found
        if not image.few and target.few and image.shape == target.shape
    ]
    if labels:
        return labels
    noisy = [one for one in found if _NOISY.search(one.file)]
    return [
        (image, target)
        for image in noisy
        for target in found
        if target not in noisy and target.shape == image.shape
    ]


def _detail(pairs: Sequence[tuple[_Volume, _Volume]], image: _Volume, target: _Volume) -> str:
    several = len({one.name for one, _ in pairs}) > 1
    return f"{image.file}+{target.file}" if several else target.file


def _opened(tree: Tree, names: Sequence[str]) -> list[_Volume]:
    """Return the volumes of three axes; what cannot be opened is left out."""
    found: list[_Volume] = []
    for name in names:
        try:
            volume = open_volume(tree.root / name)
            if len(volume.axes) == 3:
                few = holds_few_values(volume)
                found.append(_Volume(name, tuple(volume.shape), few))
        except LaminaError:
            continue
    return found


def holds_few_values(volume: Volume) -> bool:
    """Whether the middle slice holds few values, all whole ones, as labels do."""
    length, *rest = volume.shape
    middle = length // 2
    values = volume.read(Region((middle, *[0] * len(rest)), (middle + 1, *rest)))
    if volume.channels > 1:
        return False
    different = np.unique(values)
    if different.dtype.kind == "f" and not np.array_equal(different, np.round(different)):
        return False
    return len(different) <= _FEW


def _pattern(file: str, folders: dict[str, list[str]]) -> str | None:
    """Return a pattern that fits one file of nearly every folder, made from that of the first."""
    names = {folder: [n.rpartition("/")[2] for n in inside] for folder, inside in folders.items()}
    if _share(file, names) >= ENOUGH:
        return file
    stem, dot, end = file.partition(".")
    for cut in range(len(stem) - 1, 1, -1):  # the longest beginning that all have
        pattern = f"{stem[:cut]}*{dot}{end}"
        if _share(pattern, names) >= ENOUGH:
            short = f"{stem[:cut].rstrip('0123456789')}*{dot}{end}"  # the number may grow
            return short if _share(short, names) >= ENOUGH else pattern
    for cut in range(1, len(stem) - 1):
        pattern = f"*{stem[cut:]}{dot}{end}"
        if _share(pattern, names) >= ENOUGH:
            return pattern
    return None


def _share(pattern: str, names: dict[str, list[str]]) -> float:
    once = [sum(_fits(pattern, name) for name in inside) == 1 for inside in names.values()]
    return sum(once) / len(once)


def _fits(pattern: str | None, name: str) -> bool:
    before, star, after = (pattern or "").partition("*")
    if not star:
        return name == pattern
    return name.startswith(before) and name.endswith(after) and len(name) >= len(before + after)
