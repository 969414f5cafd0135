"""Image and labels as two arrays of one HDF5 file or Zarr store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from lamina.data.readers import open_volume
from lamina.errors import LaminaError
from lamina.plan.layouts.base import Layout, Match
from lamina.plan.layouts.volume_files import holds_few_values
from lamina.plan.tree import Tree

_HDF5 = (".h5", ".hdf5", ".hdf")
_MOST = 24  # arrays of one file that are opened


class VolumeDatasets(Layout):
    """Two arrays of three axes and equal shape in each file, one of few whole values."""

    name: ClassVar[str] = "datasets"
    rank: ClassVar[int] = 2

    def matches(self, tree: Tree) -> Iterator[Match]:
        """Yield each pair of arrays of the first file, with a pattern for all of its kind."""
        for suffixes in (_HDF5, (".zarr",)):
            names = [n for n in tree.volumes if n.lower().endswith(suffixes) and "/" not in n]
            if not names:
                continue
            first = tree.root / names[0]
            found = _arrays(first)
            opened = {array: _opened(first, array) for array in found[:_MOST]}
            deep = {array: one for array, one in opened.items() if one is not None}
            few = [array for array, (_, few_values) in deep.items() if few_values]
            pairs = [
                (image, target)
                for image in deep
                for target in few
                if image not in few and deep[image][0] == deep[target][0]
            ]
            pattern = names[0] if len(names) == 1 else f"*{Path(names[0]).suffix}"
            for image, target in pairs:
                yield Match(
                    self.name,
                    f"{names[0]} holds {image} and {target} of shape {list(deep[image][0])}",
                    {
                        "kind": "volume_pairs",
                        "image": pattern,
                        "target": pattern,
                        "dataset": image,
                        "target_dataset": target,
                    },
                    1.0,
                    detail="" if len(pairs) == 1 else target,
                    labels=tuple(names),
                    claims=frozenset(f"{name}:{target}" for name in names),
                    dataset=target,
                )


def _arrays(path: Path) -> list[str]:
    """Return the paths of the arrays in a file, in order."""
    found: list[str] = []
    if path.is_dir():
        import zarr

        group: Any = zarr.open(path, mode="r")
        members = group.members(max_depth=None) if isinstance(group, zarr.Group) else ()
        return sorted(name for name, one in members if isinstance(one, zarr.Array))
    try:
        import h5py
    except ImportError:
        return []
    with h5py.File(path, "r") as file:
        file.visititems(lambda name, one: found.append(name) if hasattr(one, "shape") else None)
    return sorted(found)


def _opened(path: Path, dataset: str) -> tuple[tuple[int, ...], bool] | None:
    try:
        volume = open_volume(path, dataset=dataset)
        if len(volume.axes) != 3:
            return None
        return tuple(volume.shape), holds_few_values(volume)
    except LaminaError:
        return None
