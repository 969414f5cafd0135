"""nnU-Net raw data and the Medical Segmentation Decathlon: ``dataset.json`` with imagesTr."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from lamina.data.layouts.dataset_json import FILE, is_dataset, read_dataset
from lamina.data.tables.json import read_any_json
from lamina.plan.layouts.base import Layout, Match
from lamina.plan.tree import Tree

_SPLITS = "splits_final.json"


class NnunetRaw(Layout):
    """Channels and labels are those of ``dataset.json``; ``splits_final.json`` gives the folds."""

    name: ClassVar[str] = "nnunet"
    rank: ClassVar[int] = 3

    def matches(self, tree: Tree) -> Iterator[Match]:
        """Yield the data set."""
        if not is_dataset(tree.root):
            return
        about = read_dataset(tree.root / FILE)
        labels = [name for name in tree.files if name.startswith("labelsTr/")]
        classes = [name for value, name in about.names.items() if value]
        if about.regions:
            task = {"kind": "multilabel", "names": list(about.regions)}
        elif len(classes) == 1:
            task = {"kind": "binary", "names": classes}
        else:
            task = {"kind": "multiclass", "names": ["background", *classes]}
        yield Match(
            self.name,
            f"{FILE}, imagesTr and labelsTr with {len(labels)} files of labels",
            {"kind": "nnunet"},
            1.0,
            task=task,
            meaning=f"the labels of {FILE}",
            claims=frozenset(labels),
            split=_split(tree),
        )


def _split(tree: Tree) -> dict[str, Any]:
    """Return the folds that the data bring along; none where there are none."""
    if _SPLITS not in tree.files:
        return {}
    splits = read_any_json(tree.root / _SPLITS)
    count = len(splits) if isinstance(splits, list) else 0
    return {"kind": "folds", "path": _SPLITS, "count": count} if count else {}
