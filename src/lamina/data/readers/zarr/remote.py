"""Zarr stores in object storage, through obstore: S3 and what speaks like it, Google, Azure.

Credentials come from the environment alone, as obstore reads them (``AWS_ACCESS_KEY_ID`` ...), and
are neither kept nor written. Requests that fail for a while are repeated, then it is an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from lamina.errors import DataError, RecipeError

if TYPE_CHECKING:
    from obstore.store import ObjectStore

AT_ONCE = 64
"""Requests in flight."""

_RETRIES = 8
_PATIENCE = timedelta(seconds=120)


class Stored(NamedTuple):
    """What a listing says of an object."""

    size: int
    etag: str | None


@dataclass
class RemoteFolder:
    """A folder of a store in object storage, with as much of the face of a path as is needed."""

    url: str
    """Address of the whole store."""

    inside: str = ""
    """Path below it."""

    _store: Any = field(default=None, repr=False, compare=False)
    _seen: dict[str, dict[str, Stored]] = field(default_factory=dict, repr=False, compare=False)

    def __str__(self) -> str:
        return f"{self.url}/{self.inside}".rstrip("/")

    def __truediv__(self, name: str) -> RemoteFolder:
        inside = f"{self.inside}/{name}".strip("/")
        return RemoteFolder(self.url, inside, self.store)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_store": None, "_seen": {}}

    @property
    def name(self) -> str:
        """Its last part."""
        return self.inside.rpartition("/")[2]

    @property
    def store(self) -> ObjectStore:
        """The store as obstore opens it; names in it are relative to its address.

        Raises:
            RecipeError: the package is not installed, or the address is none.
        """
        if self._store is None:
            self._store = _opened(self.url)
        store: ObjectStore = self._store
        return store

    def zarr_store(self) -> Any:
        """Return the folder as Zarr's own readers want it."""
        store = _opened(str(self)) if self.inside else self.store
        from zarr.storage import ObjectStore as ZarrStore

        return ZarrStore(store, read_only=True)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Explain what the storage refuses to Zarr's own readers.

        Raises:
            DataError: as ``read``.
        """
        from obstore.exceptions import BaseError

        try:
            yield
        except BaseError as error:
            raise self._refused("", error) from error

    def read(self, name: str) -> tuple[bytes, str | None] | None:
        """Return the content and the ETag of an object; None: there is none.

        Raises:
            DataError: the storage refuses it, or does not answer.
        """
        import obstore

        try:
            found = obstore.get(self.store, self._key(name))
            return bytes(found.bytes()), found.meta["e_tag"]
        except Exception as error:  # obstore's own tree of errors
            if _is_missing(error):
                return None
            raise self._refused(name, error) from error

    def is_file(self) -> bool:
        """Whether there is an object of this name."""
        return self.head("") is not None

    def head(self, name: str) -> Stored | None:
        """Return size and ETag of an object; None: there is none.

        Raises:
            DataError: as ``read``.
        """
        import obstore

        try:
            found = obstore.head(self.store, self._key(name))
        except Exception as error:  # obstore's own tree of errors
            if _is_missing(error):
                return None
            raise self._refused(name, error) from error
        return Stored(found["size"], found["e_tag"])

    def folders(self) -> Iterator[RemoteFolder]:
        """Yield the folders in it, in order."""
        import obstore

        try:
            found = obstore.list_with_delimiter(self.store, prefix=self.inside or None)
        except Exception as error:  # obstore's own tree of errors
            raise self._refused("", error) from error
        for key in sorted(found["common_prefixes"]):
            yield self / key.rstrip("/").rpartition("/")[2]

    def listing(self, below: str = "", *, again: bool = False) -> Mapping[str, Stored]:
        """Return the objects below a folder in it by their name in this one, asked for once.

        Args:
            below: The folder within; empty: all.
            again: Ask once more.

        Raises:
            DataError: as ``read``.
        """
        if again or below not in self._seen:
            import obstore

            prefix, cut = self._key(below), len(self.inside) + 1 if self.inside else 0
            try:
                self._seen[below] = {
                    one["path"][cut:]: Stored(one["size"], one["e_tag"])
                    for batch in obstore.list(self.store, prefix=prefix or None)
                    for one in batch
                }
            except Exception as error:  # obstore's own tree of errors
                raise self._refused(below, error) from error
        return self._seen[below]

    def fetch(self, wanted: Mapping[str, Stored]) -> dict[str, bytes]:
        """Return the contents of objects, many at a time.

        Args:
            wanted: Names, with what a listing said of them.

        Raises:
            DataError: one changed since or is gone, or as ``read``.
        """
        with ThreadPoolExecutor(min(AT_ONCE, max(len(wanted), 1))) as threads:
            found = list(threads.map(self.read, wanted))
        contents = {}
        for (name, stored), one in zip(wanted.items(), found, strict=True):
            if one is None or one[1] != stored.etag:
                raise DataError(f"{self}: {name} is gone or changed while in use; run again")
            contents[name] = one[0]
        return contents

    def _key(self, name: str) -> str:
        return f"{self.inside}/{name}".strip("/")

    def _refused(self, name: str, error: Exception) -> DataError:
        said = str(error).splitlines()[0][:200]
        kind = type(error).__name__
        if kind in ("PermissionDeniedError", "UnauthenticatedError"):
            cure = "give credentials in the environment, such as AWS_ACCESS_KEY_ID"
        else:
            cure = "check address, region and endpoint, or try again later"
        place = f"{self}/{name}".rstrip("/")
        return DataError(f"{place}: cannot be read ({kind}: {said}); {cure}")


def _opened(url: str) -> Any:
    try:
        from obstore.store import from_url
    except ImportError as error:
        raise RecipeError(
            f"{url}: object storage needs a package more; pip install 'lamina[remote]'"
        ) from error
    retries: Any = {"max_retries": _RETRIES, "retry_timeout": _PATIENCE}
    try:
        return from_url(url, retry_config=retries)
    except Exception as error:  # obstore's own tree of errors
        raise RecipeError(f"{url}: is no address of a store ({error})") from error


def _is_missing(error: Exception) -> bool:
    return isinstance(error, FileNotFoundError) or type(error).__name__ == "NotFoundError"


def prefixes(keys: Sequence[str], depth: int) -> list[str]:
    """Return the folders that keys lie in, ``depth`` parts deep, each once, in order.

    Example:
        >>> prefixes(["c/0/1/2", "c/0/3/4", "c/1/0/0"], 2)
        ['c/0', 'c/1']
    """
    return list(dict.fromkeys("/".join(key.split("/")[:-1][:depth]) for key in keys))


def stored_chunks(folder: RemoteFolder, keys: Sequence[str]) -> dict[str, Stored]:
    """Return those of ``keys`` that object storage holds, by one listing for each slab of them."""
    depth = 3 if keys and keys[0].count("/") > 3 else 2  # c/CHANNEL/z, c/z
    there: dict[str, Stored] = {}
    for prefix in prefixes(keys, depth):
        there |= folder.listing(prefix)
    return {key: there[key] for key in keys if key in there and there[key].size > 0}
