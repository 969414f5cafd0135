"""Images without any labels: noise can be added to them and taken out again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from lamina.plan.layouts.base import Layout, Match
from lamina.plan.tree import Tree


class ImagesOnly(Layout):
    """Readable images, and no file that could be a label."""

    name: ClassVar[str] = "corrupt"
    rank: ClassVar[int] = 0

    def matches(self, tree: Tree) -> Iterator[Match]:
        """Yield the folder itself, if it holds images."""
        if not tree.images:
            return
        yield Match(
            self.name,
            f"{len(tree.images)} images and no labels: noise is added to the images, and the "
            "network learns to take it out",
            {"kind": "corrupt"},
            1.0,
            task={"kind": "restore", "names": ["clean"]},
        )
