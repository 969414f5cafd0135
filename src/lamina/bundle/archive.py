"""Reading a zip that a stranger made: every entry is judged before any is read, none is extracted.

The content is read into memory, entry by entry, so that no name of the archive ever becomes a
path on this machine.
"""

from __future__ import annotations

import stat
import unicodedata
import zipfile
from pathlib import Path

from lamina.errors import BundleError
from lamina.refusals import reading

ENTRIES = 10_000
"""More entries than this are refused."""

RATIO = 200
"""An entry that unpacks to more than this many times its packed size is refused."""

_FREE = 1 << 16  # small texts may compress as well as they like


class Archive:
    """The entries of one zip file, checked: names stay inside, sizes are honest, nothing is hidden.

    Raises:
        BundleError: not a zip, too many entries, or an entry that is absolute, climbs out, is a
            link or a device, is encrypted, stands there twice or unpacks beyond measure.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with (
            reading(path, BundleError, what="not a readable zip"),
            zipfile.ZipFile(path) as opened,
        ):
            infos = opened.infolist()
        if len(infos) > ENTRIES:
            raise BundleError(f"{path}: {len(infos)} entries; a bundle has at most {ENTRIES}")
        seen: dict[str, str] = {}
        for info in infos:
            self._judge(info)
            name = unicodedata.normalize("NFC", info.filename).casefold()
            if name in seen:
                raise self._refusal(info, f"and '{seen[name]}' are one file on some machines")
            seen[name] = info.filename
        self._infos = {info.filename: info for info in infos if not info.is_dir()}

    @property
    def names(self) -> list[str]:
        """Names of the files, in the order of the archive."""
        return list(self._infos)

    def read(self, name: str) -> bytes:
        """Return the content of one entry.

        Raises:
            BundleError: there is no such entry, or its bytes do not match its checksum.
        """
        if name not in self._infos:
            raise BundleError(f"{self.path}: no entry '{name}'; the bundle is incomplete")
        with (
            reading(self.path, BundleError, what=f"entry '{name}' is damaged"),
            zipfile.ZipFile(self.path) as opened,
            opened.open(self._infos[name]) as stream,
        ):
            # One byte more than declared, so that a lying size is found without unpacking it.
            data = stream.read(self._infos[name].file_size + 1)
        if len(data) != self._infos[name].file_size:
            raise BundleError(f"{self.path}: entry '{name}' is not as long as it claims")
        return data

    def _judge(self, info: zipfile.ZipInfo) -> None:
        name = info.filename.replace("\\", "/")
        parts = name.split("/")
        if not name or name.startswith("/") or ".." in parts or ":" in name or "\0" in name:
            raise self._refusal(info, "leaves the folder")
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise self._refusal(info, "is a link or a device")
        if info.flag_bits & 0x1:
            raise self._refusal(info, "is encrypted")
        if info.file_size > _FREE and info.file_size > RATIO * max(info.compress_size, 1):
            raise self._refusal(
                info, f"unpacks {info.compress_size} bytes to {info.file_size}, more than {RATIO}:1"
            )

    def _refusal(self, info: zipfile.ZipInfo, why: str) -> BundleError:
        return BundleError(
            f"{self.path}: entry {info.filename!r} {why}; "
            "nothing was read, get the bundle from whoever made it"
        )
