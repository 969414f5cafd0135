"""Images and masks with a palette."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from lamina.doctor.examined import Examined
from lamina.doctor.file_facts import facts_of, images_of, masks_of
from lamina.doctor.finding import Area, Finding, counted, first_names

_MEANING = {
    ("image", "grey"): "read as the grey picture that viewers show",
    ("image", "black and white"): "read as the black and white picture that viewers show",
    ("image", "colours"): "read as the colours that viewers show",
    ("mask", "grey"): "read as class numbers, the indices of the palette",
    ("mask", "colours"): "read as class numbers, the indices of the palette",
    ("mask", "black and white"): "read as 0 for black and 1 for white",
}


@dataclass(frozen=True)
class Palettes:
    """Numbers in such a file are indices; what they stand for depends on what the file is for."""

    name: str = "palettes"
    area: Area = "data"

    def __call__(self, examined: Examined) -> Iterator[Finding]:
        """Say of each sort of palette how its files are read."""
        sorts: dict[tuple[str, str], list[str]] = defaultdict(list)
        by_role = {"image": images_of(examined.cases), "mask": masks_of(examined.cases)}
        for role, paths in by_role.items():
            for one in facts_of(paths):
                if one.palette != "none":
                    sorts[role, one.palette].append(one.path)
        for sort, files in sorts.items():
            role, palette = sort
            what = f"{counted(len(files), role)} with a palette of {palette}: {_MEANING[sort]}"
            remedy = ""
            if role == "mask" and palette == "colours":
                remedy = (
                    "if colours mean classes, save the masks as RGB and key data.labels by them"
                )
            yield Finding("note", first_names(files), what, remedy)
        if not sorts and examined.cases:
            yield Finding("fine", "files", "none has a palette")
