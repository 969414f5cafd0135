"""Decisions: how probabilities become masks.

To add one: write its file here, import it below and name it in the union.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lamina.result.decisions.argmax import Argmax as Argmax
from lamina.result.decisions.as_is import AsIs as AsIs
from lamina.result.decisions.base import Decision as Decision
from lamina.result.decisions.expected import Expected as Expected
from lamina.result.decisions.threshold import Threshold as Threshold
from lamina.result.decisions.triplet import Triplet as Triplet
from lamina.result.decisions.triplet import TripletSearch as TripletSearch

AnyDecision = Annotated[Threshold | Triplet | Expected | Argmax | AsIs, Field(discriminator="kind")]
