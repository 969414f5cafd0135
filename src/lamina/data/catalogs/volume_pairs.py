"""Volumes with label volumes beside them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from pydantic import Field

from lamina.data.catalogs.base import Catalog, Listing
from lamina.data.names import nfc
from lamina.data.pairs import Meaning, Pair, read_pairs
from lamina.data.problems import listed
from lamina.errors import DataError
from lamina.task import Task


class VolumePairs(Catalog):
    """Pairs of an image volume and a target volume, found by two patterns.

    Where a file of the data folder itself matches ``image``, all pairs lie there; of several,
    the parts of the two names that ``*`` and ``?`` stand for must be equal. The id is then the
    image's name without its suffix.

    Otherwise each folder below the data folder holds one pair, the first match of each pattern
    after sorting (FAULT-1), and the folder's name is the id.
    """

    kind: Literal["volume_pairs"] = "volume_pairs"

    image: str = Field(default="raw.tif", pattern=r"^[^/\\]+$")
    """Pattern of the image volume's file name, such as raw.tif or seismic*.npy."""

    target: str = Field(default="labels.tif", pattern=r"^[^/\\]+$")
    """Pattern of the target volume's file name."""

    axes: str = "zyx"
    """Names of the stored axes, first to last."""

    labels: dict[int, int] | None = None
    """Stored value to class, such as {0: 0, 255: 1}; null: stored values are classes."""

    ignore: int | None = None
    """Stored value of voxels that must not count; null: all count."""

    def open(self, root: Path, task: Task) -> Listing:
        """List every pair; voxels are read only where neither labels nor names say the classes.

        Raises:
            DataError: no pair, or half of one; shapes differ; a volume has other axes.
        """
        if not root.is_dir():
            raise DataError(f"{root}: no such folder of data")
        pairs = self._beside(root) or self._apart(root)
        if not pairs:
            raise DataError(
                f"{root}: neither it nor a folder in it has a file '{self.image}'; set data.image"
            )
        meaning = Meaning(self.labels, self.ignore)
        cases, names = read_pairs(pairs, task, meaning, axes=self.axes)
        return Listing(cases, names)

    def _beside(self, root: Path) -> list[Pair]:
        """Return the pairs that lie in ``root`` itself."""
        images, targets = _matches(root, self.image), _matches(root, self.target)
        if not images:
            return []
        if len(images) == len(targets) == 1:
            (image,), (target,) = images.values(), targets.values()
            return [Pair(nfc(image.stem), image, target)]
        odd = [
            f"{path}: no '{self.target}' for it"
            for key, path in images.items()
            if key not in targets
        ]
        odd += [
            f"{path}: no '{self.image}' for it"
            for key, path in targets.items()
            if key not in images
        ]
        if odd:
            raise DataError(listed(f"{root}: {len(odd)} volumes stand alone; add the others", odd))
        return [Pair(nfc(path.stem), path, targets[key]) for key, path in images.items()]

    def _apart(self, root: Path) -> list[Pair]:
        """Return the pairs of the folders in ``root``; a folder without either is passed over."""
        pairs, odd = [], []
        for folder in sorted(path for path in root.iterdir() if path.is_dir()):
            image = next(iter(_matches(folder, self.image).values()), None)
            target = next(iter(_matches(folder, self.target).values()), None)
            if image is not None and target is not None:
                pairs.append(Pair(nfc(folder.name), image, target))
            elif image is not None or target is not None:
                odd.append(f"{folder}: no '{self.target if target is None else self.image}'")
        if odd:
            raise DataError(listed(f"{root}: {len(odd)} folders hold half a pair", odd))
        return pairs


def _matches(folder: Path, pattern: str) -> dict[tuple[str, ...], Path]:
    """Return the files of a folder by what the wildcards of ``pattern`` stand for, in order."""
    wild = {"*": "(.*)", "?": "(.)"}
    name = re.compile("".join(wild.get(letter, re.escape(letter)) for letter in pattern))
    found: dict[tuple[str, ...], Path] = {}
    for path in sorted(folder.iterdir()):
        match = name.fullmatch(path.name)
        if match and path.is_file():
            found[match.groups()] = path
    return found
