"""Which shapes and types the images have, and whether the frame suits them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from lamina.data.case import exif_orientation
from lamina.doctor.examined import Patient
from lamina.doctor.finding import Area, Finding, counted, some
from lamina.errors import LaminaError
from lamina.volume import Volume


@dataclass(frozen=True)
class Shapes:
    """A table of shapes; mixed types are mostly a mistake of export."""

    most: int = 8
    """Rows of the table."""
    name: str = "shapes"
    area: Area = "data"

    def __call__(self, patient: Patient) -> Iterator[Finding]:
        """List the shapes with their number; say where types or channels differ."""
        images = [case.image for case in patient.cases]
        if not images:
            return
        counts = Counter(_row(image) for image in images)
        for row, count in counts.most_common(self.most):
            yield Finding("fine", f"{count} of {len(images)}", row)
        if len(counts) > self.most:
            rest = len(images) - sum(count for _, count in counts.most_common(self.most))
            yield Finding("fine", f"{rest} of {len(images)}", "in other shapes")
        kinds = Counter(f"{image.channels} x {image.dtype}" for image in images)
        if len(kinds) > 1:
            said = ", ".join(f"{count} of {kind}" for kind, count in kinds.most_common())
            yield Finding("warning", "channels and types", said, "convert all to one kind")
        yield from _turned(patient)
        yield from _frame(patient)


def _turned(patient: Patient) -> Iterator[Finding]:
    """Name the files that are turned as their EXIF part says; masks mostly have none (READ-22)."""
    roles = {"images": [case.image for case in patient.cases]}
    roles["masks"] = [case.target for case in patient.cases if case.target is not None]
    turned = {
        role: [one.name for one in volumes if exif_orientation(one) != 1]
        for role, volumes in roles.items()
    }
    for role, names in turned.items():
        other = "masks" if role == "images" else "images"
        if names and len(names) != len(turned[other]):
            yield Finding(
                "warning",
                counted(len(names), role.removesuffix("s")),
                f"turned upright as their EXIF orientation says, not all {other} are: "
                f"{some(names)}",
                f"see that masks lie on the upright images; save {role} upright, without EXIF",
            )


def _row(image: Volume) -> str:
    shape = " x ".join(map(str, image.shape))
    return f"{image.axes} {shape}, {counted(image.channels, 'channel')} of {image.dtype}"


def _frame(patient: Patient) -> Iterator[Finding]:
    if patient.recipe is None:
        return
    for case in patient.cases:
        try:
            patient.recipe.frame.planes([case])
        except LaminaError as error:
            yield Finding("error", f"case {case.id}", str(error), "see `frame` in the recipe")
            return
