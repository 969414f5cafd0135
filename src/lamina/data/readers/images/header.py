"""The header of an image, and what else is known of its file without opening it again.

Opening 100,000 images costs minutes of reading headers. Whoever has read a file before may say
here what it found, and while that is so (``knowing``), images are opened from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import ImageFile as PillowFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

_DECODERS: dict[str, type[PillowFile.ImageFile]] = {
    "PNG": PngImageFile,
    "JPEG": JpegImageFile,
    "BMP": BmpImageFile,
    "WebP": WebPImageFile,
}
IMAGES = tuple(_DECODERS)
"""Names of the types of files that have such a header."""

_NAMES = {decoder: name for name, decoder in _DECODERS.items()}


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """What the header of an image says."""

    rows: int
    columns: int
    channels: int
    depth: int
    orientation: int
    decoder: type[PillowFile.ImageFile]
    table: NDArray[np.uint8] | None = None
    """(256, channels) what palette indices stand for."""

    @property
    def format(self) -> str:
        """Name of the type of file, as ``FORMATS`` calls it."""
        return _NAMES[self.decoder]

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        return {
            "format": self.format,
            "rows": self.rows,
            "columns": self.columns,
            "channels": self.channels,
            "depth": self.depth,
            "orientation": self.orientation,
            "palette": None if self.table is None else self.table.tobytes().hex(),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ImageHeader:
        """Return what ``to_dict`` wrote."""
        table, channels = None, int(values["channels"])
        if values["palette"] is not None:
            table = np.frombuffer(bytes.fromhex(values["palette"]), np.uint8).reshape(-1, channels)
        return cls(
            int(values["rows"]),
            int(values["columns"]),
            channels,
            int(values["depth"]),
            int(values["orientation"]),
            _DECODERS[values["format"]],
            table,
        )


@dataclass(frozen=True, slots=True)
class Moments:
    """Pixels of an image, and of each channel their mean and summed squares of deviations."""

    count: int
    mean: tuple[float, ...]
    squares: tuple[float, ...]


class KnownImage(NamedTuple):
    """What was found in an image's file, which has not changed since."""

    size: int
    mtime_ns: int
    header: ImageHeader
    values: Mapping[int, int] | None = None
    """Of a mask: pixels of each stored value; None: not counted."""

    moments: Moments | None = None
    """Of an image; None: not measured."""


Known = Callable[[Path, bool], KnownImage | None]
"""Returns what is known of a file, opened as a mask or not."""

_known: ContextVar[Known | None] = ContextVar("known_images", default=None)


@contextmanager
def knowing(known: Known) -> Iterator[None]:
    """Open images from what is known of them while the block runs."""
    token = _known.set(known)
    try:
        yield
    finally:
        _known.reset(token)


def known_image(path: Path, *, target: bool) -> KnownImage | None:
    """Return what is known of a file; None: it has to be opened."""
    known = _known.get()
    return None if known is None else known(path, target)
