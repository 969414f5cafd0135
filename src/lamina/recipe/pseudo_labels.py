"""How labels that members made are mixed into a stage."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from lamina.data.samplers import AnySampler, Mixed
from lamina.spec import Spec


class Pseudo(Spec):  # STEEL-20
    """Images with pseudo-labels of `lamina pseudo`, mixed into a stage; --pseudo names it.

    Batches then have a fixed composition, as the sampler ``mixed`` makes them.
    """

    share: float | None = Field(default=None, gt=0, lt=1)
    """Share of such images in a batch, before rounding to whole ones; null: as ``alpha`` says."""

    alpha: float | None = None  # STEEL-20: -0.15
    """Move from their share of all images (0) to one half (1), or beyond; null:
    as ``share`` or the sampler says."""

    labels: Literal["soft", "hard"] = "soft"
    """Learn probabilities, or the masks that were decided on."""

    @model_validator(mode="after")
    def _one_number_says_how_many(self) -> Self:
        if self.share is not None and self.alpha is not None:
            raise ValueError("share and alpha both say how many are mixed in; set one of them")
        return self

    def mixer(self, sampler: AnySampler) -> Mixed:
        """Return the sampler of a stage, which mixes by the fact ``source`` of a case."""
        mixer = sampler.by_source()
        if mixer is None:
            raise ValueError("the sampler does not mix by source, which the stage refuses")
        if self.share is not None:
            return mixer.model_copy(update={"share": {"pseudo": self.share}})
        if self.alpha is not None:
            return mixer.model_copy(update={"alpha": self.alpha, "share": None})
        return mixer
