"""Fragments of a scroll: stacks of layers with a mask and the ink."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from lamina.plan.layouts.base import Layout, Match
from lamina.plan.tree import Tree

_STACK, _INK = "surface_volume", "inklabels.png"


class ScrollFragments(Layout):
    """Folders with ``surface_volume`` and ``inklabels.png``."""

    name: ClassVar[str] = "fragments"
    rank: ClassVar[int] = 3

    def matches(self, tree: Tree) -> Iterator[Match]:
        """Yield the fragments that have labels."""
        inks = [name for name in tree.files if name.rpartition("/")[2] == _INK]
        places = [name.rpartition("/")[0] for name in inks]
        stacked = [place for place in places if f"{place}/{_STACK}".lstrip("/") in tree.folders]
        deep = [place for place in stacked if "/" in place]
        if not stacked or deep:
            return
        claims = {
            name for name in tree.files if any(name.startswith(f"{p}/") for p in stacked if p)
        }
        yield Match(
            self.name,
            f"{len(stacked)} folders with {_STACK} and {_INK}",
            {"kind": "fragments"},
            1.0,
            task={"kind": "binary", "names": ["ink"]},
            meaning=f"what {_INK} show",
            claims=frozenset(claims or tree.files),
        )
