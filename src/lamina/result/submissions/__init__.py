"""Submissions: the file formats of competitions.

To add one: write its file here, import it below and name it in the union.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lamina.result.submissions.base import Part as Part
from lamina.result.submissions.base import Submission as Submission
from lamina.result.submissions.coordinates_npz import CoordinatesNpz as CoordinatesNpz
from lamina.result.submissions.severstal import Severstal as Severstal
from lamina.result.submissions.siim import Siim as Siim
from lamina.result.submissions.slices_npz import SlicesNpz as SlicesNpz
from lamina.result.submissions.vesuvius import Vesuvius as Vesuvius
from lamina.spec import kinds_of

AnySubmission = Annotated[
    CoordinatesNpz | Severstal | Siim | SlicesNpz | Vesuvius, Field(discriminator="kind")
]

FORMATS: dict[str, type[Submission]] = kinds_of(AnySubmission)
"""What the command line calls them."""
