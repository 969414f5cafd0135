"""Which volume a Zarr store is, told without reading all of it.

Two stores are one volume where names and sizes of all their objects are equal, and the contents
of the metadata and of 256 chunks drawn by their names. That survives copying, also into and out
of object storage, and costs megabytes where the whole has terabytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from lamina.data.readers.zarr.header import is_store, place_of
from lamina.data.readers.zarr.remote import RemoteFolder
from lamina.errors import DataError

SAMPLED = "sampled:"
"""Begin of a digest that is of a sample."""

_CHUNKS = 256
_METADATA = ("zarr.json", ".zarray", ".zattrs", ".zgroup", ".zmetadata")


def is_volume_store(path: Path) -> bool:
    """Whether a path is a Zarr store, whose identity is told by a sample."""
    place = place_of(path)
    return isinstance(place, RemoteFolder) or (place.is_dir() and is_store(place))


def volume_identity(path: Path) -> str:
    """Return the digest of what identifies a Zarr store, which begins with ``sampled:``.

    Raises:
        DataError: it cannot be read.
    """
    place = place_of(path)
    if isinstance(place, RemoteFolder):
        listing = place.listing(again=True)
        sizes = {name: stored.size for name, stored in listing.items()}
        names = _drawn(sizes)
        contents: Mapping[str, bytes] = place.fetch({name: listing[name] for name in names})
    else:
        files = {file.relative_to(path).as_posix(): file for file in _files(path)}
        sizes = {name: file.stat().st_size for name, file in files.items()}
        names = _drawn(sizes)
        contents = {name: files[name].read_bytes() for name in names}
    if not sizes:
        raise DataError(f"{place}: holds nothing; correct the address")
    whole = hashlib.sha256()
    for name in sorted(sizes):
        whole.update(f"{name}\0{sizes[name]}\n".encode())
    for name in names:
        whole.update(f"{name}\0{hashlib.sha256(contents[name]).hexdigest()}\n".encode())
    return SAMPLED + whole.hexdigest()


def _files(folder: Path) -> Sequence[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def _drawn(names: Mapping[str, int]) -> list[str]:
    """Return all metadata, and the chunks whose names have the least digests."""
    metadata = sorted(name for name in names if name.rpartition("/")[2] in _METADATA)
    chunks = sorted(
        names.keys() - set(metadata), key=lambda name: hashlib.sha256(name.encode()).digest()
    )
    return [*metadata, *chunks[:_CHUNKS]]
