"""A catalog as a contributor would write it: images and masks in one folder, told by an ending."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from lamina.data.catalogs.base import Catalog, Listing
from lamina.data.catalogs.inputs import Input
from lamina.data.catalogs.pairs import Meaning, OpenedPair, Pair, open_pairs, read_pairs
from lamina.data.readers import images_below, open_volume, stem_of
from lamina.task import Task
from lamina.volume import Volume


class SideBySide(Catalog):
    """Pairs such as ``a_image.png`` and ``a_mask.png``; the id of a case is ``a``."""

    kind: Literal["side_by_side"] = "side_by_side"

    labels: dict[int, int] | None = None
    """Stored value to class; null: stored values are classes."""

    def open(self, root: Path, task: Task) -> Listing:
        """List every pair."""
        masks = {stem_of(path): path for path in images_below(root)}
        pairs = [Pair(one.id, one.path, masks[f"{one.id}_mask"]) for one in self.images_in(root)]
        return Listing(*read_pairs(open_pairs(pairs, self._opened), task, Meaning(self.labels)))

    def images_in(self, folder: Path) -> Iterator[Input]:
        """Yield the images, without their masks."""
        for path in images_below(folder):
            if stem_of(path).endswith("_image"):
                yield Input(self.id_of(path), path)

    def id_of(self, path: Path, root: Path | None = None) -> str:
        """Return the name without its ending."""
        return stem_of(path).removesuffix("_image")

    def open_image(self, path: Path, id: str | None = None) -> Volume:
        """Open an image as it is."""
        return open_volume(path)

    def _opened(self, pair: Pair) -> OpenedPair:
        assert pair.target is not None
        return OpenedPair(pair, self.open_image(pair.image), open_volume(pair.target))
