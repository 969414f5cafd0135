"""Chunks of answers in object storage: each written whole by one request, and told by its ETag.

What is noted of a region is the SHA-256 of its chunks, as of files, and a digest of their ETags.
Whether they are still there is asked by their heads; no chunk is read again for it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zarr.storage import ObjectStore

from lamina.data.readers.zarr.remote import AT_ONCE, RemoteFolder, Stored
from lamina.errors import DataError, RecipeError, ResourceError
from lamina.folders import remote_url
from lamina.prediction.folder.digests import ETAGS

if TYPE_CHECKING:
    from zarr.core.buffer import Buffer


def etags_of(path: Path) -> str | None:
    """Return the digest of the ETags of all objects of a store; None: there is none."""
    url = remote_url(path)
    if url is None:
        raise ValueError(f"{path} is not in object storage")
    objects = RemoteFolder(url).listing(again=True)
    return _digest(sorted(objects.items())) if objects else None


def joined(digests: Iterable[str], path: Path) -> str:
    """Return what is noted of a whole store: the digest of those of its regions, and the ETags.

    Args:
        digests: What is noted of each region, in order.
        path: Of the store.

    Raises:
        DataError: the store is gone.
    """
    etags = etags_of(path)
    if etags is None:
        raise DataError(f"{remote_url(path)}: is gone; run the same predict again")
    regions = "\n".join(each.partition(ETAGS)[0] for each in digests)
    return hashlib.sha256(regions.encode()).hexdigest() + etags


@dataclass
class RemoteChunks:
    """The objects of a store that is written, by their names in it."""

    folder: RemoteFolder
    _sent: dict[str, tuple[bytes, str | None]] = field(default_factory=dict, repr=False)
    """Content and ETag of the objects that were written since it was last asked."""

    def zarr_store(self) -> ObjectStore[Any]:
        """Return the store as Zarr writes to it."""
        return _Recording(self.folder.store, self._sent)

    def written(self, names: Sequence[str]) -> str | None:
        """Return what is noted of objects that were just written; None: one of them was not."""
        whole, objects = hashlib.sha256(), []
        for name in names:
            if name not in self._sent:
                return None
            content, etag = self._sent[name]
            whole.update(content)
            objects.append((name, Stored(len(content), etag)))
        self._sent.clear()
        return whole.hexdigest() + _digest(objects)

    def digest(self, names: Sequence[str]) -> str | None:
        """Return the digest of the ETags of objects; None: one of them is missing."""
        with ThreadPoolExecutor(min(AT_ONCE, max(len(names), 1))) as threads:
            heads = list(threads.map(self.folder.head, names))
        objects = [(name, head) for name, head in zip(names, heads, strict=True) if head]
        return _digest(objects) if len(objects) == len(names) else None

    def count(self) -> int:
        """Return how many chunks there are."""
        below = self.folder.listing("c", again=True)
        return sum(stored.size > 0 for stored in below.values())

    def remove(self, *, own: bool) -> None:
        """Remove all objects, such as those of another plan; they must be ``own``.

        Raises:
            RecipeError: there are others.
        """
        import obstore

        there = self.folder.listing(again=True)
        if there and not own:
            raise RecipeError(
                f"{self.folder}: holds {len(there)} objects that are no predictions; choose "
                "another --store"
            )
        with self.writing():
            obstore.delete(self.folder.store, list(there))

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Explain what the storage refuses.

        Raises:
            ResourceError: it takes nothing, or does not answer.
        """
        from obstore.exceptions import BaseError

        try:
            yield
        except BaseError as error:
            said = str(error).splitlines()[0][:200]
            raise ResourceError(
                f"{self.folder}: cannot be written ({type(error).__name__}: {said}); check "
                "address, endpoint and credentials, then run the same command again to resume"
            ) from error


class _Recording(ObjectStore[Any]):
    """A store that remembers what it sent."""

    def __init__(
        self, store: Any, sent: dict[str, tuple[bytes, str | None]], *, read_only: bool = False
    ) -> None:
        super().__init__(store, read_only=read_only)
        self._sent = sent

    def with_read_only(self, read_only: bool = False) -> _Recording:
        return _Recording(self.store, self._sent, read_only=read_only)

    async def set(self, key: str, value: Buffer) -> None:
        import obstore

        self._check_writable()
        content = value.to_bytes()
        result = await obstore.put_async(self.store, key, content)
        if key.startswith("c/"):
            self._sent[key] = (content, result["e_tag"])


def _digest(objects: Iterable[tuple[str, Stored]]) -> str:
    whole = hashlib.sha256()
    for name, stored in objects:
        whole.update(f"{name}\0{stored.size}\0{stored.etag}\n".encode())
    return ETAGS + whole.hexdigest()
