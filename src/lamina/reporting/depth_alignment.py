"""What alignment did to the layers of fragments: curves before and after, and maps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

import lamina
from lamina.data.flatten.summary import LAYERS, in_words
from lamina.errors import DataError
from lamina.files import read_json, write_text
from lamina.reporting.figures.layers import layers, together
from lamina.reporting.figures.plot import Plot


@dataclass(frozen=True)
class Fragment:
    """A fragment as a page shows it."""

    name: str
    words: str
    plots: list[Plot]


@dataclass(frozen=True)
class AlignedFragments:
    """All fragments as a page shows them."""

    fragments: list[Fragment]
    before: Plot
    """All mean curves as they are."""
    after: Plot
    """The same, aligned."""


def layers_of(folder: Path) -> AlignedFragments | None:
    """Return what a folder says of aligned fragments; None where it says nothing.

    Raises:
        DataError: what it says is damaged.
    """
    path = folder / LAYERS
    if not path.is_file():
        return None
    said = read_json(path)
    try:
        return _shown(said)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path}: is damaged ({error}); align the fragments again") from error


def layers_page(out: Path) -> Path:
    """Write ``layers.html`` into a folder of ``lamina flatten``; return its path.

    Raises:
        DataError: the folder has no curves, or they are damaged.
    """
    aligned = layers_of(out)
    if aligned is None:
        raise DataError(f"{out}: has no {LAYERS}; name a folder that lamina flatten wrote")
    environment = Environment(
        loader=PackageLoader("lamina.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template("layers.html")
    page = out / "layers.html"
    write_text(page, template.render(layers=aligned, version=lamina.__version__))
    return page


def _shown(said: Mapping[str, Mapping[str, Any]]) -> AlignedFragments:
    fragments = [
        Fragment(name, in_words(curves), layers(name, curves)) for name, curves in said.items()
    ]
    before, after = (
        together(when, {name: curves[when]["full"] for name, curves in said.items()})
        for when in ("before", "after")
    )
    return AlignedFragments(fragments, before, after)
