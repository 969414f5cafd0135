"""Small data folders whose targets other tools describe: COCO, labelme, nnU-Net."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from lamina.task import Task
from tests.fuzz.target import Target

_BOX = [1, 1, 4, 1, 4, 3, 1, 3]
_CATEGORIES = [{"id": 7, "name": "car"}, {"id": 3, "name": "road"}]


def _image(path: Path) -> None:
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.arange(24, dtype=np.uint8).reshape(4, 6)).save(path)


def _write(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1), encoding="utf-8")


def _make_coco(folder: Path) -> None:
    code = {"size": [4, 6], "counts": [5, 4, 15]}
    for number, drawn in enumerate(([_BOX, [0, 0, 1, 0, 1, 1, 0, 1]], code)):
        _image(folder / str(number) / "images" / "a.png")
        one = {"id": 1, "image_id": 10, "category_id": 7, "segmentation": drawn, "area": 4.0}
        one["iscrowd"] = int(isinstance(drawn, dict))
        image = {"id": 10, "file_name": "a.png", "height": 4, "width": 6}
        said = {"images": [image], "annotations": [one], "categories": _CATEGORIES}
        _write(folder / str(number) / "annotations.json", said)


def _make_labelme(folder: Path) -> None:
    shapes = [
        {"label": "road", "shape_type": "rectangle", "points": [[0, 0], [1, 3]]},
        {"label": "car", "shape_type": "polygon", "points": [[1, 1], [4, 1], [4, 3]]},
    ]
    for number in range(2):
        _image(folder / str(number) / "a.png")
        said = {"version": "5.2.1", "shapes": shapes[number:], "imagePath": "a.png"}
        said |= {"imageData": None, "imageHeight": 4, "imageWidth": 6}
        _write(folder / str(number) / "a.json", said)


def _make_nnunet(folder: Path) -> None:
    import nibabel

    for number in range(2):
        root = folder / str(number)
        for place, kind in (("imagesTr/a_0000.nii", np.int16), ("labelsTr/a.nii", np.uint8)):
            (root / place).parent.mkdir(parents=True)
            array = (np.arange(5 * 6 * 4).reshape(5, 6, 4) % 3).astype(kind)
            nibabel.save(nibabel.Nifti1Image(array, np.diag([-1.0, -1, 2, 1])), root / place)
        said = {"channel_names": {"0": "CT"}, "labels": {"background": 0, "one": 1, "two": 2}}
        _write(root / "dataset.json", said | {"numTraining": 1, "file_ending": ".nii"})


def _loader(catalog: str, task: Task) -> Callable[[Path], Any]:
    def load(sample: Path) -> Any:
        from lamina.data import catalogs
        from lamina.volume import read_all

        listing = getattr(catalogs, catalog)().open(sample, task)
        targets = [(case.id, read_all(case.target).tobytes()) for case in listing.cases]
        return listing.names, targets, [sorted(case.facts.items()) for case in listing.cases]

    return load


_MULTILABEL, _MULTICLASS = Task(kind="multilabel"), Task(kind="multiclass")

ANNOTATIONS = (
    Target("coco", _make_coco, _loader("Coco", _MULTILABEL), damaged=("*.json",)),
    Target("labelme", _make_labelme, _loader("Labelme", _MULTILABEL), damaged=("*.json",)),
    Target("dataset.json", _make_nnunet, _loader("Nnunet", _MULTICLASS), damaged=("*.json",)),
)
"""A target for each layout that other tools write."""
