"""Submissions. To add one: write its file here, then name it in the lines below."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lamina.result.submissions.base import Submission
from lamina.result.submissions.severstal import Severstal
from lamina.result.submissions.siim import Siim, sample_ids

AnySubmission = Annotated[Severstal | Siim, Field(discriminator="kind")]

FORMATS: dict[str, type[Severstal] | type[Siim]] = {"severstal": Severstal, "siim": Siim}
"""What the command line calls them."""

__all__ = ["FORMATS", "AnySubmission", "Severstal", "Siim", "Submission", "sample_ids"]
