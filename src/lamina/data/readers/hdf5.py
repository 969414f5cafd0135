"""Arrays in HDF5 files; only what is asked for is read, and never from another file.

An HDF5 file may say that its numbers lie in some other file of the machine. Links to other
files, external storage and virtual datasets are therefore refused.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lamina.data.readers.axes import lay_out
from lamina.data.readers.file_stamp import stamp_of
from lamina.data.readers.format import Fill, Format
from lamina.data.readers.zarr.volume import LARGEST
from lamina.errors import DataError, RecipeError
from lamina.geometry.region import Region
from lamina.volume import Placement, check_within

if TYPE_CHECKING:
    import h5py

_KEEP_OPEN = 64 << 20
"""Datasets of at least this many bytes stay open between reads; each holds a descriptor."""

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_USER_BLOCK = 512
_BROKEN = (OSError, ValueError, RuntimeError, KeyError, TypeError, MemoryError)


class Hdf5Volume:
    """One dataset of an HDF5 file, of two or three spatial axes; ``c`` becomes the channels."""

    def __init__(
        self,
        path: Path,
        axes: str | None = None,
        *,
        dataset: str | None = None,
        fill: Fill = "refuse",
        as_stored: bool = False,
    ) -> None:
        """Read the header of ``path``.

        Args:
            path: The file.
            axes: Names of the stored axes; None: the labels of the dataset's dimensions, where
                each is one letter, else ``"yx"`` or ``"zyx"``.
            dataset: Path of the dataset within the file, such as ``volumes/raw``; None: the only
                one of two or more axes.
            fill: ``allow`` takes parts that were never written as filled with the dataset's fill
                value.
            as_stored: Whether ``axes`` may be others than the labels.

        Raises:
            RecipeError: h5py is not installed.
            DataError: the file is cut off; none, or several datasets and none is named; it holds
                no plain numbers, not all of them, or those of another file; its axes are not
                those named.
        """
        self.path, self._fill = Path(path), fill
        with _Opened(self.path) as file:
            self._inside = self._found(file, dataset)
            data = _dataset(self.path, file, self._inside)
            self._check(data)
            self._stored = np.dtype(data.dtype)
            own = _labels(data)
            self._layout = lay_out(self.path, tuple(data.shape), axes, own, as_stored=as_stored)
            self.placement = Placement(own and self._layout.axes)
            self._chunks = tuple(data.chunks or [1] * len(data.shape))
        self.axes = self._layout.axes
        self._kept: h5py.Dataset | None = None
        self._seen = self._now()

    @property
    def name(self) -> str:
        """The path, and that of the dataset."""
        return f"{self.path}:{self._inside}"

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each spatial axis, in pixels."""
        return self._layout.shape

    @property
    def channels(self) -> int:
        """1, or the length of the axis named ``c``."""
        return self._layout.channels

    @property
    def dtype(self) -> np.dtype[Any]:
        """The stored type, in the machine's byte order."""
        native: np.dtype[Any] = self._stored.newbyteorder("=")
        return native

    @property
    def chunk_shape(self) -> tuple[int, ...]:
        """Sides of a chunk; of one voxel where the dataset is stored in one piece."""
        return self._layout.spatial(self._chunks)

    def stamp(self) -> str:
        """Return a digest of the file's name, size and time, and of the dataset's path."""
        return stamp_of(self.path, [self.path], self._inside, self._layout.names, self._fill)

    def read(self, region: Region) -> NDArray[Any]:
        """Return a copy, ``(channels, *region.shape)``; only chunks it touches are decoded.

        Raises:
            ValueError: the region leaves the volume.
            DataError: a chunk is damaged or packed in an unknown way, or the file changed since
                it was opened.
        """
        check_within(self, region)
        if 0 in region.shape:
            return np.empty((self.channels, *region.shape), self.dtype)
        box = self._layout.stored(region)
        if self._kept is not None:
            return self._layout.seen(self._values(self._kept, box, region))
        if not self.path.is_file() or self._now() != self._seen:
            raise DataError(f"{self.path}: is gone or changed while in use; run again")
        opened = _Opened(self.path)
        data = _dataset(self.path, opened.file, self._inside)
        values = self._values(data, box, region)
        if math.prod(data.shape) * self._stored.itemsize >= _KEEP_OPEN:
            self._kept = data
        else:
            opened.file.close()
        return self._layout.seen(values)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_kept": None}

    def _values(self, data: h5py.Dataset, box: tuple[slice, ...], region: Region) -> NDArray[Any]:
        try:
            return np.asarray(data[box])
        except _BROKEN as error:
            raise DataError(
                f"{self.name}: {region} is damaged, or packed with a filter that this h5py lacks "
                f"({error}); copy it again, or write it with gzip"
            ) from error

    def _now(self) -> tuple[int, int]:
        stat = self.path.stat()
        return stat.st_size, stat.st_mtime_ns

    def _found(self, file: h5py.File, dataset: str | None) -> str:
        """Return the path of the dataset that is meant."""
        if dataset is not None:
            return dataset.strip("/")
        listed = [name for name, axes in _listed(file) if axes >= 2]
        if len(listed) == 1:
            return listed[0]
        if not listed:
            raise DataError(f"{self.path}: holds no dataset of two or more axes; leave it out")
        raise DataError(
            f"{self.path}: holds {len(listed)} datasets; name the one to read with data.dataset: "
            f"{', '.join(listed[:20])}"
        )

    def _check(self, data: h5py.Dataset) -> None:
        """Refuse a dataset that is of no numbers, not whole, or not in this file."""
        place = f"{self.path}:{self._inside}"
        if data.is_virtual or data.external is not None:
            raise DataError(
                f"{place}: its numbers lie in another file, which is not read; copy the dataset "
                "into one file"
            )
        if data.dtype.kind not in "biuf":
            raise DataError(
                f"{place}: holds {data.dtype}, not numbers; save booleans, integers or floats"
            )
        if data.chunks is not None:
            size = math.prod(data.chunks) * data.dtype.itemsize
            if size > LARGEST:
                raise DataError(
                    f"{place}: has chunks of {data.chunks}, {size / 2**30:.1f} GiB each, where "
                    f"{LARGEST >> 30} GiB are the most; write it again in smaller chunks"
                )
        if self._fill == "allow" or not data.size:
            return
        wanted = 1 if data.chunks is None else _count(data.shape, data.chunks)
        there = data.id.get_num_chunks() if data.chunks else int(data.id.get_storage_size() > 0)
        if there < wanted:
            raise DataError(
                f"{place}: {wanted - there} of its {wanted} chunks were never written; write it "
                "again, or set data.fill to allow where they are empty on purpose"
            )


