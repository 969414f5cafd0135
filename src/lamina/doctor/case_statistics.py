"""One pass over a case, a piece at a time: what the checks of data want to know of its pixels."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.data.case import Case
from lamina.errors import DataError
from lamina.geometry.region import Region
from lamina.progress import Bar
from lamina.task import Task
from lamina.volume import Volume, chunk_shape_of

_PIECE = 1 << 22  # values that are held at a time,
_MOST = 1 << 25  # or so many where chunks would else be decoded twice


@dataclass(frozen=True)
class Look:
    """What the pixels of a case are."""

    case: Case
    low: float = 0.0
    """Least finite value of the image; of a broken one, of what could be read."""
    high: float = 0.0
    lost: int = 0
    """Values of the image that are NaN or infinite."""
    image_digest: str = ""
    """Equal for equal pixels of equal shape, whatever the file type."""
    target_digest: str = ""
    areas: Mapping[int, int] = field(default_factory=dict)
    """Pixels of each output by its index, without the background; empty for restore."""
    problem: str | None = None
    """Why the image cannot be read."""
    target_problem: str | None = None
    """Why the target cannot be read or holds what is no class."""

    @property
    def empty(self) -> bool:
        """Whether a target was read and shows no class."""
        read = self.case.target is not None and self.target_problem is None
        return read and not any(self.areas.values())


def look_at(cases: Sequence[Case], task: Task | None) -> list[Look]:
    """Read every case once; what cannot be read is part of the answer."""
    looks = []
    with Bar("reading", len(cases)) as bar:
        for case in cases:
            looks.append(_look(case, task))
            bar.advance(note=case.id)
    return looks


def _look(case: Case, task: Task | None) -> Look:
    found: dict[str, Any] = {}
    try:
        found |= _image(case.image)
    except DataError as error:
        found["problem"] = str(error)
    if case.target is not None and task is not None:
        try:
            found |= _target(case.target, task)
        except DataError as error:
            found["target_problem"] = str(error)
    return Look(case, **found)


def _image(image: Volume) -> dict[str, Any]:
    low, high, lost = np.inf, -np.inf, 0
    digest = _Digest(image)
    for piece in _slabs(image):
        digest.take(piece)
        values = piece
        if piece.dtype.kind == "f":
            finite = np.isfinite(piece)
            lost += int(finite.size - np.count_nonzero(finite))
            values = piece[finite] if lost else piece
        if values.size:
            low, high = min(low, float(values.min())), max(high, float(values.max()))
    if low > high:  # nothing is finite
        low = high = 0.0
    return {"low": low, "high": high, "lost": lost, "image_digest": digest.text}


def _target(target: Volume, task: Task) -> dict[str, Any]:
    areas: Counter[int] = Counter()
    digest = _Digest(target)
    for piece in _slabs(target):
        digest.take(piece)
        if task.kind == "multiclass":
            counts = np.bincount(piece.ravel())
            areas.update({k: int(n) for k, n in enumerate(counts) if k and n})
        elif task.kind != "restore":
            areas.update({k: int(np.count_nonzero(mask)) for k, mask in enumerate(piece)})
    if task.kind == "restore":
        return {"target_digest": digest.text}
    return {"target_digest": digest.text, "areas": {k: n for k, n in areas.items() if n}}


class _Digest:
    """Of the pixels of a volume, slab by slab, however thick the slabs are."""

    def __init__(self, volume: Volume) -> None:
        self._engine = hashlib.blake2b(digest_size=16)
        self._engine.update(f"{volume.channels} {volume.shape} {volume.dtype}".encode())

    def take(self, piece: NDArray[Any]) -> None:
        self._engine.update(np.ascontiguousarray(np.moveaxis(piece, 0, -1)).data)

    @property
    def text(self) -> str:
        return self._engine.hexdigest()


def _slabs(volume: Volume) -> Iterator[NDArray[Any]]:
    """Yield (channels, *slab) along the first axis, of whole chunks unless these are huge."""
    length, *rest = volume.shape
    row = volume.channels * prod(rest)
    step, thick = max(1, _PIECE // row), chunk_shape_of(volume)[0]
    if step >= thick or thick * row <= _MOST:
        step = max(step // thick, 1) * thick
    for first in range(0, length, step):
        last = min(first + step, length)
        yield volume.read(Region((first, *[0] * len(rest)), (last, *rest)))
