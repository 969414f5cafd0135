"""``dataset.json`` of the medical field: channels and labels of a data set of scans.

Its newer form (nnU-Net, version 2) has ``channel_names`` and ``labels`` by name; its older one
(nnU-Net, version 1, and the Medical Segmentation Decathlon) ``modality`` and ``labels`` by number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lamina.data.tables.json import read_json
from lamina.errors import DataError

FILE = "dataset.json"
_IGNORE = "ignore"


def is_dataset(root: Path) -> bool:
    """Whether a data folder is laid out with ``dataset.json`` and a folder of scans."""
    return (root / FILE).is_file() and (root / "imagesTr").is_dir()


@dataclass(frozen=True)
class DatasetJson:
    """What the file says."""

    path: Path
    channels: int | None
    """Number of channels of an image; None: it does not say it."""
    names: Mapping[int, str]
    """Names of labels by their stored value, in order of the values."""
    ignore: int | None
    """Stored value of voxels that do not count."""
    regions: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Where a label is several stored values together: the values of every label by its name, in
    the order of the file, without the background; empty: each is one value."""


def read_dataset(path: Path) -> DatasetJson:
    """Return what a ``dataset.json`` says.

    Raises:
        DataError: it is missing, no JSON, or its labels are of neither form.
    """
    found = read_json(path)
    channels = found.get("channel_names", found.get("modality"))
    labels = found.get("labels")
    if not isinstance(labels, dict) or not labels:
        raise DataError(f"{path}: has no labels; add them, such as {{background: 0, lesion: 1}}")
    plain = {name: value for name, value in labels.items() if not isinstance(value, list)}
    try:
        names = dict(sorted(_pair(name, value) for name, value in plain.items()))
        regions = {} if len(plain) == len(labels) else _regions(labels)
    except (TypeError, ValueError, OverflowError):
        raise DataError(
            f"{path}: labels are {labels}; needed is a whole number for each name, such as "
            "{background: 0, lesion: 1}"
        ) from None
    ignore = next((value for value, name in names.items() if name == _IGNORE), None)
    names = {value: name for value, name in names.items() if name != _IGNORE}
    count = len(channels) if isinstance(channels, dict) and channels else None
    return DatasetJson(path, count, names, ignore, regions)


def _regions(labels: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Return the stored values of each label of the newer form, without background and ignored."""
    found = {}
    for name, value in labels.items():
        values = value if isinstance(value, list) else [value]
        whole = tuple(sorted({_pair(name, one)[0] for one in values}))
        if name != _IGNORE and whole != (0,):
            found[name] = whole
    return found


def _pair(name: str, value: Any) -> tuple[int, str]:
    """Return stored value and name of a label of either form."""
    number, said = (name, value) if isinstance(value, str) else (value, name)
    whole = int(number)
    if isinstance(value, bool) or (said is name and whole != number) or abs(whole) >= 2**63:
        raise ValueError(name)
    return whole, said
