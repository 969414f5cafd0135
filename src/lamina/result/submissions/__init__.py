"""Submissions: the file formats of competitions.

To add one: write its file here, then name it in the lines below.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lamina.result.submissions.base import Part, Submission
from lamina.result.submissions.coordinates_npz import CoordinatesNpz, read_coordinates
from lamina.result.submissions.severstal import Severstal
from lamina.result.submissions.siim import Siim, sample_ids
from lamina.result.submissions.slices_npz import SlicesNpz
from lamina.result.submissions.vesuvius import Vesuvius

AnySubmission = Annotated[
    CoordinatesNpz | Severstal | Siim | SlicesNpz | Vesuvius, Field(discriminator="kind")
]

FORMATS: dict[
    str,
    type[CoordinatesNpz] | type[Severstal] | type[Siim] | type[SlicesNpz] | type[Vesuvius],
] = {
    "severstal": Severstal,
    "siim": Siim,
    "coordinates_npz": CoordinatesNpz,
    "slices_npz": SlicesNpz,
    "vesuvius": Vesuvius,
}
"""What the command line calls them."""

__all__ = [
    "FORMATS",
    "AnySubmission",
    "CoordinatesNpz",
    "Part",
    "Severstal",
    "Siim",
    "SlicesNpz",
    "Submission",
    "Vesuvius",
    "read_coordinates",
    "sample_ids",
]
