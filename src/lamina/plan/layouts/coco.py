"""COCO files: images, annotations and categories in one JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar

from lamina.data.layouts.patterns import SPLIT
from lamina.data.layouts.proposals import SPLITS
from lamina.plan.layouts.base import Layout, Match
from lamina.plan.tree import Tree

_KEYS = ('"images"', '"annotations"', '"categories"')
_FILE = re.compile(r'"file_name"\s*:\s*"((?:[^"\\]|\\.)*)"')
_MOST = 200  # JSON files that are looked into


class CocoJson(Layout):
    """A JSON file with images, annotations and categories, and the folder of its images."""

    name: ClassVar[str] = "coco"
    rank: ClassVar[int] = 3

    def matches(self, tree: Tree) -> Iterator[Match]:
        """Yield each file, or the files of the parts of a split as one."""
        tables = [name for name in tree.named(".json")[:_MOST] if _is_coco(tree.ends(name))]
        found = {name: _folder(tree, name) for name in tables}
        several = _parts(tables)
        if several is not None:
            folders = {name: folder for name, folder in found.items() if folder is not None}
            images = _parts(list(folders.values())) or next(iter(folders.values()), None)
            if images is not None:
                yield self._match(several, images, tables, detail="")
                return
        for name, folder in found.items():
            detail = name if len(found) > 1 else ""
            problem = (
                "" if folder else f"{name}: the images that it names are not below the data folder"
            )
            yield self._match(name, folder or "images", [name], detail=detail, problem=problem)

    def _match(
        self, table: str, images: str, tables: list[str], *, detail: str, problem: str = ""
    ) -> Match:
        return Match(
            self.name,
            f"{table} has images, annotations and categories",
            {"kind": "coco", "table": table, "images": images},
            1.0,
            detail=detail,
            task={"kind": "multilabel"},
            meaning=f"the categories of {table}",
            claims=frozenset(tables),
            problem=problem,
        )


def _is_coco(text: str) -> bool:
    return sum(key in text for key in _KEYS) >= 2 and '"file_name"' in text


def _folder(tree: Tree, table: str) -> str | None:
    """Return the folder that the file names of a COCO file are relative to."""
    hit = _FILE.search(tree.ends(table))
    if hit is None:
        return None
    wanted = hit[1].replace("\\/", "/")
    places = [
        name.removesuffix(wanted).rstrip("/") or "."
        for name in tree.images
        if name == wanted or name.endswith(f"/{wanted}")
    ]
    part = next((word for word in SPLITS if word in table.lower().replace("2017", "")), "")
    return max(places, key=lambda place: (part in place.lower(), -len(place)), default=None)


def _parts(names: list[str]) -> str | None:
    """Return the names of the parts of a split as one pattern; None: they are not such."""
    if len(names) < 2:
        return None
    patterns = set()
    for name in names:
        words = re.split(r"([^A-Za-z0-9]+)", name)
        hits = [k for k, word in enumerate(words) if word.rstrip("0123456789").lower() in SPLITS]
        if len(hits) != 1:
            return None
        patterns.add("".join([*words[: hits[0]], SPLIT, *words[hits[0] + 1 :]]))
    return patterns.pop() if len(patterns) == 1 else None
