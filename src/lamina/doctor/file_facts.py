"""What image files say besides their pixels: the sort of their palette."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from PIL import Image

from lamina.data.case import Case
from lamina.data.readers import has_suffix

_TYPES = ("PNG", "JPEG", "WEBP", "BMP", "TIFF")

Palette = Literal["none", "grey", "colours", "black and white"]


@dataclass(frozen=True)
class FileFacts:
    """Of one file."""

    path: str
    palette: Palette = "none"


def facts_of(files: Sequence[str]) -> list[FileFacts]:
    """Return the facts of image files by their headers; those of no such type are left out."""
    return list(_facts(files))


def images_of(cases: Sequence[Case]) -> list[str]:
    """Return the files of the images of cases, each once."""
    return list(dict.fromkeys(file for case in cases for file in case.files))


def masks_of(cases: Sequence[Case]) -> list[str]:
    """Return the files of the masks of cases, each once."""
    return list(dict.fromkeys(file for case in cases for file in case.label_files))


def _facts(files: Sequence[str]) -> Iterator[FileFacts]:
    for file in files:
        if not has_suffix(Path(file)) or not Path(file).is_file():
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                with Image.open(file, formats=_TYPES) as image:
                    yield FileFacts(file, _palette(image))
        except Exception:  # noqa: BLE001 - what cannot be read is said by other checks
            continue


def _palette(image: Image.Image) -> Palette:
    if image.mode not in ("P", "PA") or image.palette is None:
        return "none"
    values = image.getpalette("RGB") or []
    colours = {tuple(values[k : k + 3]) for k in range(0, len(values), 3)}
    if colours == {(0, 0, 0), (255, 255, 255)}:
        return "black and white"
    return "grey" if all(len(set(colour)) == 1 for colour in colours) else "colours"
