"""Folders of DICOM slices, each a volume, with a file of labels for each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar

from lamina.data.layouts.patterns import ID, Pattern
from lamina.data.names import bare
from lamina.plan.layouts.base import ENOUGH, Layout, Match
from lamina.plan.tree import Tree


class DicomSeries(Layout):
    """A folder for each series, and labels called by the same part of their path."""

    name: ClassVar[str] = "dicom"
    rank: ClassVar[int] = 3

    def matches(self, tree: Tree) -> Iterator[Match]:
        """Yield each pattern of labels that suits the series."""
        files = set(tree.files)
        series = [n for n in tree.volumes if n not in files and _is_series(tree, n)]
        if not series:
            return
        labels = [name for name in tree.volumes if name in files]
        found: dict[str, Match] = {}
        for image, target in _patterns(series[0], labels):
            ids = {one.id for one in Pattern(image).find(tree.root, volumes=True)}
            claims = {one.id: one.path for one in Pattern(target).find(tree.root, volumes=True)}
            both = ids & claims.keys()
            if len(both) < ENOUGH * len(ids) or target in found:
                continue
            names = tuple(sorted(p.relative_to(tree.root).as_posix() for p in claims.values()))
            found[target] = Match(
                self.name,
                f"{len(both)} of {len(ids)} series {image} have labels {target}",
                {"kind": "volume_pairs", "image": image, "target": target},
                len(both) / len(ids),
                detail=target,
                labels=names,
                claims=frozenset(names),
            )
        alone = len(found) == 1
        yield from (replace(one, detail="") if alone else one for one in found.values())


def _is_series(tree: Tree, name: str) -> bool:
    first = next((file for file in tree.files if file.startswith(f"{name}/")), "")
    return tree.head(first, 132)[128:] == b"DICM"


def _patterns(series: str, labels: list[str]) -> Iterator[tuple[str, str]]:
    """Yield patterns of the series and of the labels, by each part of the path that both have."""
    parts = series.split("/")
    for at, part in enumerate(parts):
        image = "/".join([*parts[:at], ID, *parts[at + 1 :]])
        for label in labels:
            steps = label.split("/")
            hits = [k for k, step in enumerate(steps) if part in (step, bare(step))]
            for k in hits[:1]:
                step = steps[k].replace(part, ID, 1)
                yield image, "/".join([*steps[:k], step, *steps[k + 1 :]])
