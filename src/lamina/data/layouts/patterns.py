"""Patterns of paths below a data folder, such as ``masks/{class}/{id}.png``.

=========== ==================================================================
``{id}``    the case; may hold folders; where it stands twice, twice the same
``{class}`` the class of a mask; one folder or a part of a name
``{split}`` the folder of a split, such as train or val; comes before the id of the case
``*``       any part of a name, but no folder
``?``       one character
``.*``      at the end: any suffix that is read, compound ones such as .nii.gz too
=========== ==================================================================
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lamina.data.names import bare, nfc
from lamina.data.readers import look_below
from lamina.errors import DataError, listed
from lamina.files import safe_join

_PARTS = re.compile(r"(\{[^{}]*\}|\*|\?)")
ID, CLASS, SPLIT = "{id}", "{class}", "{split}"
_WILD = {
    "*": "([^/]*)",
    "?": "([^/])",
    CLASS: "(?P<label>[^/]+)",
    SPLIT: "(?P<split>[^/]+)",
}


@dataclass(frozen=True)
class Match:
    """A file that a pattern names."""

    path: Path
    id: str
    label: str | None = None
    """The class, where the pattern has one."""


@dataclass(frozen=True)
class Pattern:
    """A pattern of paths below a folder, with ``/`` between folders."""

    text: str

    @cached_property
    def folder(self) -> str:
        """The folder before the first wildcard; empty: the data folder itself."""
        literal = _PARTS.split(nfc(self.text))[0]
        return literal.rpartition("/")[0]

    @cached_property
    def has_class(self) -> bool:
        """Whether a part of it is the class."""
        return CLASS in self.text

    @cached_property
    def _any_suffix(self) -> bool:
        return self.text.endswith(".*")

    @cached_property
    def _regex(self) -> re.Pattern[str]:
        text = nfc(self.text).removesuffix(".*" if self._any_suffix else "")
        return _compiled(text)

    def match(self, relative: str) -> tuple[str, str | None] | None:
        """Return id and class of a path below the folder; None: it does not fit.

        Example:
            >>> Pattern("masks/{class}/{id}_mask.*").match("masks/car/a_mask.nii.gz")
            ('a', 'car')
        """
        name = nfc(relative)
        found = self._regex.fullmatch(bare(name) if self._any_suffix else name)
        return None if found is None else _id_and_class(found)

    def find(self, root: Path, *, volumes: bool = False) -> list[Match]:
        """Return the readable files below ``root`` that the pattern names, in order.

        Args:
            root: The data folder.
            volumes: Whether a folder that is one volume, such as a DICOM series, is one.
        """
        base = safe_join(root, self.folder) if self.folder else root
        if not base.is_dir():
            return []
        found = []
        for path in look_below(base, root, volumes=volumes).images:
            hit = self.match(path.relative_to(root).as_posix())
            if hit is not None:
                found.append(Match(path, *hit))
        return found

    def id_of(self, path: Path) -> str | None:
        """Return the id of a file wherever it lies, by as much of its path as fits; or None."""
        pattern, parts = nfc(self.text).split("/"), path.parts
        for first in range(len(pattern)):
            if not _PARTS.search("/".join(pattern[first:])):
                break
            hit = Pattern("/".join(pattern[first:])).match("/".join(parts[first - len(pattern) :]))
            if hit is not None:
                return hit[0]
        return None


def is_pattern(text: str) -> bool:
    """Whether an option names files by a pattern, and no folder."""
    return _PARTS.search(text) is not None


def check_pattern(text: str, *, whole: bool = False) -> str:
    """Return a folder or a pattern as it is.

    Args:
        text: What a recipe says.
        whole: Whether a text without any wildcard is a file rather than a folder.

    Raises:
        ValueError: it has a part in braces that means nothing, or no part for the case.
    """
    parts = _PARTS.findall(text)
    odd = [part for part in parts if part not in (ID, CLASS, SPLIT, "*", "?")]
    if odd:
        raise ValueError(
            f"'{text}' has the part {odd[0]}; parts of a pattern are {ID}, {CLASS}, {SPLIT} and *"
        )
    wild = bool(parts) and not whole
    if wild and ID not in parts and parts[: len(parts) - text.endswith(".*")].count("*") == 0:
        raise ValueError(f"'{text}' has no {ID}, the part that image and mask have in common")
    if "\\" in text or not text:
        raise ValueError(f"'{text}' is no folder or pattern; folders are joined by /")
    return text


def by_id(root: Path, text: str, option: str) -> dict[str, Path]:
    """Return the files that a pattern names by id, in order.

    Raises:
        DataError: there is none, or two have one id.
    """
    found: dict[str, Path] = {}
    for (id, _), path in _found(root, text, option).items():
        found[id] = path
    return found


def by_id_and_class(root: Path, text: str, option: str) -> dict[str, dict[str, Path]]:
    """Return the files that a pattern with ``{class}`` names: by id, then by class, in order.

    Raises:
        DataError: as ``by_id``.
    """
    found: dict[str, dict[str, Path]] = {}
    for (id, label), path in _found(root, text, option).items():
        found.setdefault(id, {})[label] = path
    return found


def _found(root: Path, text: str, option: str) -> dict[tuple[str, str], Path]:
    found: dict[tuple[str, str], Path] = {}
    double = []
    for one in Pattern(text).find(root):
        key = (one.id, one.label or "")
        if key in found:
            double.append(f"{found[key]} and {one.path}")
        found.setdefault(key, one.path)
    if double:
        raise DataError(
            listed(
                f"{root}: {len(double)} files fit '{text}' with one id; make {option} narrower, or "
                "keep one of each",
                double,
            )
        )
    if not found:
        raise DataError(f"{root}: {option} is '{text}', and no file that is read fits")
    return dict(sorted(found.items()))


def _compiled(text: str) -> re.Pattern[str]:
    regex, seen = "", False
    for part in _PARTS.split(text):
        if part == ID:
            regex += "(?P=id)" if seen else "(?P<id>.+)"
            seen = True
        else:
            regex += _WILD.get(part, re.escape(part))
    return re.compile(regex)


def _id_and_class(found: re.Match[str]) -> tuple[str, str | None]:
    named = found.groupdict()
    id = named.get("id")
    if id is None:
        at = set(found.re.groupindex.values())
        free = [text for k, text in enumerate(found.groups(), 1) if k not in at]
        id = "/".join(text for text in free if text)
    split = named.get("split")
    return (id if split is None else f"{split}/{id}"), named.get("label")
