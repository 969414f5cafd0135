"""Submissions. To add one: write its file here, then add it to the union and the table below."""

from __future__ import annotations

from lamina.result.submissions.base import Submission
from lamina.result.submissions.severstal import Severstal

# One member so far; with the second it becomes Annotated[A | B, Field(discriminator="kind")].
AnySubmission = Severstal

__all__ = ["AnySubmission", "Severstal", "Submission"]
