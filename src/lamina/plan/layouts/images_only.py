"""Images without any labels: noise can be added to them and taken out again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from lamina.data.readers import frames_in
from lamina.errors import LaminaError
from lamina.plan.layouts.base import Layout, Match
from lamina.plan.tree import Tree

_MOST = 512  # DICOM files whose headers are read
_NAMED = 3


class ImagesOnly(Layout):
    """Readable images, and no file that could be a label."""

    name: ClassVar[str] = "corrupt"
    rank: ClassVar[int] = 0

    def matches(self, tree: Tree) -> Iterator[Match]:
        """Yield the folder itself, if it holds images."""
        if not tree.images:
            return
        several = _of_several_frames(tree)
        data: dict[str, Any] = {"kind": "corrupt"}
        yield Match(
            self.name,
            f"{len(tree.images)} images and no labels: noise is added to the images, and the "
            "network learns to take it out",
            data | ({"dicom": {"frame": 0}} if several else {}),
            1.0,
            task={"kind": "restore", "names": ["clean"]},
            meaning="no labels: values are restored",
            notes=tuple(
                f"{name} holds {count} frames; data.dicom.frame says which of them is taken"
                for name, count in several[:_NAMED]
            ),
        )


def _of_several_frames(tree: Tree) -> list[tuple[str, int]]:
    """Return the DICOM files that hold several frames, with their number."""
    found = []
    for name in [one for one in tree.images if one.lower().endswith((".dcm", ".dicom"))][:_MOST]:
        try:
            count = frames_in(tree.root / name)
        except LaminaError:  # told when all are opened
            continue
        if count > 1:
            found.append((name, count))
    return found
