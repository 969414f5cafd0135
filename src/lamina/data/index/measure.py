"""What one file holds, found in one read from the disk; runs in processes of its own."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

from lamina.data.index.row import Role, Row
from lamina.data.network_input.normalise import moments_of
from lamina.data.readers import sniff
from lamina.data.readers.images.header import IMAGES, KnownImage, Moments
from lamina.data.readers.images.image import ImageFile
from lamina.data.targets.label_values import values_in
from lamina.errors import LaminaError
from lamina.files import digest

_VALUES = 256  # different values of a mask that are kept


@dataclass(frozen=True)
class Job:
    """A file to read, and whether the pixels of an image are measured."""

    file: str
    role: Role
    moments: bool = False


def measured(job: Job) -> Row | None:
    """Return what a file holds; None: it cannot be read, which its reader will explain.

    The digest is computed first; decoding then finds the bytes in memory.
    """
    path = Path(job.file)
    try:
        before = path.stat()
        row = Row(job.file, job.role, before.st_size, before.st_mtime_ns, digest(path))
        known = _known(path, job)
        after = path.stat()
    except (OSError, LaminaError):
        return None
    changed = (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns)
    return None if changed else Row(row.file, row.role, row.size, row.mtime_ns, row.sha256, known)


def _known(path: Path, job: Job) -> KnownImage | None:
    target = job.role == "target"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # said when it is opened
        try:
            if sniff(path).name not in IMAGES:
                return None
            image = ImageFile(path, target=target)
        except LaminaError:
            return None
    stat = path.stat()
    known = KnownImage(stat.st_size, stat.st_mtime_ns, image.header)
    if target:
        return KnownImage(known.size, known.mtime_ns, known.header, _values(image))
    if not job.moments:
        return known
    found = moments_of(image)
    moments = Moments(found.count, tuple(found.mean.tolist()), tuple(found.squares.tolist()))
    return KnownImage(known.size, known.mtime_ns, known.header, moments=moments)


def _values(mask: ImageFile) -> dict[int, int] | None:
    try:
        counts = values_in(mask)
    except LaminaError:  # in colours that differ: what they mean the recipe says
        return None
    return counts if len(counts) <= _VALUES else None
