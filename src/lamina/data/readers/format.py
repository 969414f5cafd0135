"""What every reader promises: a type of file, how it is told from others, how it is opened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from lamina.volume import Volume

if TYPE_CHECKING:
    from lamina.data.readers.dicom.values import Dicom
    from lamina.data.readers.segy.volume import Segy

Fill = Literal["refuse", "allow"]
"""What becomes of chunks that are not stored: an error, or the fill value of the array."""

PIXEL_LIMIT = 1_000_000_000
"""Maximum number of pixels of an image unless the caller says otherwise."""


@dataclass(frozen=True)
class Options:
    """What a recipe says of how files are read; every format takes what concerns it."""

    axes: str | None = None
    """Names of the stored axes in order; None: as the file says."""

    limit: int = PIXEL_LIMIT
    """Maximum number of pixels of one image or page that has to be decoded."""

    dicom: Dicom | None = None
    """How the values of DICOM files are meant; None: the defaults."""

    segy: Segy | None = None
    """Where SEG-Y files say which trace belongs where; None: the defaults."""

    dataset: str | None = None
    """Path of the array within a file or store of several; None: the only one."""

    fill: Fill = "refuse"
    """Whether parts that were never written count as filled."""

    stack: bool = False
    """Whether a file that names no axes is a stack: of three or four pages, which could be
    colours, too."""

    as_stored: bool = False
    """Whether names of axes count before those that the file itself gives."""

    target: bool = False
    """Whether the file is a mask: a palette is class numbers then, and colours otherwise."""


@dataclass(frozen=True, kw_only=True)
class Format:
    """A type of file (or of folder that is one image), by its content and by its suffixes."""

    name: str
    """What messages call it."""

    suffixes: tuple[str, ...]
    """Endings of its names in lower case, such as ``.nii`` and ``.nii.gz``."""

    open: Callable[[Path, Options], Volume]
    """Opens a file of this type; raises DataError where it cannot be read exactly."""

    magic: tuple[bytes, ...] = ()
    """First bytes, any of which tells the type."""

    known_by: Callable[[Path, bytes], bool] | None = None
    """Whether path and first 352 bytes (none of a folder) are of the type; None: by ``magic``."""

    by_suffix: bool = False
    """Whether the suffix decides where the content is of no type that is known."""

    cut: Callable[[bytes], bool] | None = None
    """Whether bytes may be all that is left of such a file; None: by ``magic``."""

    store: str | None = None
    """Of types that are folders: the files that one of them must hold, in words."""

    of_volumes: bool = False
    """Of types that are folders: whether one is taken for a volume only where volumes are asked
    for, since its files are images of their own."""

    any_name: bool = False
    """Whether such files are found by their content, whatever their names end in."""

    plane: bool = False
    """Whether every such file is one plane, never a volume."""

    def recognises(self, path: Path, head: bytes) -> bool:
        """Whether a file that begins with ``head`` is of this type."""
        if self.known_by is not None:
            return self.known_by(path, head)
        return head.startswith(self.magic) if self.magic else False

    def may_be_cut(self, head: bytes) -> bool:
        """Whether ``head`` may be all that is left of such a file."""
        by_magic = any(magic.startswith(head) for magic in self.magic)
        return by_magic or (self.cut is not None and self.cut(head))
