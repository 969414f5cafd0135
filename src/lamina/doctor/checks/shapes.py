"""Which shapes and types the images have, and whether the frame suits them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from lamina.doctor.examined import Examined
from lamina.doctor.finding import Area, Finding, counted, first_names
from lamina.errors import LaminaError
from lamina.volume import Volume


@dataclass(frozen=True)
class Shapes:
    """A table of shapes; mixed channels are mostly a mistake of export."""

    most: int = 8
    """Rows of the table."""
    name: str = "shapes"
    area: Area = "data"

    def __call__(self, examined: Examined) -> Iterator[Finding]:
        """List the shapes with their number; name images whose channels differ."""
        images = [case.image for case in examined.cases]
        if not images:
            return
        counts = Counter(_row(image) for image in images)
        for row, count in counts.most_common(self.most):
            yield Finding("fine", f"{count} of {len(images)}", row)
        if len(counts) > self.most:
            rest = len(images) - sum(count for _, count in counts.most_common(self.most))
            yield Finding("fine", f"{rest} of {len(images)}", "in other shapes")
        channels = Counter(image.channels for image in images)
        if len(channels) > 1:
            usual = channels.most_common(1)[0][0]
            odd = [case for case in examined.cases if case.image.channels != usual]
            names = [f"{case.id} ({case.image.channels})" for case in odd]
            what = (
                f"{len(odd)} of {len(images)} images have another number of channels than {usual}"
            )
            yield Finding("warning", first_names(names), what, "convert all to one kind")
        yield from _frame(examined)


def _row(image: Volume) -> str:
    shape = " x ".join(map(str, image.shape))
    return f"{image.axes} {shape}, {counted(image.channels, 'channel')} of {image.dtype}"


def _frame(examined: Examined) -> Iterator[Finding]:
    if examined.recipe is None:
        return
    for case in examined.cases:
        try:
            examined.recipe.frame.cases([case])
        except LaminaError as error:
            yield Finding("error", f"case {case.id}", str(error), "see `frame` in the recipe")
            return
