"""Submissions. To add one: write its file here, then name it in the lines below."""

from __future__ import annotations

from lamina.result.submissions.base import Submission
from lamina.result.submissions.severstal import Severstal

# One member so far; with the second it becomes Annotated[A | B, Field(discriminator="kind")].
AnySubmission = Severstal

FORMATS: dict[str, type[Submission]] = {"severstal": Severstal}
"""What the command line calls them."""

__all__ = ["FORMATS", "AnySubmission", "Severstal", "Submission"]
