"""Decisions: how probabilities become masks.

To add one: write its file here, then name it in the lines below.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lamina.result.decisions.argmax import Argmax
from lamina.result.decisions.as_is import AsIs
from lamina.result.decisions.base import Decision
from lamina.result.decisions.threshold import Threshold
from lamina.result.decisions.triplet import Triplet, TripletSearch

AnyDecision = Annotated[Threshold | Triplet | Argmax | AsIs, Field(discriminator="kind")]

__all__ = ["AnyDecision", "Argmax", "AsIs", "Decision", "Threshold", "Triplet", "TripletSearch"]