class _Opened:
    """An open HDF5 file; errors say which."""

    def __init__(self, path: Path) -> None:
        library = _h5py(path)
        try:
            self.file: h5py.File = library.File(path, "r")
        except _BROKEN as error:
            raise DataError(
                f"{path}: is cut off or not an HDF5 file ({error}); copy it again"
            ) from (error)

    def __enter__(self) -> h5py.File:
        return self.file

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.file.close()


def _dataset(path: Path, file: h5py.File, name: str) -> h5py.Dataset:
    """Walk to a dataset along links that stay in the file."""
    library = _h5py(path)
    place: Any = file
    for part in name.split("/"):
        link = place.get(part, getlink=True) if isinstance(place, library.Group) else None
        if link is None:
            listed = ", ".join(one for one, _ in list(_listed(file))[:20]) or "nothing"
            raise DataError(f"{path}: has no dataset '{name}'; it holds {listed}; set data.dataset")
        if not isinstance(link, library.HardLink):
            raise DataError(
                f"{path}: '{part}' of '{name}' is a link to '{link.path}', which is not followed; "
                "name the dataset itself in its own file"
            )
        try:
            place = place[part]
        except _BROKEN as error:
            raise DataError(f"{path}: '{name}' is damaged ({error}); copy it again") from error
    if not isinstance(place, library.Dataset):
        raise DataError(f"{path}: '{name}' is not a dataset; set data.dataset")
    return place


def _listed(group: h5py.Group) -> Iterator[tuple[str, int]]:
    """Yield path and number of axes of every dataset that no link leads to, in order.

    A group that is met again, such as one that contains itself, is not entered twice.
    """
    import h5py as library

    yield from _walk(library, group, "", set())


def _walk(
    library: Any, group: h5py.Group, before: str, seen: set[tuple[int, int]]
) -> Iterator[tuple[str, int]]:
    about = library.h5o.get_info(group.id)
    if (about.fileno, about.addr) in seen:
        return
    seen.add((about.fileno, about.addr))
    for name in group:
        if not isinstance(group.get(name, getlink=True), library.HardLink):
            continue
        inside = group[name]
        if isinstance(inside, library.Dataset):
            yield before + name, len(inside.shape or ())
        elif isinstance(inside, library.Group):
            yield from _walk(library, inside, f"{before}{name}/", seen)


def _labels(data: h5py.Dataset) -> str | None:
    """Return one letter per axis where all dimensions are labelled so."""
    try:
        labels = [str(dimension.label).lower() for dimension in data.dims]
    except _BROKEN:
        return None
    names = "".join(labels)
    single = all(len(label) == 1 for label in labels) and names.isascii() and names.isalpha()
    return names if single and len(set(names)) == len(names) else None


def _count(shape: tuple[int, ...], chunks: tuple[int, ...]) -> int:
    return math.prod(-(-n // side) for n, side in zip(shape, chunks, strict=True))


def _h5py(path: Path) -> Any:
    """Import h5py, which not everybody installs, only when an HDF5 file is opened."""
    try:
        import h5py
    except ImportError:
        raise RecipeError(
            f"{path}: is an HDF5 file, and h5py is not installed; pip install 'lamina[volumes]'"
        ) from None
    return h5py


def _is_hdf5(path: Path, head: bytes) -> bool:
    """Whether the signature stands at byte 0, 512, 1024, 2048 ...: a user block may come first."""
    if head.startswith(_SIGNATURE):
        return True
    if not path.is_file():
        return False
    size, place = path.stat().st_size, _USER_BLOCK
    with path.open("rb") as stream:
        while place < size:
            stream.seek(place)
            if stream.read(len(_SIGNATURE)) == _SIGNATURE:
                return True
            place *= 2
    return False


HDF5 = Format(
    name="HDF5",
    suffixes=(".h5", ".hdf5"),
    known_by=_is_hdf5,
    cut=lambda head: _SIGNATURE.startswith(head),
    open=lambda path, options: Hdf5Volume(
        path,
        options.axes,
        dataset=options.dataset,
        fill=options.fill,
        as_stored=options.as_stored,
    ),
)
