"""Images that their EXIF orientation turns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lamina.data.case import exif_orientation
from lamina.doctor.examined import Examined
from lamina.doctor.finding import Area, Finding, counted, first_names


@dataclass(frozen=True)
class Exif:
    """Images are read upright, as viewers show them; a mask drawn on the stored pixels is not."""

    name: str = "exif"
    area: Area = "data"

    def __call__(self, examined: Examined) -> Iterator[Finding]:
        """Name the files that are turned where their partner is not turned alike (READ-22)."""
        alone: dict[str, list[str]] = {"image": [], "mask": []}
        alike = []
        for case in examined.cases:
            image = exif_orientation(case.image)
            mask = image if case.target is None else exif_orientation(case.target)
            if image == mask != 1:
                alike.append(case.image.name)
            elif image != mask:
                alone["image"] += [case.image.name] if image != 1 else []
                alone["mask"] += [case.target.name] if mask != 1 and case.target else []
        for role, names in alone.items():
            other = "masks" if role == "image" else "images"
            if names:
                yield Finding(
                    "warning",
                    counted(len(names), role),
                    "turned upright as their EXIF orientation says, the "
                    f"{other} are not: {first_names(names)}",
                    f"see that masks lie on the upright images; save {role}s upright, without EXIF",
                )
        if alike:
            what = f"{counted(len(alike), 'image')} turned upright as the EXIF orientation says"
            yield Finding("note", first_names(alike), what)
        if examined.cases and not alike and not any(alone.values()):
            yield Finding("fine", "files", "none is turned by an EXIF orientation")
