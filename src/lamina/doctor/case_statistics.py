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
_THUMBNAIL = 32
_MOST = 1 << 25  # or so many where chunks would else be decoded twice


@dataclass(frozen=True)
class CaseStatistics:
    """What the pixels of a case are."""

    case: Case
    low: float = 0.0
    """Least finite value of the image; of a broken one, of what could be read."""
    high: float = 0.0
    lost: int = 0
    """Values of the image that are NaN or infinite."""
    thumbnail: NDArray[np.float32] | None = field(default=None, compare=False, repr=False)
    """Mean brightness of 32 x 32 parts of the last two axes, or of as many as there are pixels;
    None: it was not read to its end."""
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


def statistics_of(cases: Sequence[Case], task: Task | None) -> list[CaseStatistics]:
    """Read every case once; what cannot be read is part of the answer."""
    looks = []
    with Bar("reading", len(cases)) as bar:
        for case in cases:
            looks.append(_look(case, task))
            bar.advance(note=case.id)
    return looks


def _look(case: Case, task: Task | None) -> CaseStatistics:
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
    return CaseStatistics(case, **found)


def _image(image: Volume) -> dict[str, Any]:
    low, high, lost = np.inf, -np.inf, 0
    digest, thumbnail = _Digest(image), _Thumbnail(image)
    for piece in _slabs(image):
        digest.take(piece)
        thumbnail.take(piece)
        values = piece
        if piece.dtype.kind == "f":
            finite = np.isfinite(piece)
            lost += int(finite.size - np.count_nonzero(finite))
            values = piece[finite] if lost else piece
        if values.size:
            low, high = min(low, float(values.min())), max(high, float(values.max()))
    if low > high:  # nothing is finite
        low = high = 0.0
    found = {"low": low, "high": high, "lost": lost, "image_digest": digest.text}
    return found | {"thumbnail": thumbnail.means()}


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


class _Thumbnail:
    """Sums over parts of the last two axes, slab by slab along the first one."""

    def __init__(self, volume: Volume) -> None:
        self._flat = len(volume.shape) == 2
        self._rows, self._columns = (_starts(side) for side in volume.shape[-2:])
        sides = len(self._rows), len(self._columns)
        self._sums, self._shape, self._first = np.zeros(sides), volume.shape[-2:], 0

    def take(self, piece: NDArray[Any]) -> None:
        values = piece if piece.dtype.kind != "f" else np.nan_to_num(piece, posinf=0, neginf=0)
        plane = values.sum(axis=tuple(range(values.ndim - 2)), dtype=np.float64)  # (rows, columns)
        across = np.add.reduceat(plane, self._columns, axis=1)
        first = self._first if self._flat else 0
        at = np.searchsorted(self._rows, np.arange(first, first + len(across)), side="right") - 1
        np.add.at(self._sums, at, across)
        self._first += len(across)

    def means(self) -> NDArray[np.float32]:
        rows, columns = (
            np.diff(starts, append=side)
            for starts, side in zip((self._rows, self._columns), self._shape, strict=True)
        )
        return np.asarray(self._sums / np.outer(rows, columns), np.float32)


def _starts(side: int) -> NDArray[np.int64]:
    """Return where the parts of a side begin."""
    parts = min(side, _THUMBNAIL)
    return np.arange(parts) * side // parts


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
